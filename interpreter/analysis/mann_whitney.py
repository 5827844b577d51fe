"""How far two samples are shifted against each other: Mann-Whitney's test turned into a confidence interval.

This is what R's `wilcox.test(x, y, conf.int = TRUE, exact = FALSE, correct = TRUE)` computes, and after it Kayenta. The
standardised rank statistic W(μ) of `x - μ` against `y` falls as μ grows; where it crosses the normal quantiles lie the
ends of the interval, and where it crosses zero the estimate. W is a step function, so that "where it crosses" depends
on how one searches: the root finder is the one of those tools, with their tolerance, and only so do the values agree.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

TOLERANCE = 1e-4
ITERATIONS = 1000
EPSILON = 2.220446049250313e-16


class Shift(NamedTuple):
    """By how much `x` is above `y`."""

    low: float
    high: float
    estimate: float


class AllTied(ArithmeticError):
    """Ranks say nothing where all values are the same."""


def shift(x: Sequence[float], y: Sequence[float], confidence: float) -> Shift:
    """The confidence interval and the Hodges-Lehmann estimate of the shift. Raises `AllTied`."""
    compared = sorted(y)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    left, right = min(x) - compared[-1], max(x) - compared[0]

    def crossing(quantile: float) -> float:
        return _crossing(lambda mu: statistic(x, compared, mu, quantile), left, right)

    return Shift(crossing(z), crossing(-z), crossing(0.0))


def statistic(x: Sequence[float], y: Sequence[float], mu: float, z: float) -> float:
    """W(μ) - z: standardised, with continuity correction and the variance corrected for ties. `y` is sorted."""
    shifted = [value - mu for value in x]
    m, n = len(shifted), len(y)
    wins = sum(bisect_left(y, value) + bisect_right(y, value) for value in shifted) / 2
    d = wins - m * n / 2
    correction = math.copysign(0.5, d) if d else 0.0
    return (d - correction) / _deviation(shifted, y, m, n) - z


def _deviation(shifted: Sequence[float], y: Sequence[float], m: int, n: int) -> float:
    ties = Counter(shifted)
    ties.update(y)
    whole = m + n
    tied = sum(size**3 - size for size in ties.values() if size > 1)
    variance = m * n / 12 * (whole + 1 - tied / (whole * (whole - 1)))
    if variance <= 0:
        raise AllTied("all values are the same")
    return math.sqrt(variance)


def _crossing(function: Callable[[float], float], left: float, right: float) -> float:
    """Where the falling function crosses zero; the end of the range if it does not cross within."""
    at_left, at_right = function(left), function(right)
    if at_left <= 0:
        return left
    if at_right >= 0:
        return right
    return zero(function, left, right, at_left, at_right)


def zero(function: Callable[[float], float], a: float, b: float, at_a: float, at_b: float) -> float:
    """Brent's root finder: interpolation where it helps, bisection where it does not.

    `b` is the best guess, `a` the one before it, and the root lies between `b` and `c`.
    """
    c, at_c = a, at_a
    for _ in range(ITERATIONS + 1):
        before = b - a
        if abs(at_c) < abs(at_b):
            a, b, c = b, c, b
            at_a, at_b, at_c = at_b, at_c, at_b
        least = 2 * EPSILON * abs(b) + TOLERANCE / 2
        step = (c - b) / 2
        if abs(step) <= least or at_b == 0:
            return b
        if abs(before) >= least and abs(at_a) > abs(at_b):
            step = _interpolated(a, b, c, at_a, at_b, at_c, before, least, step)
        if abs(step) < least:
            step = math.copysign(least, step)
        a, at_a = b, at_b
        b += step
        at_b = function(b)
        if (at_b > 0) == (at_c > 0) and (at_b < 0) == (at_c < 0):
            c, at_c = a, at_a
    return b


def _interpolated(
    a: float, b: float, c: float, at_a: float, at_b: float, at_c: float, before: float, least: float, halved: float
) -> float:
    """The step that interpolation proposes, linear or inverse quadratic; `halved` where that would go too far."""
    if a == c:
        ratio = at_b / at_a
        p, q = (c - b) * ratio, 1 - ratio
    else:
        r, s, t = at_a / at_c, at_b / at_c, at_b / at_a
        p, q = t * ((c - b) * r * (r - s) - (b - a) * (s - 1)), (r - 1) * (s - 1) * (t - 1)
    if p > 0:
        q = -q
    else:
        p = -p
    near = p < 0.75 * (c - b) * q - abs(least * q) / 2 and p < abs(before * q / 2)
    return p / q if near else halved
