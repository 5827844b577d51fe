"""Arithmetic and logic on what may not be known: nothing that is unknown ever becomes true by calculating with it."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreter.analysis.readings import (
    Bounds,
    Cmp,
    Gap,
    Missing,
    Operator,
    Quantity,
    Truth,
    apply,
    both,
    combine,
    compare,
    either,
    negation,
)

INF = float("inf")
SILENT, BROKEN = Missing(Gap.HOLD, "silent"), Missing(Gap.ERROR, "broken")


def test_thresholds_hold_at_equality_and_only_there() -> None:
    assert compare(">=", 0.99, 0.99) is True
    assert compare(">", 0.99, 0.99) is False
    assert compare("<=", 0.5, 0.5) is True
    assert compare("<", 0.5, 0.5) is False
    assert compare("==", 0.5, 0.5) is True
    assert compare("!=", 0.5, 0.5) is False
    assert compare(">=", 0.989999, 0.99) is False


@pytest.mark.parametrize(
    ("left", "right"), [(0.1 + 0.2, 0.3), (1 - 0.9, 0.1), (99.9 * 0.01, 0.999), (0.1 + 0.2 - 0.3, 0.0)]
)
def test_binary_arithmetic_decides_no_check(left: float, right: float) -> None:
    assert left != right
    for a, b in ((left, right), (right, left)):
        assert compare("<=", a, b) is True
        assert compare(">=", a, b) is True
        assert compare("==", a, b) is True
        assert compare("<", a, b) is False
        assert compare("!=", a, b) is False


@pytest.mark.parametrize(
    ("operator", "left", "right", "reason"),
    [
        ("/", 1.0, 0.0, "division by zero"),
        ("*", 1e308, 1e308, "infinite"),
        ("-", 1e308, -1e308, "infinite"),
        ("/", 1.0, Bounds(-1.0, INF, "far"), "division by what may be zero"),
    ],
)
def test_arithmetic_without_an_answer_is_no_data_that_fails(
    operator: Operator, left: Quantity, right: Quantity, reason: str
) -> None:
    assert combine(operator, left, right) == Missing(Gap.FAIL, reason)


FAR = Bounds(10.0, INF, "`x` is at least 10s")


@pytest.mark.parametrize(
    ("cmp", "left", "right", "expected"),
    [
        ("<=", FAR, 5.0, False),
        ("<=", FAR, 10.0, None),
        ("<=", FAR, 20.0, None),
        ("<", FAR, 10.0, False),
        (">=", FAR, 10.0, True),
        (">", FAR, 9.0, True),
        (">", FAR, 10.0, None),
        ("<=", 5.0, FAR, True),
        ("<=", 15.0, FAR, None),
        ("==", FAR, 3.0, False),
        ("!=", FAR, 3.0, True),
        ("==", FAR, 12.0, None),
        ("<=", FAR, FAR, None),
    ],
)
def test_what_is_only_bounded(cmp: Cmp, left: Quantity, right: Quantity, expected: bool | None) -> None:
    truth = compare(cmp, left, right)
    if expected is None:
        assert isinstance(truth, Missing)
        assert truth.gap is Gap.UNSURE
        assert "`x` is at least 10s" in truth.reason
    else:
        assert truth is expected


def test_zero_times_what_has_no_end_is_zero() -> None:
    assert combine("*", 0.0, FAR) == Bounds(0.0, 0.0, FAR.why)
    assert combine("*", apply("neg", (FAR,)), 0.0) == Bounds(0.0, 0.0, FAR.why)


finite = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)


@given(st.sampled_from(["+", "-", "*", "/"]), finite, finite, finite, finite, st.floats(0, 1), st.floats(0, 1))
def test_what_is_said_of_a_range_holds_for_all_in_it(
    operator: Operator, a: float, b: float, c: float, d: float, place: float, other_place: float
) -> None:
    left, right = Bounds(min(a, b), max(a, b), ""), Bounds(min(c, d), max(c, d), "")
    x = left.low + (left.high - left.low) * place
    y = right.low + (right.high - right.low) * other_place
    whole = combine(operator, left, right)
    one = combine(operator, x, y)
    if isinstance(whole, Bounds) and isinstance(one, float):
        slack = 1e-6 * (1 + abs(one))
        assert whole.low - slack <= one <= whole.high + slack
    else:
        assert isinstance(whole, Missing)


def test_functions() -> None:
    assert apply("min", (3.0, 1.0, 2.0)) == 1.0
    assert apply("max", (3.0, FAR)) == FAR
    assert apply("min", (3.0, FAR)) == 3.0
    assert apply("abs", (-2.0,)) == 2.0
    assert apply("abs", (Bounds(-3.0, 2.0, "?"),)) == Bounds(0.0, 3.0, "?")
    assert apply("neg", (FAR,)) == Bounds(-INF, -10.0, FAR.why)
    assert apply("max", (3.0, SILENT, BROKEN)) == BROKEN


KLEENE: tuple[Truth, ...] = (True, False, SILENT)


@pytest.mark.parametrize(("left", "right"), list(product(KLEENE, KLEENE)))
def test_kleene(left: Truth, right: Truth) -> None:
    """A result is known only if it is the same whatever the unknown turns out to be."""
    readings = [(x, y) for x in (True, False) for y in (True, False) if left in (x, SILENT) and right in (y, SILENT)]
    for join, plain in ((both, all), (either, any)):
        outcomes = {plain(pair) for pair in readings}
        assert join(left, right) == (outcomes.pop() if len(outcomes) == 1 else SILENT)


def test_not() -> None:
    assert negation(True) is False
    assert negation(False) is True
    assert negation(SILENT) == SILENT


def test_of_several_gaps_and_takes_the_gravest_and_or_the_least() -> None:
    assert both(SILENT, BROKEN, True) == BROKEN
    assert either(SILENT, BROKEN, False) == SILENT
    assert combine("+", BROKEN, SILENT) == BROKEN
    assert compare("<", SILENT, 1.0) == SILENT
