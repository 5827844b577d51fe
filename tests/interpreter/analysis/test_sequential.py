"""The kernels of the sequential tests, against published values and values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from interpreter.analysis.sequential import (
    RateGrid,
    log_mean,
    narrow_grid,
    objective_evidence,
    rate_gains,
    rate_grid,
    sign_evidence,
    split_evidence,
)

Window = tuple[float, float, float, float]


def evidence(windows: Sequence[Window], grid: RateGrid | None = None) -> float:
    """The log evidence of windows of (canary bad, other bad, canary total, other total)."""
    grid = grid or rate_grid()
    logs = [0.0] * len(grid.ratios)
    for window in windows:
        logs = [log + gain for log, gain in zip(logs, rate_gains(grid, *window), strict=True)]
    return log_mean(grid.log_weights, logs)


RAMP: list[Window] = [(6, 57, 300, 5700), (12, 54, 600, 5400), (24, 48, 1200, 4800)]


def test_the_grid_of_ratios() -> None:
    grid = rate_grid()
    assert len(grid.ratios) == 48
    assert grid.ratios[:3] == pytest.approx((1.05, 1.1568889, 1.27465898), abs=1e-7)
    assert grid.ratios[-1] == pytest.approx(100)
    weights = [math.exp(log) for log in grid.log_weights]
    assert weights[:3] == pytest.approx([0.07727818, 0.07655295, 0.07512515], abs=1e-8)
    assert sum(weights) == pytest.approx(1)


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([(0, 0, 300, 5700)], 0.0),
        ([(3, 57, 300, 5700)], -0.760692),
        ([(6, 57, 300, 5700)], 0.576992),
        ([(12, 57, 300, 5700)], 5.665183),
        ([(6, 57, 300, 5700)] * 3, 2.308862),
        (RAMP, 5.351744),
        ([(5, 0, 300, 5700)], 7.524082),
        ([(1, 0, 300, 5700)], 0.865656),
    ],
)
def test_evidence_that_the_rate_is_higher(windows: list[Window], expected: float) -> None:
    assert evidence(windows) == pytest.approx(expected, abs=1e-6)


def test_the_narrow_grid_says_nearly_the_same() -> None:
    for windows in (RAMP, [(12.0, 57.0, 300.0, 5700.0)], [(6.0, 57.0, 300.0, 5700.0)] * 3):
        assert evidence(windows, narrow_grid()) == pytest.approx(evidence(windows), abs=0.06)


def test_a_tolerated_ratio_takes_more_to_be_exceeded() -> None:
    doubled: list[Window] = [(12, 6, 600, 600)] * 20
    evidences = [evidence(doubled, rate_grid(null)) for null in (1.0, 1.25, 1.5, 2.0)]
    assert evidences == sorted(evidences, reverse=True)
    assert evidences[0] > math.log(100) > evidences[-1]


def expected_under_the_null(grid: RateGrid, bad: int, share: float) -> float:
    """The expectation of the evidence when the ratio of the rates is just what is tolerated."""
    hit = grid.null * share / (1 + (grid.null - 1) * share)
    log_chance = [
        math.log(math.comb(bad, hits)) + hits * math.log(hit) + (bad - hits) * math.log1p(-hit)
        for hits in range(bad + 1)
    ]
    logs = [evidence([(hits, bad - hits, 1000 * share, 1000 * (1 - share))], grid) for hits in range(bad + 1)]
    return math.fsum(math.exp(chance + log) for chance, log in zip(log_chance, logs, strict=True))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("grid", [rate_grid(), narrow_grid(), rate_grid(1.5), rate_grid(3.0)])
def test_evidence_is_expected_not_to_grow_in_healthy_rollouts(share: float, grid: RateGrid) -> None:
    assert expected_under_the_null(grid, 40, share) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("share", "k", "canary", "other", "expected"),
    [
        (0.5, 100, 60, 40, 0.658892),
        (0.5, 100, 70, 30, 3.699760),
        (0.5, 100, 120, 80, 2.132641),
        (0.5, 100, 6, 30, 1.990271),
        (0.5, 100, 50, 50, -0.347824),
        (0.1, 100, 20, 100, 0.934215),
    ],
)
def test_the_closed_form_of_a_wrong_split(share: float, k: float, canary: float, other: float, expected: float) -> None:
    assert split_evidence(share, canary, other, k) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("mass", "actual", "published", "exact"),
    [
        (100, 0.0, 161, 160),
        (100, 0.05, 567, 556),
        (100, 0.09, 16921, 16558),
        (1000, 0.0, 405, 399),
        (1000, 0.05, 983, 964),
        (1000, 0.09, 15437, 15390),
        (10_000, 0.0, 1181, 1160),
        (10_000, 0.05, 2539, 2464),
        (10_000, 0.09, 20331, 19730),
    ],
)
def test_requests_that_it_takes_to_see_a_wrong_split(mass: float, actual: float, published: int, exact: int) -> None:
    """The published counts stand on a grid of counts in steps of 3.1%: they are the first of it at or above ours."""

    def seen(requests: int) -> bool:
        return split_evidence(0.1, actual * requests, (1 - actual) * requests, mass) >= math.log(1000)

    assert seen(exact)
    assert not seen(exact - 1)
    assert exact <= published < exact * 1.0315


@pytest.mark.parametrize(
    ("allowed", "published", "exact"), [(0.05, 100, 97), (0.01, 490, 490), (0.005, 985, 982), (0.001, 4915, 4914)]
)
def test_requests_without_an_error_that_certify(allowed: float, published: int, exact: int) -> None:
    """The published counts are those of looks every five requests."""

    def certified(requests: int) -> bool:
        return objective_evidence(allowed, 0, requests, mirrored=True) >= math.log(20)

    assert certified(exact)
    assert not certified(exact - 1)
    assert math.ceil(exact / 5) * 5 == published


def test_an_objective_without_slack_is_broken_by_one_error() -> None:
    assert objective_evidence(0.0, 1, 1000) == math.inf
    assert objective_evidence(0.0, 0, 1000) == 0
    assert objective_evidence(0.0, 0, 1000, mirrored=True) == 0
    assert objective_evidence(1.0, 1000, 1000) == 0


def test_evidence_about_an_objective_goes_both_ways() -> None:
    assert objective_evidence(0.01, 40, 1500) > math.log(100)
    assert objective_evidence(0.01, 15, 1500) < 0
    assert objective_evidence(0.01, 1, 1500, mirrored=True) > math.log(20)
    assert objective_evidence(0.01, 15, 1500, mirrored=True) < 0


@pytest.mark.parametrize(("alpha", "run"), [(0.05, 7), (0.01, 9), (0.001, 13)])
def test_a_run_of_worse_looks(alpha: float, run: int) -> None:
    assert sign_evidence(run, run) >= -math.log(alpha)
    assert sign_evidence(run - 1, run - 1) < -math.log(alpha)


def test_signs_that_go_both_ways_are_no_evidence() -> None:
    assert sign_evidence(50, 100) < 0
    assert sign_evidence(0, 0) == pytest.approx(0)


def test_log_mean_does_not_overflow() -> None:
    assert log_mean([math.log(0.5)] * 2, [1e4, -1e4]) == pytest.approx(1e4 - math.log(2))
    assert log_mean([0.0], [-math.inf]) == -math.inf
