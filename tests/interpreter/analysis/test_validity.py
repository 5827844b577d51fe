"""What the sequential tests promise, in simulated rollouts with fixed seeds: they abort healthy ones rarely enough, see
bad ones soon enough, and the same harness catches a test that is known to be wrong.

Ramps of an hour with a check a minute: 5, 10, 20, 30, 40 and 50% for ten minutes each. The full tables (10,000 rollouts
a cell) are those of the design; these are the same figures on fewer rollouts, with room for their chance errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from random import Random
from statistics import NormalDist

from interpreter.analysis.sequential import (
    log_mean,
    objective_evidence,
    rate_gains,
    rate_grid,
    split_evidence,
)
from interpreter.state import Answer, Histogram, Routing, Verdict
from tests.interpreter.analysis.checks import INF, NO_SLOWER, look, program, require

RAMP = [weight for weight in (5, 10, 20, 30, 40, 50) for _ in range(10)]
LIMIT = math.log(100)

Tick = tuple[int, int, int, int]
"""Bad events of canary and primary, and the requests of each."""


def binomial(rnd: Random, trials: int, chance: float) -> int:
    """Successes of so many trials, by the gaps between them."""
    if chance <= 0:
        return 0
    hits, at, scale = 0, 0, math.log1p(-chance)
    while True:
        at += int(math.log(1 - rnd.random()) / scale) + 1
        if at > trials:
            return hits
        hits += 1


def rollout(rnd: Random, primary: float, canary: float, rps: float, drift: float = 0.0) -> Iterator[Tick]:
    """The counts of one ramp; `drift` lets the error rate of both arms rise from e^-drift to e^drift of it."""
    for minute, weight in enumerate(RAMP):
        swing = math.exp(drift * (2 * minute / (len(RAMP) - 1) - 1))
        everything = int(rps * 60)
        n = everything * weight // 100
        bad = binomial(rnd, n, min(0.99, canary * swing))
        yield bad, binomial(rnd, everything - n, min(0.99, primary * swing)), n, everything - n


def sequential_test(ticks: Iterator[Tick]) -> int | None:
    """After how many requests of the canary the rollout is aborted, if it is."""
    grid, seen = rate_grid(), 0
    logs = [0.0] * len(grid.ratios)
    for x, y, n, m in ticks:
        seen += n
        if x + y:
            logs = [log + gain for log, gain in zip(logs, rate_gains(grid, x, y, n, m), strict=True)]
            if log_mean(grid.log_weights, logs) >= LIMIT:
                return seen
    return None


def pooled_z_test(ticks: Iterator[Tick]) -> int | None:
    """What is often done: at each check, one test of all counts so far, at a nominal 1%."""
    x = y = n = m = 0
    for dx, dy, dn, dm in ticks:
        x, y, n, m = x + dx, y + dy, n + dn, m + dm
        pooled = (x + y) / (n + m)
        deviation = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        if deviation and (x / n - y / m) / deviation > 2.326:
            return n
    return None


def aborted(
    test: Callable[[Iterator[Tick]], int | None], runs: int, *, seed: int, error_rate: float, rps: float, drift: float
) -> float:
    """The share of healthy rollouts that are aborted."""
    rnd = Random(seed)
    return sum(test(rollout(rnd, error_rate, error_rate, rps, drift)) is not None for _ in range(runs)) / runs


def test_healthy_rollouts_are_rarely_aborted() -> None:
    flat = aborted(sequential_test, 250, seed=1, error_rate=0.01, rps=1, drift=0)
    drifting = aborted(sequential_test, 250, seed=2, error_rate=0.05, rps=1, drift=1)
    busy = aborted(sequential_test, 100, seed=3, error_rate=0.01, rps=10, drift=1)
    assert max(flat, drifting, busy) <= 0.0124


def test_the_harness_sees_a_test_that_aborts_too_often() -> None:
    assert aborted(pooled_z_test, 100, seed=4, error_rate=0.01, rps=10, drift=0) > 0.08
    assert aborted(pooled_z_test, 60, seed=5, error_rate=0.01, rps=10, drift=1) > 0.3


def delays(runs: int, *, seed: int, primary: float, canary: float, rps: float) -> list[float]:
    """The sorted delays, in requests of the canary; infinite where nothing was seen."""
    rnd = Random(seed)
    found = (sequential_test(rollout(rnd, primary, canary, rps)) for _ in range(runs))
    return sorted(math.inf if delay is None else delay for delay in found)


def test_one_more_error_in_a_hundred_is_seen_soon() -> None:
    found = delays(200, seed=6, primary=0.001, canary=0.011, rps=10)
    assert found[100] <= 600
    assert found[180] <= 1200


def test_a_regression_that_a_fixed_line_would_let_pass() -> None:
    found = delays(100, seed=7, primary=0.0, canary=0.005, rps=100)
    assert found[50] <= 1000
    assert found[99] < math.inf


def test_what_breaks_its_objective_is_rarely_certified() -> None:
    rnd = Random(8)
    runs, certified = 200, 0
    for _ in range(runs):
        bad = total = 0
        for _ in range(40):
            bad, total = bad + binomial(rnd, 250, 0.01), total + 250
            if objective_evidence(0.01, bad, total, mirrored=True) >= math.log(20):
                certified += 1
                break
    assert certified / runs <= 0.05 + 2.33 * math.sqrt(0.05 * 0.95 / runs)


def test_a_split_as_set_rarely_alarms() -> None:
    rnd = Random(9)
    alarms = 0
    for _ in range(100):
        canary = 0
        for window in range(1, 61):
            canary += binomial(rnd, 100, 0.1)
            if split_evidence(0.1, canary, window * 100 - canary) >= math.log(1000):
                alarms += 1
                break
    assert alarms == 0


# --- latency, through the whole judge ---------------------------------------------------------------------------------

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def latencies(rnd: Random, requests: int, factor: float) -> Histogram:
    """Lognormal around 100 ms times `factor`, in Prometheus' buckets."""
    buckets, left, below = [], requests, 0.0
    for bound in BOUNDS:
        share = NormalDist().cdf(math.log(bound / (0.1 * factor)) / 0.5)
        hits = binomial(rnd, left, (share - below) / (1 - below)) if share - below < 1 - below else left
        left, below = left - hits, share
        buckets.append((bound, float(requests - left)))
    return Histogram((*buckets, (INF, float(requests))))


def slow_rollout(seed: int, factor: float) -> int | None:
    """After how many requests of the canary, at ten requests a second, it is found to be slower."""
    rnd = Random(seed)
    policy, seen = program(require(NO_SLOWER)), 0
    evidence: Mapping[str, Mapping[str, float | list[float]]] = {}
    for minute, weight in enumerate(RAMP, 1):
        n = 600 * weight // 100
        seen += n
        given: Mapping[tuple[str, str] | str, Answer] = {
            ("duration", "canary"): latencies(rnd, n, factor),
            ("duration", "primary"): latencies(rnd, 600 - n, 1.0),
        }
        judgement = look(policy, given, minute * 60_000, evidence, routing=Routing(weight=weight))
        evidence = judgement.evidence
        if judgement.verdict is Verdict.FAIL:
            return seen
    return None


def test_a_tenth_slower_is_seen() -> None:
    found = sorted(slow_rollout(seed, 1.1) or math.inf for seed in range(24))
    assert found[12] <= 2100
    assert found[-1] < math.inf


def test_as_quick_is_left_in_peace() -> None:
    assert [slow_rollout(seed, 1.0) for seed in range(12)] == [None] * 12
