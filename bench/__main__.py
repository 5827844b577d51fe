"""All benchmarks in turn, one table. Ends with 1 if a promise was not kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from bench import dashboard, fleet, keystroke, lint_cold, lint_many, machine, statistical
from bench.child import ROOT
from bench.figure import Figure, show


def proxy() -> Iterator[Figure]:
    """The proxy is measured by a program of its own, which starts an application, the proxy and a load."""
    done = subprocess.run([sys.executable, "bench/proxy.py"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    result = json.loads(done.stdout)
    yield Figure("local proxy adds to a request, median", result["added_median_ms"], "ms", limit=1)
    yield Figure("local proxy adds to a request, p99", result["added_p99_ms"], "ms")
    yield Figure("local proxy, CPU of a request", result["proxy_cpu_ms_per_request"], "ms")


def every() -> Iterator[Figure]:
    for module in (lint_cold, lint_many, keystroke, machine, statistical, fleet, dashboard):
        yield from module.figures()
    yield from proxy()


if __name__ == "__main__":
    sys.exit(0 if show(every()) else 1)
