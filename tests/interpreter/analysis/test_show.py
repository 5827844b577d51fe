"""Quantities as people read them."""

from __future__ import annotations

import pytest

from dsl.ir import Unit
from interpreter.analysis import show


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.992, Unit.PERCENT, "99.2%"),
        (0.9999, Unit.PERCENT, "99.99%"),
        (0.99995, Unit.PERCENT, "99.995%"),
        (0.9999999, Unit.PERCENT, "99.99999%"),
        (1.0, Unit.PERCENT, "100%"),
        (0.0, Unit.PERCENT, "0%"),
        (0.005, Unit.RATIO, "0.5%"),
        (1 / 3, Unit.RATIO, "33.33%"),
        (0.99, Unit.RATIO, "99%"),
        (0.120, Unit.SECONDS, "120ms"),
        (0.5, Unit.MILLISECONDS, "500ms"),
        (1.5, Unit.SECONDS, "1.5s"),
        (90.0, Unit.SECONDS, "1m30s"),
        (3600.0, Unit.SECONDS, "1h"),
        (-90.0, Unit.SECONDS, "-1m30s"),
        (0.0, Unit.SECONDS, "0s"),
        (0.00025, Unit.SECONDS, "250µs"),
        (12.0, Unit.COUNT, "12"),
        (123456.0, Unit.COUNT, "123456"),
        (1234567.8, Unit.COUNT, "1234568"),
        (9999.96, Unit.COUNT, "10000"),
        (0.25, Unit.NUMBER, "0.25"),
        (1e20, Unit.NUMBER, "1e+20"),
        (3.5, Unit.RATE, "3.5/s"),
        (1_500_000.0, Unit.BYTES, "1.5MB"),
        (512.0, Unit.BYTES, "512B"),
    ],
)
def test_quantities(value: float, unit: Unit, text: str) -> None:
    assert show.quantity(value, unit) == text


def test_more_digits_where_rounding_would_hide_the_difference() -> None:
    assert show.percent(0.123456, show.EXACT) == "12.3456%"
    assert show.percent(0.12345) == show.percent(0.123451)
    assert show.percent(0.12345, show.EXACT) != show.percent(0.123451, show.EXACT)


def test_ranges() -> None:
    inf = float("inf")
    assert show.interval(10.0, inf, show.seconds) == "at least 10s"
    assert show.interval(-inf, 2.0, show.seconds) == "at most 2s"
    assert show.interval(1.0, 2.0, show.seconds) == "1s to 2s"


def test_counts_with_their_noun() -> None:
    assert show.count(1, "request") == "1 request"
    assert show.count(0, "request") == "0 requests"
