"""The tools that the tester runs, for its tests: load generators, and Helm. The versions of those that are built from
Go modules are those of the tester's image, `deploy/tester/tools`; kubectl comes with the control plane.

Helm and k6 are the slow ones, two to three minutes each on two cores, once; the rest is there in a minute.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.goprograms import Recipe, UnavailableError
from tests.servers.recipes import Debian, Go, Packages, Server

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "tester"
TOOLS = DEPLOY / "tools"


def _go(name: str, package: str) -> Server:
    recipe = Recipe(TOOLS / name, {name: package}, flags=("-ldflags", "-s -w"))
    return Server(name, f"tester-{name}", f"ROLLWAY_{name.upper()}", Go(recipe))


HEY = _go("hey", "github.com/rakyll/hey")
GHZ = _go("ghz", "github.com/bojand/ghz/cmd/ghz")
K6 = _go("k6", "go.k6.io/k6")
HELM = _go("helm", "helm.sh/helm/v3/cmd/helm")
WRK = Server("wrk", "tester-wrk", "ROLLWAY_WRK", Debian("wrk", "usr/bin/wrk", ("libluajit-5.1-2",), asked="--version"))
LOCUST = Server("locust", "tester-locust", "ROLLWAY_LOCUST_PYTHON", Packages(DEPLOY / "locust.txt"))
ALL = (HEY, GHZ, K6, HELM, WRK, LOCUST)


def programs_in(folder: Path, tools: Iterable[Server], environment: Mapping[str, str] = os.environ) -> Path:
    """A folder for PATH with these tools, by their names. Where one is missing the test fails in CI, and is left out
    elsewhere."""
    folder.mkdir(exist_ok=True)
    for tool in tools:
        try:
            found = tool.find(may_make=False, environment=environment)
        except UnavailableError:
            missing = pytest.fail if environment.get("CI") else pytest.skip
            missing(f"no {tool.name} for the tests: run `make testers`")
        program = found.with_name("locust") if tool is LOCUST else found
        (folder / tool.name).symlink_to(program)
    return folder
