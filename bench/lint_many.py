"""A thousand policies, all different, linted by one process: its CPU time is what one core would need."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.child import least, rollway
from bench.figure import Figure, show
from bench.policies import write

COUNT = 1000
TIMES = 2


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), COUNT)
        command = rollway("lint", folder)
        lint = least(command, TIMES)
    yield Figure(f"lint {COUNT:,} policies, CPU", lint.cpu_ms / 1000, "s", limit=5)
    yield Figure(f"lint {COUNT:,} policies, peak memory", lint.peak_mb, "MB")


if __name__ == "__main__":
    sys.exit(0 if show(figures()) else 1)
