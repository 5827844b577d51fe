"""A wheel, installed into an empty environment and run from another folder, finds all that belongs to it.

The environment gets the wheel and nothing else. What rollway depends on is not installed again (that would need a
network): the new environment may see the site-packages of this one, behind its own, and every module of ours is
asserted to come out of the wheel.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("grammar", "dsl", "interpreter", "stdlib", "crds", "rollway")

POLICY = """\
import "std/http"
import "std/strategies"

rollout web in shop {
  target   deployment/web
  service  { port 80 }
  traffic  istio
  analysis { every 1m; tolerate 2 failures; require success_rate >= 99% }
  strategy canary
}

test "a good one is promoted" for web {
  given success_rate = 100%
  expect promoted within 1h
}
"""


class Installed:
    """The environment with the wheel in it, and a folder to work in that is not ours."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python = python
        self.folder = folder

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        return subprocess.run(
            list(map(str, command)), cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def rollway(self, *arguments: str) -> str:
        done = self.run(self.python.parent / "rollway", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    base = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(base)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = base.glob("rollway-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(base / "env")], check=True, capture_output=True)
    python = base / "env" / "bin" / "python"
    install = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run([str(python), *install], check=True, capture_output=True)
    (site,) = (base / "env" / "lib").glob("python3*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (base / "work").mkdir()
    (base / "work" / "web.rollout").write_text(POLICY)
    return Installed(python, base / "work")


def test_everything_comes_out_of_the_wheel(installed: Installed) -> None:
    script = f"import {', '.join(OURS)}; print(*[m.__file__ for m in ({', '.join(OURS)})], sep='\\n')"
    done = installed.run(installed.python, "-c", script)
    assert done.returncode == 0, done.stderr
    environment = installed.python.parent.parent
    assert [environment in Path(line).parents for line in done.stdout.splitlines()] == [True] * len(OURS)


def test_what_is_not_code_is_in_it(installed: Installed) -> None:
    (site,) = (installed.python.parent.parent / "lib").glob("python3*/site-packages")
    for path in (
        "grammar/rollout.lark",
        "stdlib/std/http.rollout",
        "dsl/pages/RW203.md",
        "crds/program.schema.json",
        "crds/rollouts.yaml",
        "rollway/dashboard/templates/frame.html",
        "rollway/dashboard/static/page.css",
    ):
        assert (site / path).is_file(), path


def test_it_lints_with_the_standard_library(installed: Installed) -> None:
    installed.rollway("lint", "web.rollout")


def test_it_compiles_to_what_its_schema_allows(installed: Installed) -> None:
    import jsonschema

    program = json.loads(installed.rollway("compile", "web.rollout"))
    schema = json.loads(installed.rollway("schema"))
    programs = program if isinstance(program, list) else [program]
    assert [each["name"] for each in programs] == ["web"]
    for each in programs:
        jsonschema.validate(each, schema)


def test_it_runs_the_tests_of_a_policy(installed: Installed) -> None:
    assert "a good one is promoted" in installed.rollway("test", "web.rollout")


def test_it_prints_what_a_cluster_needs(installed: Installed) -> None:
    printed = installed.rollway("install", "--watch-namespace", "shop")
    for kind in ("CustomResourceDefinition", "ServiceAccount", "Role", "RoleBinding", "Deployment"):
        assert f"\nkind: {kind}\n" in printed, kind


def test_it_explains_a_code(installed: Installed) -> None:
    assert "RW203" in installed.rollway("explain", "RW203")
