"""A share of all requests as a regular expression on nginx's `$request_id`.

The variable has 32 random hexadecimal digits, and stays the same for the whole of a request. Its first four are one of
65,536 numbers, each as likely as any other; an expression that fits the numbers of a range therefore holds for that
share of the requests, and two of ranges that do not overlap never hold for the same one. Shares are rounded down to a
65,536th, which is 0.0015 %.

Source: nginx, `ngx_http_core_module`, variable `$request_id`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from interpreter.traffic.reading import share, whole_parts

NUMBERS = 65_536

_DIGITS = "0123456789abcdef"
_LENGTH = 4
_FORM = re.compile(r"\^\(\?:([0-9a-f\[\]|]*)\)")
_CLASS = re.compile(r"([0-9a-f]*)(?:\[([0-9a-f]+)\])?")


def numbers_of(percent: float) -> int:
    """How many of the numbers are this share, rounded down."""
    return whole_parts(percent, NUMBERS)


def pattern(low: int, high: int) -> str:
    """An expression that holds for the numbers from `low` up to, and without, `high`."""
    return f"^(?:{'|'.join(_prefixes(low, high, _LENGTH))})"


def percent_of(expression: str) -> float:
    """The share of an expression that `pattern` made, to a hundredth of a percent; 100 for any other: to think more of
    the canary's share than is so is the safe mistake."""
    form = _FORM.fullmatch(expression)
    if form is None:
        return 100.0
    parts = [_CLASS.fullmatch(part) for part in form[1].split("|")]
    count = sum(
        len(part[2] or "x") * 16 ** max(_LENGTH - len(part[1]) - bool(part[2]), 0) for part in parts if part is not None
    )
    return share(min(count, NUMBERS), NUMBERS)


def _prefixes(low: int, high: int, length: int) -> Iterator[str]:
    """The fewest beginnings of numbers with `length` digits that are the numbers of a range."""
    size = 16 ** (length - 1)
    first, last = -(-low // size), high // size
    if first > last:  # all within one digit
        yield from _under(low // size, low, high, length)
        return
    if low < first * size:
        yield from _under(first - 1, low, first * size, length)
    if first < last:
        yield _DIGITS[first] if last - first == 1 else f"[{_DIGITS[first:last]}]"
    if high > last * size:
        yield from _under(last, last * size, high, length)


def _under(digit: int, low: int, high: int, length: int) -> Iterator[str]:
    size = 16 ** (length - 1)
    for rest in _prefixes(low - digit * size, high - digit * size, length - 1):
        yield _DIGITS[digit] + rest
