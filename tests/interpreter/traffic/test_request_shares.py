"""Protects that a share of requests is the share that was asked for, and that two shares never claim one request."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interpreter.traffic.request_shares import NUMBERS, numbers_of, pattern, percent_of

REST = "7f3c9a12b0"
bounds = st.integers(0, NUMBERS)


def fits(expression: str, number: int) -> bool:
    return re.search(expression, f"{number:04x}{REST}") is not None


@given(bounds, bounds, bounds)
@example(0, NUMBERS, 0)
@example(0x1000, 0x2000, 0x1FFF)
@example(0x0FFF, 0x1001, 0x1001)
@example(NUMBERS - 1, NUMBERS, NUMBERS - 1)
def test_an_expression_holds_for_its_range_and_nothing_else(one: int, other: int, number: int) -> None:
    low, high = sorted((one, other))
    if low == high:
        return
    near = {low - 1, low, low + 1, high - 1, high, high + 1, number} & {*range(NUMBERS)}
    expression = pattern(low, high)
    assert [fits(expression, each) for each in sorted(near)] == [low <= each < high for each in sorted(near)]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 13107), (0x7FF, 0x8123), (NUMBERS - 6553, NUMBERS)])
def test_of_all_numbers_as_many_as_were_asked_for(low: int, high: int) -> None:
    held = [number for number in range(NUMBERS) if fits(pattern(low, high), number)]
    assert held == list(range(low, high))


@given(st.integers(1, 10_000))
def test_a_share_is_read_back_to_a_hundredth_of_a_percent(hundredths: int) -> None:
    percent = hundredths / 100
    assert percent_of(pattern(0, numbers_of(percent))) == percent
    assert numbers_of(percent) * 100 / NUMBERS <= percent + 1e-9


@pytest.mark.parametrize("expression", ["", "^0", "^(?:0|1)$", "^(?:x)", ".*"])
def test_what_was_not_made_here_is_taken_for_all_requests(expression: str) -> None:
    assert percent_of(expression) == 100


@given(st.text("0123456789abcdef[]|", max_size=20))
def test_nothing_that_looks_like_one_is_more_than_all(inner: str) -> None:
    assert 0 <= percent_of(f"^(?:{inner})") <= 100
