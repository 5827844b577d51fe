"""Prints the paths of the tools that the tester's tests run; those that are missing are fetched or built. With --kept
they are not. The exit status is 1 if one cannot be had."""

from __future__ import annotations

import sys

from tests.goprograms import UnavailableError
from tests.testers.recipes import ALL


def main() -> int:
    lacking = 0
    for tool in ALL:
        try:
            print(f"{tool.name}: {tool.find(may_make='--kept' not in sys.argv[1:])}", flush=True)
        except UnavailableError as error:
            print(f"no {tool.name} for the tests: {error}", file=sys.stderr)
            lacking = 1
    return lacking


if __name__ == "__main__":
    sys.exit(main())
