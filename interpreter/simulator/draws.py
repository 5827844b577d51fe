"""Counts drawn by chance: how many requests come in a while, and into which bucket each of them falls.

Requests come independently of each other, so that counts are Poisson; the share of them that is bad, or slow, is then
binomial given the total. A count is read off a table of its distribution, which is made once for each mean. Above
`NORMAL` the normal distribution is near enough: there its skew is below 0.025.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate, pairwise
from math import erf, exp, inf, lgamma, log, sqrt
from random import Random

NORMAL = 2_000.0
"""The mean above which a count is drawn from the normal distribution."""

_FAR = 9.0
"""So many standard deviations to either side are in a table."""

PROMETHEUS_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bounds that Prometheus' client libraries give a histogram nobody configured, in seconds."""

P99 = 2.3263478740408408
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
    within = [0.5 * (1 + erf(log(bound / median) / (spread * sqrt(2)))) for bound in bounds]
    return _between(within)


def stretched(shares: tuple[float, ...], bounds: tuple[float, ...], factor: float) -> tuple[float, ...]:
    """The same for requests that each take `factor` times as long, where only the buckets are known.

    Within a bucket the logarithms of latencies are taken to be spread evenly; those in the first bucket to lie between
    a tenth of its bound and the bound, those beyond the last bound stay there.
    """
    cumulated = list(accumulate(shares))[:-1]
    return _between([_share_within(bound / factor, cumulated, bounds) for bound in bounds])


def _share_within(latency: float, cumulated: list[float], bounds: tuple[float, ...]) -> float:
    lower, below = bounds[0] / 10, 0.0
    for bound, within in zip(bounds, cumulated, strict=True):
        if latency <= bound:
            part = max(0.0, log(latency / lower) / log(bound / lower))
            return below + (within - below) * part
        lower, below = bound, within
    return below


def _between(within: list[float]) -> tuple[float, ...]:
    ends = [0.0, *within, 1.0]
    return tuple(max(0.0, after - before) for before, after in pairwise(ends))


def buckets(counts: list[float], bounds: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """Cumulative counts by upper bound, the last of which is infinity."""
    return tuple(zip((*bounds, inf), accumulate(counts), strict=True))
