"""How the tests come by a Prometheus: what there is already goes first, the package is fetched once, and where there is
none the tests fail in CI instead of being left out."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.prometheus.server import FETCH, binary

TOOLS = ("bash", "env", "cp", "mkdir", "mktemp", "mv", "rm", "touch")
APT = """\
echo "$@" >> "$CALLS"
case "$*" in
  *update) touch "$CALLS.listed" ;;
  *) [ -e "$CALLS.listed" ] || exit 100; touch prometheus_2_amd64.deb ;;
esac
"""
DPKG = 'mkdir -p "$3/usr/bin"; for name in prometheus promtool; do cp "$PACKED" "$3/usr/bin/$name"; done'


class Machine:
    """A machine whose apt-get has no list of packages yet. `calls` are those of apt-get."""

    def __init__(self, folder: Path) -> None:
        self.path, self._calls = folder / "path", folder / "calls"
        self.path.mkdir()
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool) or tool)
        self.kept = folder / "cache" / "rollway" / "prometheus" / "prometheus"
        self.environment = {
            "PATH": str(self.path),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "CALLS": str(self._calls),
            "PACKED": str(self.program("packed", "echo prometheus, version 2")),
        }

    def program(self, name: str, text: str) -> Path:
        made = self.path / name
        made.write_text(f"#!/usr/bin/env bash\nset -eu\n{text}\n")
        made.chmod(0o755)
        return made

    def debian(self) -> None:
        self.program("apt-get", APT)
        self.program("dpkg", DPKG)

    def fetch(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([FETCH, *words], env=self.environment, capture_output=True, text=True, check=False)

    @property
    def calls(self) -> list[str]:
        return [line.split()[-1] for line in self._calls.read_text().splitlines()] if self._calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_package_is_fetched_once_and_lists_are_updated_only_if_they_must_be(machine: Machine) -> None:
    machine.debian()
    first, second = machine.fetch(), machine.fetch("--kept")
    assert (first.stdout, first.stderr, first.returncode) == (f"{machine.kept}\n", "", 0)
    assert (second.stdout, second.returncode) == (first.stdout, 0)
    assert machine.calls == ["prometheus", "update", "prometheus"]
    assert sorted(os.listdir(machine.kept.parent)) == ["prometheus", "promtool"]
    machine.kept.unlink()
    assert machine.fetch().returncode == 0
    assert machine.calls[3:] == ["prometheus"]


def test_promtool_comes_with_it(machine: Machine) -> None:
    machine.debian()
    promtool = machine.kept.with_name("promtool")
    assert machine.fetch("--promtool").stdout == f"{promtool}\n"
    assert machine.fetch("--promtool", "--kept").stdout == f"{promtool}\n"
    promtool.unlink()  # as it was kept before there was a use for it
    assert machine.fetch("--kept").stdout == f"{machine.kept}\n"
    assert machine.fetch("--promtool", "--kept").returncode == 1
    assert machine.fetch("--promtool").stdout == f"{promtool}\n"


def test_promtool_is_looked_for_beside_the_prometheus_that_was_named(machine: Machine) -> None:
    beside = machine.program("promtool", "exit 0")
    machine.environment["ROLLWAY_PROMETHEUS"] = machine.environment["PACKED"]
    assert machine.fetch("--promtool").stdout == f"{beside}\n"
    beside.unlink()
    assert "there is no promtool beside" in machine.fetch("--promtool").stderr


def test_what_there_is_goes_first(machine: Machine) -> None:
    machine.debian()
    on_path = machine.program("prometheus", "exit 0")
    assert machine.fetch().stdout == f"{on_path}\n"
    machine.environment["ROLLWAY_PROMETHEUS"] = machine.environment["PACKED"]
    assert machine.fetch().stdout.strip() == machine.environment["PACKED"]
    machine.environment["ROLLWAY_PROMETHEUS"] = "nowhere"
    refused = machine.fetch()
    assert (refused.stdout, refused.returncode) == ("", 1)
    assert "ROLLWAY_PROMETHEUS is `nowhere`, which is no program" in refused.stderr
    assert machine.calls == []


@pytest.mark.parametrize(
    ("apt", "dpkg", "words"),
    [
        (None, None, "put one on PATH, or name it in ROLLWAY_PROMETHEUS"),
        ("exit 100", DPKG, "the package could not be had"),
        (APT, "exit 2", "the package is of no use here"),
        (APT, DPKG.replace("$PACKED", "$CALLS"), "the package is of no use here"),
    ],
)
def test_what_cannot_be_had_is_said_and_leaves_nothing_behind(
    machine: Machine, apt: str | None, dpkg: str | None, words: str
) -> None:
    if apt and dpkg:
        machine.program("apt-get", apt)
        machine.program("dpkg", dpkg)
    got = machine.fetch()
    assert (got.stdout, got.returncode) == ("", 1)
    assert got.stderr.splitlines()[-1].startswith(f"no Prometheus for the tests: {words}")
    assert list(machine.kept.parent.glob("*")) == []


def test_without_one_a_test_fails_in_ci_and_is_left_out_elsewhere(machine: Machine) -> None:
    machine.debian()
    with pytest.raises(pytest.skip.Exception, match="no Prometheus for the tests: run `make prometheus`"):
        binary(machine.environment)
    with pytest.raises(pytest.fail.Exception, match="no Prometheus for the tests"):
        binary({**machine.environment, "CI": "true"})
    assert machine.calls == []
