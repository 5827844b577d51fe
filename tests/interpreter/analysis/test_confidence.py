"""Bounds of a share that hold at all looks at once, against the published ones."""

from __future__ import annotations

import math
from random import Random

import pytest

from interpreter.analysis.confidence import interval, prior_mass
from interpreter.analysis.sequential import split_evidence


@pytest.mark.parametrize(
    ("bad", "total", "tuned", "low", "high"),
    [
        (700, 1000, 100, 0.651629, 0.745949),
        (15, 50, 50, 0.129556, 0.511896),
        (5, 50, 50, 0.013021, 0.269264),
        (1, 50, 50, 0.0, 0.13489),
        (100, 200, 1, 0.328923, 0.671076),
    ],
)
def test_published_bounds(bad: float, total: float, tuned: float, low: float, high: float) -> None:
    """Those of the authors' library, whose last digit is cut off where it is not rounded."""
    assert interval(bad, total, tuned=tuned) == pytest.approx((low, high), abs=2e-6)


def test_bounds_are_where_the_evidence_of_the_traffic_guard_reaches_its_limit() -> None:
    rnd = Random(1)
    for _ in range(300):
        total = 10 ** rnd.uniform(0, 7)
        bad = total * rnd.choice((rnd.random(), rnd.random() ** 8))
        low, high = interval(bad, total)
        assert 0 <= low < bad / total < high <= 1
        for bound in (bound for bound in (low, high) if 1e-9 < bound < 1 - 1e-9):
            found = split_evidence(bound, bad, total - bad, prior_mass(1000))
            assert found == pytest.approx(math.log(20), abs=2e-3 + 1e-9 * total)


def test_the_ends_of_the_range() -> None:
    assert interval(0, 0) == (0, 1)
    assert interval(0, 50)[0] == 0
    assert interval(50, 50)[1] == 1
    assert interval(51, 50) == interval(50, 50)
    assert interval(50, 50)[0] == pytest.approx(1 - interval(0, 50)[1])


def test_more_events_say_more() -> None:
    widths = [high - low for low, high in (interval(total / 50, total) for total in (50, 500, 5000, 50_000))]
    assert widths == sorted(widths, reverse=True)


def test_the_share_is_within_the_bounds_at_all_looks_at_once() -> None:
    """A 95% interval of the usual kind misses 3% at some of these looks in two of five runs."""
    rnd, missed, runs = Random(2), 0, 150
    for _ in range(runs):
        bad, outside = 0, False
        for total in range(20, 2001, 20):
            bad += sum(rnd.random() < 0.03 for _ in range(20))
            low, high = interval(bad, total)
            outside = outside or not low <= 0.03 <= high
        missed += outside
    assert missed / runs <= 0.05
