"""Mann-Whitney intervals: the published small case to the digit, the root finder, and properties of the rest."""

from __future__ import annotations

import math
import random

import pytest

from interpreter.analysis.mann_whitney import TOLERANCE, AllTied, shift, statistic, zero


def test_the_small_published_case() -> None:
    assert shift([10, 20, 30, 40], [1, 2, 3, 4], 0.95) == (6, 39, 22.5)


def test_the_other_way_round() -> None:
    assert shift([1, 2, 3, 4], [10, 20, 30, 40], 0.95) == (-39, -6, -22.5)


def test_the_statistic_with_ties_and_continuity_correction() -> None:
    """By hand: of 3 x 3 pairs 6 are won and 2 tied, hence d = 7 - 4.5; ties of 3 and 2 make the variance smaller."""
    x, y = [2.0, 3.0, 4.0], [1.0, 2.0, 2.0]
    deviation = math.sqrt(9 / 12 * (7 - (27 - 3) / (6 * 5)))
    assert statistic(x, y, 0, 0) == pytest.approx((8 - 4.5 - 0.5) / deviation)


def test_intervals_hold_the_shift_as_often_as_they_say() -> None:
    rnd = random.Random(7)
    held = 0
    for _ in range(200):
        x = [rnd.gauss(1, 1) for _ in range(20)]
        y = [rnd.gauss(0, 1) for _ in range(20)]
        low, high, estimate = shift(x, y, 0.9)
        assert low < estimate < high
        held += low <= 1 <= high
    assert 168 <= held <= 192


def test_more_confidence_widens_the_interval() -> None:
    rnd = random.Random(3)
    x, y = ([rnd.gauss(0, 1) for _ in range(30)] for _ in range(2))
    narrow, wide = shift(x, y, 0.8), shift(x, y, 0.98)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_tied_data_pin_the_root_finder() -> None:
    """W jumps, so that another root finder ends elsewhere within the tolerance. These values are of a build that gave
    all of Kayenta's published intervals to 1e-9."""
    x = [round(index * 37 % 101 / 7, 1) for index in range(60)]
    y = [round(index * 53 % 89 / 8, 1) for index in range(60)]
    assert shift(x, y, 0.98) == pytest.approx((-0.2999685439137083, 3.2999531976084286, 1.5000329001214687), abs=1e-9)


def test_nothing_can_be_said_of_equal_values() -> None:
    with pytest.raises(AllTied):
        shift([3, 3, 3], [3, 3], 0.95)


@pytest.mark.parametrize(
    ("function", "low", "high", "root"),
    [
        (lambda x: 2 - x * x, 0.0, 5.0, math.sqrt(2)),
        (lambda x: math.cos(x) - x, 0.0, 1.0, 0.7390851332),
        (lambda x: -1.0 if x > 1.23456 else 1.0, 0.0, 10.0, 1.23456),
        (lambda x: 1 - x, 0.0, 3.0, 1.0),
    ],
)
def test_the_root_finder(function: object, low: float, high: float, root: float) -> None:
    assert callable(function)
    found = zero(function, low, high, function(low), function(high))
    assert found == pytest.approx(root, abs=TOLERANCE)
