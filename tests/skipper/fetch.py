"""Prints the path of a Skipper for the tests: `$ROLLWAY_SKIPPER`, or the one kept from last time, or else built from
the Go modules beside this file. With --kept nothing is built."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.goprograms import Recipe, UnavailableError, built, cache, kept

SKIPPER = "github.com/zalando/skipper"


def recipe() -> Recipe:
    plain = Recipe(Path(__file__).parent, {"skipper": f"{SKIPPER}/cmd/skipper"})
    return plain._replace(flags=("-ldflags", f"-s -w -X main.version={plain.version_of(SKIPPER)}"))


def find(*, may_build: bool, environment: Mapping[str, str] = os.environ) -> Path:
    """The program. Raises UnavailableError."""
    if named := environment.get("ROLLWAY_SKIPPER"):
        if not (Path(named).is_file() and os.access(named, os.X_OK)):
            raise UnavailableError(f"ROLLWAY_SKIPPER is `{named}`, which is no program")
        return Path(named)
    room = cache(environment) / "skipper"
    if there := kept(recipe(), room):
        return there / "skipper"
    if not may_build:
        raise UnavailableError("run `make skipper`")
    return built(recipe(), room) / "skipper"


def main() -> int:
    try:
        print(find(may_build="--kept" not in sys.argv[1:]))
    except UnavailableError as error:
        print(f"no Skipper for the tests: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
