"""The kernels over many rollouts are the product's, look by look; and so is the whole judge."""

from __future__ import annotations

import math

import numpy as np
import pytest

from interpreter.analysis import histogram, sequential
from interpreter.analysis.dispersion import Spread, divisor
from interpreter.analysis.sequential import log_mean, rate_gains, rate_grid
from interpreter.questions import Events
from tests.simulation import peers, whole
from tests.simulation.kernels import (
    delays,
    learnt,
    objective_evidence,
    rate_evidence,
    slowness_evidence,
)
from tests.simulation.traffic import (
    BOUNDS,
    RAMP,
    Slowness,
    Windows,
    below,
    errors,
    random_schedules,
    slower,
    totals,
    windows,
)

EXACT = 1e-9
MANY = 5


def rollouts(rate: float, *, rps: float = 2, correlation: float = 0.02) -> Windows:
    chance = np.random.default_rng(1)
    weights = random_schedules(chance, MANY)
    return windows(chance, MANY, primary=rate, canary=1.5 * rate, rps=rps, weights=weights, correlation=correlation)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.3])
@pytest.mark.parametrize("null", [1.0, 1.5])
def test_the_evidence_of_counts_is_the_products(rate: float, null: float) -> None:
    seen, grid = rollouts(rate), rate_grid(null)
    found = rate_evidence(seen, null=null)
    for row in range(MANY):
        logs = [0.0] * len(grid.ratios)
        for at, (x, y, n, m) in enumerate(zip(*(item[row].tolist() for item in seen), strict=True)):
            if n:
                logs = [log + gain for log, gain in zip(logs, rate_gains(grid, x, y, n, m), strict=True)]
            assert found[row, at] == pytest.approx(log_mean(grid.log_weights, logs), abs=EXACT)


@pytest.mark.parametrize("history", [False, True])
def test_what_is_learnt_of_bursts_is_the_products(history: bool) -> None:
    seen = rollouts(0.05)
    chance = np.random.default_rng(2)
    requests = chance.integers(0, 200, (MANY, 12))
    past = errors(chance, requests, 0.05, 0.05)
    found = learnt(seen, (past, requests) if history else None)
    for row in range(MANY):
        spread = Spread()
        for bad, total in zip(past[row].tolist(), requests[row].tolist(), strict=True):
            spread = spread.plus(Events(bad, total)) if history else spread
        for at, (_, y, n, m) in enumerate(zip(*(item[row].tolist() for item in seen), strict=True)):
            expected = divisor(spread.correlation, n, m) if n else 1
            assert found[row, at] == pytest.approx(expected, abs=EXACT)
            spread = spread.plus(Events(y, m))
    assert found.max() > 1.5


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_evidence_on_an_objective_is_the_products(mirrored: bool) -> None:
    seen = rollouts(0.01)
    found = objective_evidence(0.01, seen.canary_bad, seen.canary_total, mirrored=mirrored)
    for row in range(MANY):
        bad = total = 0
        for at in range(len(RAMP)):
            bad, total = bad + int(seen.canary_bad[row, at]), total + int(seen.canary_total[row, at])
            expected = sequential.objective_evidence(0.01, bad, total, mirrored=mirrored)
            assert found[row, at] == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize(
    ("check", "history"),
    [("no_regression(requests)", False), ("no_regression(requests, dispersion: auto)", True)],
)
def test_the_whole_judge_comes_to_the_same_of_counts(check: str, history: bool) -> None:
    seen = rollouts(0.03)
    chance = np.random.default_rng(3)
    requests = np.full((MANY, 30), 120)
    past = errors(chance, requests, 0.03, 0.02)
    expected = rate_evidence(seen, divided=learnt(seen, (past, requests) if history else None))
    for row in range(MANY):
        rollout = whole.of_counts(seen, row, whole.Past(past[row], requests[row]))
        found = [whole.log_evidence(judgement) for judgement in whole.looks(whole.policy(check), rollout)]
        assert found == pytest.approx(expected[row].tolist(), abs=EXACT)


def test_the_whole_judge_comes_to_the_same_of_latencies() -> None:
    chance = np.random.default_rng(4)
    n, m = totals(MANY, 1, RAMP)
    late = (slower(chance, n, below(Slowness(1.3, 0.01, 2.0))), slower(chance, m, below(Slowness())))
    expected = slowness_evidence(*late, n, m)
    for row in range(MANY):
        rollout = whole.of_latencies(late, (n, m), row)
        found = [whole.log_evidence(one) for one in whole.looks(whole.policy("no_slower(duration)"), rollout)]
        assert found == pytest.approx(expected[row].tolist(), abs=EXACT)
    assert expected.max() > 1


def test_the_peers_quantile_is_that_of_a_prometheus() -> None:
    chance = np.random.default_rng(5)
    n, _ = totals(3, 10, RAMP)
    late = slower(chance, n, below(Slowness(2.0, 0.03, 20.0)))
    found = peers.quantiles(late, n, 0.99)
    for row, look in np.ndindex(*n.shape):
        total = float(n[row, look])
        buckets = [(bound, total - float(over)) for bound, over in zip(BOUNDS, late[row, look], strict=True)]
        expected = histogram.quantile([*buckets, (math.inf, total)], 0.99)
        assert expected is not None
        assert found[row, look] == pytest.approx(expected.value)


def test_a_delay_is_counted_to_the_first_look_that_stops() -> None:
    reached = np.array([[False, True, False], [False, False, False]])
    assert delays(reached, np.array([[5, 10, 20], [5, 10, 20]])).tolist() == [15, math.inf]
