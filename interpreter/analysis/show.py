"""Quantities as people read them: `99.2%`, `120ms`, `1.5MB`.

Values arrive in base units (a share is a ratio, a time is in seconds). Four significant digits are enough to read; a
share just below 100% gets more, because there the distance to 100% is what matters: 99.995% is not 100%.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dsl.ir import Unit

DIGITS = 4

EXACT = 12
"""Digits that tell apart two quantities that look alike when rounded."""


def plain(value: float, digits: int = DIGITS) -> str:
    """A number, without exponent where people would write none."""
    if digits == DIGITS and 1 <= abs(value) < 9999:
        return "%.4g" % value  # noqa: UP031 - the common case, and this is twice as fast
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < 1e15 else text


def percent(ratio: float, digits: int = DIGITS) -> str:
    """A share."""
    shown = ratio * 100
    if 99 < shown < 100:
        return _almost_all(shown, digits)
    return plain(round(shown, 10), digits) + "%"


def _almost_all(shown: float, digits: int) -> str:
    """A share between 99% and 100%: the gap to 100 gets `digits - 2` digits of its own."""
    gap = 100 - shown
    places = 1
    while places < 10 and gap * 10.0**places < 10 ** (digits - 3):
        places += 1
    return f"{shown:.{places}f}".rstrip("0").rstrip(".") + "%"


def seconds(value: float, digits: int = DIGITS) -> str:
    """A time, in the unit that suits it."""
    size_of = abs(value)
    if 0.001 <= size_of < 1:
        return plain(round(value * 1e3, 9), digits) + "ms"
    if size_of >= 60:
        return ("-" if value < 0 else "") + _long(size_of)
    if size_of >= 1 or value == 0:
        return plain(value, digits) + "s"
    return plain(round(value * 1e6, 6), digits) + "µs"


def _long(value: float) -> str:
    whole = round(value)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s")]
    return "".join(f"{count}{letter}" for count, letter in parts if count)


def size(value: float, digits: int = DIGITS) -> str:
    """A number of bytes."""
    for scale, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= scale:
            return plain(value / scale, digits) + name
    return plain(value, digits) + "B"


def rate(value: float, digits: int = DIGITS) -> str:
    """So many a second."""
    return plain(value, digits) + "/s"


Formatter = Callable[[float, int], str]

FORMATS: Mapping[Unit, Formatter] = {
    Unit.PERCENT: percent,
    Unit.RATIO: percent,
    Unit.MILLISECONDS: seconds,
    Unit.SECONDS: seconds,
    Unit.BYTES: size,
    Unit.RATE: rate,
}


def formatter(unit: Unit) -> Formatter:
    """How quantities of this unit are written."""
    return FORMATS.get(unit, plain)


def quantity(value: float, unit: Unit, digits: int = DIGITS) -> str:
    """`value`, in base units, as it would be written in the language."""
    return formatter(unit)(value, digits)


def interval(low: float, high: float, form: Formatter) -> str:
    """A value known only to lie between two bounds."""
    if high == float("inf"):
        return f"at least {form(low, DIGITS)}"
    if low == float("-inf"):
        return f"at most {form(high, DIGITS)}"
    return f"{form(low, DIGITS)} to {form(high, DIGITS)}"


def count(number: float, noun: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{plain(number, 6)} {noun}{'' if number == 1 else 's'}"
