"""What an expression came to: a number, a range, or nothing that can be known.

A quantity is a `float` in base units, or `Bounds` where only a range is known (a quantile beyond a histogram's last
bound), or `Missing`. Arithmetic on ranges is interval arithmetic, so that what is said about the result is still true.
Arithmetic that has no answer (division by zero, NaN, infinity) is no data, and never passes, whatever the metric says
of its own missing data.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Literal, NamedTuple

from interpreter.analysis.kayenta import Classified
from interpreter.desired import Instant
from interpreter.questions import Answer

Operator = Literal["+", "-", "*", "/"]
Cmp = Literal["<", "<=", ">", ">=", "==", "!="]

SAME = 1e-12
"""Two quantities this near to each other, relatively, are the same: `100% - 1%` in binary is not quite 99%."""

NEGLIGIBLE = 1e-15
"""The same for quantities next to zero, in base units."""


class Gap(IntEnum):
    """Why something is not known, by what a check makes of it. Of several the highest prevails."""

    PASS = 0
    SKIP = 1
    UNSURE = 2
    HOLD = 3
    ERROR = 4
    FAIL = 5


class Missing(NamedTuple):
    gap: Gap
    reason: str


class Bounds(NamedTuple):
    """Somewhere from `low` to `high`; `why` says in words why no more is known."""

    low: float
    high: float
    why: str


Quantity = float | Bounds | Missing
Truth = bool | Missing


class Look:
    """All that one check sees: the answers, and the end of their keys.

    `rulings` and `words` are what the statistical checks came to, which are judged first; `condemning` are those that
    end the rollout alone, and `classified` is what Kayenta's judge made of each metric. `seen` remembers what measures
    came to: each is wanted twice, to decide and to show.
    """

    __slots__ = ("answers", "classified", "condemning", "rulings", "seen", "suffix", "words")

    def __init__(self, answers: Mapping[str, Answer], at_ms: Instant) -> None:
        self.answers = answers
        self.suffix = str(at_ms)
        self.rulings: dict[str, Truth] = {}
        self.words: dict[str, str] = {}
        self.condemning: set[str] = set()
        self.classified: dict[str, Classified | Missing] = {}
        self.seen: dict[str, Quantity] = {}


Reader = Callable[[Look], Quantity]


def worst(*found: Quantity | Truth) -> Missing:
    """The gap that prevails among what was found."""
    return max((item for item in found if isinstance(item, Missing)), key=lambda missing: missing.gap)


def lenient(*found: Truth) -> Missing:
    """The gap that weighs least."""
    return min((item for item in found if isinstance(item, Missing)), key=lambda missing: missing.gap)


# --- arithmetic -------------------------------------------------------------------------------------------------


def finite(value: float) -> Quantity:
    """`value`, unless it is no number that can be judged."""
    if math.isfinite(value):
        return value
    return Missing(Gap.FAIL, "not a number" if math.isnan(value) else "infinite")


PLAIN: Mapping[Operator, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def combine(sign: Operator, left: Quantity, right: Quantity) -> Quantity:
    """One arithmetic operation."""
    if isinstance(left, Missing) or isinstance(right, Missing):
        return worst(left, right)
    if isinstance(left, Bounds) or isinstance(right, Bounds):
        return _combine_bounds(sign, bounds(left), bounds(right))
    if sign == "/" and right == 0:
        return Missing(Gap.FAIL, "division by zero")
    return finite(PLAIN[sign](left, right))


def bounds(value: float | Bounds) -> Bounds:
    """A number as the range that holds nothing else."""
    return value if isinstance(value, Bounds) else Bounds(value, value, "")


def _combine_bounds(sign: Operator, left: Bounds, right: Bounds) -> Quantity:
    why = left.why or right.why
    match sign:
        case "+":
            return Bounds(left.low + right.low, left.high + right.high, why)
        case "-":
            return Bounds(left.low - right.high, left.high - right.low, why)
        case "*":
            corners = [_product(a, b) for a in left[:2] for b in right[:2]]
            return Bounds(min(corners), max(corners), why)
        case "/":
            if right.low <= 0 <= right.high:
                return Missing(Gap.FAIL, "division by what may be zero")
            return _combine_bounds("*", left, Bounds(1 / right.high, 1 / right.low, right.why))


def _product(left: float, right: float) -> float:
    """Zero times any finite quantity is zero, however large it may be."""
    return 0.0 if left == 0 or right == 0 else left * right


def apply(name: Literal["min", "max", "abs", "neg"], args: tuple[Quantity, ...]) -> Quantity:
    """One function of the language."""
    if any(isinstance(arg, Missing) for arg in args):
        return worst(*args)
    ranges = [bounds(arg) for arg in args if not isinstance(arg, Missing)]
    low, high = _apply_bounds(name, ranges)
    if low == high:
        return low
    return Bounds(low, high, next((item.why for item in ranges if item.why), ""))


def _apply_bounds(name: Literal["min", "max", "abs", "neg"], ranges: list[Bounds]) -> tuple[float, float]:
    first = ranges[0]
    match name:
        case "min":
            return min(item.low for item in ranges), min(item.high for item in ranges)
        case "max":
            return max(item.low for item in ranges), max(item.high for item in ranges)
        case "neg":
            return -first.high, -first.low
        case "abs":
            ends = sorted((abs(first.low), abs(first.high)))
            return (0.0 if first.low <= 0 <= first.high else ends[0]), ends[1]


# --- comparison -------------------------------------------------------------------------------------------------


def same(left: float, right: float) -> bool:
    """Equal, but for what binary arithmetic adds."""
    return math.isclose(left, right, rel_tol=SAME, abs_tol=NEGLIGIBLE)


def at_most(left: float, right: float) -> bool:
    return left <= right or same(left, right)


def below(left: float, right: float) -> bool:
    return left < right and not same(left, right)


def compare(cmp: Cmp, left: Quantity, right: Quantity) -> Truth:
    """Does it hold? Thresholds are inclusive exactly as written."""
    if isinstance(left, Missing) or isinstance(right, Missing):
        return worst(left, right)
    if isinstance(left, Bounds) or isinstance(right, Bounds):
        return _compare_bounds(cmp, bounds(left), bounds(right))
    return NUMBERS[cmp](left, right)


NUMBERS: Mapping[Cmp, Callable[[float, float], bool]] = {
    "<=": at_most,
    ">=": lambda left, right: at_most(right, left),
    "<": below,
    ">": lambda left, right: below(right, left),
    "==": same,
    "!=": lambda left, right: not same(left, right),
}


def _compare_bounds(cmp: Cmp, left: Bounds, right: Bounds) -> Truth:
    match cmp:
        case "<=" | "<":
            yes, no = (at_most, below) if cmp == "<=" else (below, at_most)
            if yes(left.high, right.low):
                return True
            return False if no(right.high, left.low) else _unsure(left, right)
        case ">=":
            return _compare_bounds("<=", right, left)
        case ">":
            return _compare_bounds("<", right, left)
        case "==" | "!=":
            apart = below(left.high, right.low) or below(right.high, left.low)
            return (cmp == "!=") if apart else _unsure(left, right)


def _unsure(left: Bounds, right: Bounds) -> Missing:
    return Missing(Gap.UNSURE, "; ".join(side.why for side in (left, right) if side.why))


def both(*parts: Truth) -> Truth:
    """Kleene's `and`: one that is false settles it, whatever is not known."""
    if any(part is False for part in parts):
        return False
    return worst(*parts) if any(isinstance(part, Missing) for part in parts) else True


def either(*parts: Truth) -> Truth:
    """Kleene's `or`: one that is true settles it."""
    if any(part is True for part in parts):
        return True
    return lenient(*parts) if any(isinstance(part, Missing) for part in parts) else False


def negation(part: Truth) -> Truth:
    """Kleene's `not`."""
    return part if isinstance(part, Missing) else not part
