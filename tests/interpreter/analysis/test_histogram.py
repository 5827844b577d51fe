"""Quantiles of cumulative buckets, where they are known and where only a bound is."""

from __future__ import annotations

import pytest

from interpreter.analysis.histogram import Quantile, quantile, slower, total

INF = float("inf")
BUCKETS = ((0.1, 50.0), (0.5, 90.0), (1.0, 98.0), (INF, 100.0))


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (0.5, 0.1),
        (0.25, 0.05),
        (0.7, 0.3),
        (0.9, 0.5),
        (0.94, 0.75),
        (0.98, 1.0),
        (0.0, 0.0),
    ],
)
def test_interpolated_within_its_bucket(q: float, expected: float) -> None:
    found = quantile(BUCKETS, q)
    assert found is not None
    assert found.value == pytest.approx(expected)
    assert not found.at_least


@pytest.mark.parametrize("q", [0.981, 0.99, 1.0])
def test_beyond_the_last_finite_bound_only_that_is_known(q: float) -> None:
    assert quantile(BUCKETS, q) == Quantile(1.0, True)


def test_nothing_observed_has_no_quantile() -> None:
    assert quantile(((0.1, 0.0), (INF, 0.0)), 0.99) is None
    assert quantile((), 0.99) is None


def test_counts_that_extrapolation_made_fall() -> None:
    wobbly = ((0.1, 60.0), (0.5, 50.0), (1.0, 100.0), (INF, 100.0))
    for q, expected in ((0.55, 0.1 * 55 / 60), (0.75, 0.5 + 0.5 * 15 / 40)):
        found = quantile(wobbly, q)
        assert found is not None
        assert found.value == pytest.approx(expected)


def test_a_first_bound_below_zero_is_not_interpolated_from_zero() -> None:
    assert quantile(((-1.0, 60.0), (1.0, 100.0), (INF, 100.0)), 0.5) == Quantile(-1.0, False)


def test_slow_requests_at_each_finite_bound() -> None:
    assert slower(BUCKETS) == {0.1: 50, 0.5: 10, 1.0: 2}
    assert slower(((0.1, 10.5), (INF, 10.0))) == {0.1: 0}
    assert total(BUCKETS) == 100
    assert total(()) == 0
