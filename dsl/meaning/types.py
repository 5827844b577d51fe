"""Dimensions: which quantities can be added, multiplied, divided and compared, and what comes of it. Tables, no trees.

A percentage and a ratio are one dimension, a share. What comes of dividing like by like is a quotient: a plain number
that may also be read as a share. A number that no metric and no unit stands behind is *bare*: beside a count or a rate
its reading is clear, beside a share or a duration it is not, and the reader is asked which one was meant.
"""

from __future__ import annotations

from enum import StrEnum
from math import isfinite

from dsl.ir import Unit
from dsl.meaning.values import Type, duration_text, number_text, shifted


class Dim(StrEnum):
    """The dimensions, by the words that people read."""

    NUMBER = "a number"
    QUOTIENT = "a quotient"
    SHARE = "a percentage"
    TIME = "a duration"
    COUNT = "a count"
    RATE = "a rate"
    BYTES = "a number of bytes"
    UNKNOWN = "unknown"


OF_UNIT = {
    Unit.PERCENT: Dim.SHARE,
    Unit.RATIO: Dim.SHARE,
    Unit.MILLISECONDS: Dim.TIME,
    Unit.SECONDS: Dim.TIME,
    Unit.RATE: Dim.RATE,
    Unit.COUNT: Dim.COUNT,
    Unit.BYTES: Dim.BYTES,
    Unit.NUMBER: Dim.NUMBER,
}
"""What a metric that returns a number comes to; events and histograms are no numbers."""

OF_TYPE = {Type.NUMBER: Dim.NUMBER, Type.SHARE: Dim.SHARE, Type.TIME: Dim.TIME, Type.UNKNOWN: Dim.UNKNOWN}

PARTS = {
    Unit.EVENTS: {"rate": Dim.SHARE, "total": Dim.COUNT, "bad": Dim.COUNT},
    Unit.HISTOGRAM: {"quantile": Dim.TIME},
}
"""The numbers that can be picked out of what is no number itself."""

_PURE = (Dim.NUMBER, Dim.QUOTIENT, Dim.SHARE)
_SPREAD = (Dim.TIME, Dim.BYTES)
"""What can be spread over a count, as in time by request."""
_COUNTED = (Dim.COUNT, Dim.RATE, Dim.BYTES, Dim.QUOTIENT)


def _joined(left: Dim, right: Dim) -> Dim | None:
    """The dimension that both have, or that the plainer one can be taken for."""
    if left is right:
        return left
    for plain, other in ((left, right), (right, left)):
        if plain is Dim.NUMBER and other in _COUNTED:
            return other
        if plain is Dim.QUOTIENT and other is Dim.SHARE:
            return Dim.SHARE
    return None


def comparable(left: Dim, right: Dim) -> bool:
    """Whether one can be more or less than the other."""
    return _joined(left, right) is not None


def arithmetic(operator: str, left: Dim, right: Dim) -> Dim | None:
    """What `left operator right` comes to, or None if it makes no sense."""
    if Dim.UNKNOWN in (left, right):
        return Dim.UNKNOWN
    match operator:
        case "+" | "-":
            return _joined(left, right)
        case "*":
            return _product(left, right)
        case _:
            return _quotient(left, right)


def _product(left: Dim, right: Dim) -> Dim | None:
    if left in _PURE and right in _PURE:
        return max(left, right, key=_PURE.index)
    if left in _PURE:
        return right
    if right in _PURE:
        return left
    for counted, other in ((left, right), (right, left)):
        if counted is Dim.COUNT and other in _SPREAD:
            return other
    return Dim.COUNT if {left, right} == {Dim.RATE, Dim.TIME} else None


def _quotient(left: Dim, right: Dim) -> Dim | None:
    if left is right:
        return Dim.NUMBER if left is Dim.NUMBER else Dim.QUOTIENT
    if right in _PURE or (right is Dim.COUNT and left in _SPREAD):
        return left
    if right is Dim.TIME and left in (Dim.COUNT, Dim.NUMBER):
        return Dim.RATE
    return Dim.TIME if (left, right) == (Dim.COUNT, Dim.RATE) else None


def readings(value: float, wanted: Dim | Type, *, slow: bool = False, ratio: bool = False) -> list[str]:
    """The texts that a bare number may have been meant as, likeliest first; `slow` where minutes are likelier than
    milliseconds, `ratio` where a number above 1 may be a ratio."""
    if not isfinite(value):
        return []
    if wanted in (Dim.SHARE, Type.SHARE):
        as_percent, as_ratio = f"{number_text(value)}%", f"{number_text(shifted(value, 2))}%"
        if 0 < value <= 1:
            return [as_ratio, as_percent]
        return [as_percent, as_ratio] if ratio else [as_percent]
    if value == int(value):
        return [f"{int(value)}{unit}" for unit in (("m", "s") if slow else ("ms", "s"))] if value > 0 else []
    whole = [value * size for size in ((60_000, 1000) if slow else (1000,)) if value * size == int(value * size)]
    return list(dict.fromkeys(duration_text(ms) for ms in whole if ms > 0))
