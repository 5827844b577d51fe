"""Quantiles, totals and slow requests of a histogram with cumulative buckets.

A quantile is interpolated within its bucket, as Prometheus does. If it lies beyond the last finite bound nobody knows
where it is: all that can be said is that it is at least that bound, and that is what is said, because a threshold above
the bound could otherwise never be broken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

Buckets = Sequence[tuple[float, float]]


class Quantile(NamedTuple):
    """`at_least` is set when only a lower bound is known."""

    value: float
    at_least: bool


def total(buckets: Buckets) -> float:
    """How many observations there are: the last bucket, whose bound is infinity, holds them all."""
    return buckets[-1][1] if buckets else 0.0


def quantile(buckets: Buckets, q: float) -> Quantile | None:
    """The q-quantile; None if nothing was observed.

    Counts over a window are extrapolated by the provider, bucket by bucket, and may fall a little where they should
    only rise: a count is never taken to be less than the one before it.
    """
    whole = total(buckets)
    if not whole > 0:
        return None
    rank = q * whole
    below, lower = 0.0, 0.0
    for index, (upper, count) in enumerate(buckets):
        if upper == math.inf:
            break
        count = max(count, below)
        if count >= rank and count > 0:
            return Quantile(_within(upper if index == 0 and upper <= 0 else lower, upper, below, count, rank), False)
        below, lower = count, upper
    return Quantile(lower, True)


def _within(lower: float, upper: float, below: float, count: float, rank: float) -> float:
    if count <= below:
        return upper
    return lower + (upper - lower) * (rank - below) / (count - below)


def slower(buckets: Buckets) -> dict[float, float]:
    """How many observations were above each finite bound."""
    whole = total(buckets)
    above: dict[float, float] = {}
    most = 0.0
    for upper, count in buckets:
        most = max(most, count)
        if upper != math.inf:
            above[upper] = max(0.0, whole - most)
    return above
