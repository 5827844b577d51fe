"""Counts drawn by chance: how many requests come in a while, and into which bucket each of them falls.

Requests come independently of each other, so that counts are Poisson; the share of them that is bad, or slow, is then
binomial given the total. A count is read off a table of its distribution, which is made once for each mean. Above
`NORMAL` the normal distribution is near enough: there its skew is below 0.025.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate, pairwise
from math import exp, inf, lgamma, log, sqrt
from random import Random
from statistics import NormalDist

NORMAL = 2_000.0
"""The mean above which a count is drawn from the normal distribution."""

_FAR = 9.0
"""So many standard deviations to either side are in a table."""

PROMETHEUS_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds that Prometheus' client libraries give a histogram nobody configured, in seconds."""

_NORMAL = NormalDist()
_SLIGHT = 1e-9

P99 = _NORMAL.inv_cdf(0.99)
"""The normal distribution's 99th percentile, in standard deviations."""


def count(mean: float, chance: Random) -> int:
    """How many, where `mean` are to be expected."""
    if mean <= 0:
        return 0
    if mean > NORMAL:
        return max(0, round(chance.gauss(mean, sqrt(mean))))
    first, cumulated = _table(mean)
    return first + bisect_left(cumulated, chance.random())


@lru_cache(maxsize=8192)
def _table(mean: float) -> tuple[int, list[float]]:
    """The least count that is worth a line, and the distribution from there on."""
    reach = _FAR * (sqrt(mean) + 1)
    first = max(0, int(mean - reach))
    logs = (k * log(mean) - mean - lgamma(k + 1) for k in range(first, int(mean + reach) + 2))
    cumulated = list(accumulate(exp(each) for each in logs))
    return first, [each / cumulated[-1] for each in cumulated]


def lognormal_shares(median: float, p99: float, bounds: tuple[float, ...]) -> tuple[float, ...]:
    """Which share of requests falls into each bucket, the one beyond the last bound included. Seconds."""
    spread = max(1e-9, log(p99 / median) / P99)
    within = [_NORMAL.cdf(log(bound / median) / spread) for bound in bounds]
    return _between(within)


def stretched(shares: tuple[float, ...], bounds: tuple[float, ...], factor: float) -> tuple[float, ...]:
    """The same for requests that each take `factor` times as long, where only the buckets are known.

    Between two bounds latencies are taken to be lognormal, so that lognormal ones come out exactly; below the first
    bound they go on as between the first two.
    """
    cumulated = list(accumulate(shares))[: len(bounds)]
    scores = [_NORMAL.inv_cdf(min(1 - _SLIGHT, max(_SLIGHT, each))) for each in cumulated]
    return _between([_share_within(log(bound / factor), bounds, scores) for bound in bounds])


def _share_within(latency: float, bounds: tuple[float, ...], scores: list[float]) -> float:
    """Which share takes at most so long. `latency` is a logarithm."""
    if len(bounds) == 1:
        return _NORMAL.cdf(scores[0])
    above = min(len(bounds) - 1, max(1, bisect_left(bounds, exp(latency))))
    left, right = log(bounds[above - 1]), log(bounds[above])
    part = (latency - left) / (right - left)
    return _NORMAL.cdf(scores[above - 1] + part * (scores[above] - scores[above - 1]))


def _between(within: list[float]) -> tuple[float, ...]:
    ends = [0.0, *within, 1.0]
    return tuple(max(0.0, after - before) for before, after in pairwise(ends))


def buckets(counts: list[float], bounds: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """Cumulative counts by upper bound, the last of which is infinity."""
    return tuple(zip((*bounds, inf), accumulate(counts), strict=True))
