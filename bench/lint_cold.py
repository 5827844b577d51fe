"""`rollway lint` of one file, from nothing: CPU time of the process, with the start of Python and all imports."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench.child import least, rollway
from bench.figure import Figure, show

TIMES = 15


def figures() -> Iterator[Figure]:
    bare = least([sys.executable, "-c", "pass"], TIMES)
    yield Figure("python that does nothing, CPU", bare.cpu_ms, "ms")
    for name in ("canary", "everything"):
        lint = least(rollway("lint", f"examples/{name}.rollout"), TIMES)
        yield Figure(f"lint {name}.rollout, cold, CPU", lint.cpu_ms, "ms", limit=300)
        yield Figure(f"lint {name}.rollout, cold, in starts of python", lint.cpu_ms / bare.cpu_ms, "times")
        yield Figure(f"lint {name}.rollout, cold, peak memory", lint.peak_mb, "MB")


if __name__ == "__main__":
    sys.exit(0 if show(figures()) else 1)
