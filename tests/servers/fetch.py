"""Prints the paths of the servers that the tests run against; those that are missing are fetched or built. With
--kept they are not. The exit status is 1 if one cannot be had."""

from __future__ import annotations

import sys

from tests.goprograms import UnavailableError
from tests.servers.recipes import SERVERS


def main() -> int:
    lacking = 0
    for server in SERVERS:
        try:
            print(f"{server.name}: {server.find(may_make='--kept' not in sys.argv[1:])}", flush=True)
        except UnavailableError as error:
            print(f"no {server.name} for the tests: {error}", file=sys.stderr)
            lacking = 1
    return lacking


if __name__ == "__main__":
    sys.exit(main())
