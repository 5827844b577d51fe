"""The figures of `no_slower`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tests.simulation import peers
from tests.simulation.kernels import (
    delays,
    rate_evidence,
    slowness_evidence,
)
from tests.simulation.rows import ALPHA, LIMIT, Delay, Plan, Row, delay_of, delay_row, held, percent
from tests.simulation.traffic import (
    BOUNDS,
    RAMP,
    Counts,
    Numbers,
    Slowness,
    Windows,
    below,
    slower,
    totals,
)

SLOWNESSES = (
    # all-bucket, one bucket, bands, fixed line of the 99th percentile
    ("as quick", Slowness(), ("0%", "0.1%", "0%", "")),
    ("×1.10", Slowness(1.1), ("100% · 1,860", "99.7% · 1,860", "100% · 2,820", "1.2%")),
    ("×1.25", Slowness(1.25), ("100% · 300", "100% · 240", "100% · 420", "38.8% · 2,820")),
    ("×1.5", Slowness(1.5), ("100% · 90", "100% · 60", "100% · 150", "720")),
    ("5% of requests +500 ms", Slowness(1.0, 0.05, 0.5), ("100% · 120", "100% · 240", "86.9% · 8,100", "180")),
    ("1% of requests +500 ms", Slowness(1.0, 0.01, 0.5), ("100% · 660", "63.5% · 4,620", "0%", "540")),
)


def latency(plan: Plan) -> Iterator[Row]:
    """Lognormal latencies around 100 ms at 10 requests a second, in Prometheus' buckets: `no_slower`, and beside it one
    bucket (that of the 95th percentile), the bands of Netflix, and Flagger's line for the 99th percentile."""
    n, m = totals(plan.rollouts, 10, RAMP)
    for name, slowness, published in SLOWNESSES:
        chance = plan.chance(f"latency {name}")
        canary = slower(chance, n, below(slowness))
        primary = slower(chance, m, below(Slowness()))
        ours = slowness_evidence(canary, primary, n, m)
        found = [delay_of(delays(reached, n)) for reached in _latency_tests(ours, canary, primary, n, m)]
        yield _latency_row(plan, name, found[0], published[0])
        for peer, one, before in zip(
            ("one bucket", "bands", "99th percentile ≤ 500 ms, 5 failures"), found[1:], published[1:], strict=True
        ):
            yield Row("7 latency", f"{name}: {peer}", str(one), before)
        if slowness == Slowness():
            once = peers.quantile_line(canary, n, failures=1).any(axis=1).mean()
            yield Row("7 latency", f"{name}: 99th percentile ≤ 500 ms, 1 failure", percent(float(once)), "49.8%")


def _latency_tests(
    ours: Numbers, canary: Counts, primary: Counts, n: Counts, m: Counts
) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    yield ours >= LIMIT
    bucket = BOUNDS.index(0.25)
    yield rate_evidence(Windows(canary[..., bucket], primary[..., bucket], n, m)) >= LIMIT
    yield peers.bands((canary, primary), (n, m), ALPHA)
    yield peers.quantile_line(canary, n)


def _latency_row(plan: Plan, name: str, found: Delay, published: str) -> Row:
    if name == "as quick":
        return held("7 latency", f"{name}: no_slower", found.share, plan.at_most(ALPHA), published)
    bounds = (2100.0, math.inf, 0.99) if name == "×1.10" else None
    return delay_row("7 latency", f"{name}: no_slower", found, published, bounds)
