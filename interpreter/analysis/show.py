"""Quantities as people read them: `99.2%`, `120ms`, `1.5MB`.

Values arrive in base units (a share is a ratio, a time is in seconds). Four significant digits are enough to read; a
share just below 100% gets more, because there the distance to 100% is what matters: 99.995% is not 100%.
"""

from __future__ import annotations

from dsl.ir import Unit

EXACT = 12
"""Digits that tell apart two quantities that look alike when rounded."""


def quantity(value: float, unit: Unit, digits: int = 4) -> str:
    """`value`, in base units, as it would be written in the language."""
    match unit:
        case Unit.PERCENT | Unit.RATIO:
            return percent(value, digits)
        case Unit.MILLISECONDS | Unit.SECONDS:
            return seconds(value, digits)
        case Unit.BYTES:
            return size(value, digits)
        case Unit.RATE:
            return f"{plain(value, digits)}/s"
        case _:
            return plain(value, digits)


def plain(value: float, digits: int = 4) -> str:
    """A number without exponent where people would write none."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if abs(value) >= 10**digits:
        return f"{value:.0f}" if abs(value) < 1e15 else f"{value:.{digits}g}"
    return f"{value:.{digits}g}"


def percent(ratio: float, digits: int = 4) -> str:
    """A share."""
    shown = ratio * 100
    gap = 100 - shown
    if 0 < gap < 1:
        places = len(f"{gap:.{max(1, digits - 2)}g}".partition(".")[2]) if gap >= 1e-4 else digits + 6
        return f"{shown:.{places}f}".rstrip("0").rstrip(".") + "%"
    return f"{plain(round(shown, 10), digits)}%"


def seconds(value: float, digits: int = 4) -> str:
    """A time, in the unit that suits it."""
    size_of = abs(value)
    if size_of >= 60:
        return ("-" if value < 0 else "") + _long(size_of)
    if size_of >= 1 or value == 0:
        return f"{plain(value, digits)}s"
    if size_of >= 0.001:
        return f"{plain(round(value * 1e3, 9), digits)}ms"
    return f"{plain(round(value * 1e6, 6), digits)}µs"


def _long(value: float) -> str:
    whole = round(value)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s")]
    return "".join(f"{count}{letter}" for count, letter in parts if count)


def size(value: float, digits: int = 4) -> str:
    """A number of bytes."""
    for scale, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= scale:
            return f"{plain(value / scale, digits)}{name}"
    return f"{plain(value, digits)}B"


def interval(low: float, high: float, unit: Unit) -> str:
    """A value known only to lie between two bounds."""
    if high == float("inf"):
        return f"at least {quantity(low, unit)}"
    if low == float("-inf"):
        return f"at most {quantity(high, unit)}"
    return f"{quantity(low, unit)} to {quantity(high, unit)}"


def count(number: float, noun: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{plain(number, 6)} {noun}{'' if number == 1 else 's'}"
