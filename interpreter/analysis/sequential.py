"""Tests that may be looked at after every check, and stopped at any: the kernels of the statistical checks.

Each is an e-process: evidence E that starts at 1 and whose expectation never rises while the hypothesis holds. By
Ville's inequality it ever reaches 1/α with probability α at most, whenever one looks and however often. Evidence is the
mean of the likelihood ratios of a finite grid of alternatives; their logarithms are all that has to be kept between
two looks.

Everything here works on logarithms, and knows nothing of metrics, checks or state. `log E` is
`log_mean(weights, logs)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from math import exp, log1p
from operator import add
from typing import NamedTuple

POINTS = 48
NEAREST = 1.05
FARTHEST = 100.0
SPREAD = 1.0


def log_mean(log_weights: Sequence[float], logs: Sequence[float]) -> float:
    """The logarithm of the weighted mean of e^logs, without overflow."""
    terms: list[float] = list(map(add, log_weights, logs))
    most = max(terms)
    if math.isinf(most):
        return most
    return most + math.log(sum(map(exp, [term - most for term in terms])))


def spaced(low: float, high: float, points: int) -> tuple[float, ...]:
    """`points` numbers from `low` to `high`, equally far apart."""
    return tuple(low + (high - low) * index / (points - 1) for index in range(points))


def bell(distances: Sequence[float]) -> tuple[float, ...]:
    """Logarithms of normalised weights that fall off like a bell: regressions are more often small than large."""
    raw = [-0.5 * (distance / SPREAD) ** 2 for distance in distances]
    whole = log_mean([0.0] * len(raw), raw)
    return tuple(log - whole for log in raw)


# --- seq_rate: is the canary's rate of bad events higher than the other arm's? ------------------------------------


class RateGrid(NamedTuple):
    """Alternatives to "the ratio of the two rates is at most `null`"."""

    null: float
    ratios: tuple[float, ...]
    log_gains: tuple[float, ...]
    log_weights: tuple[float, ...]


@lru_cache(maxsize=64)
def rate_grid(null: float = 1.0) -> RateGrid:
    """48 ratios from just above the tolerated one to a hundredfold."""
    logs = spaced(math.log(NEAREST * null), math.log(max(FARTHEST, 2 * NEAREST * null)), POINTS)
    return RateGrid(null, tuple(map(math.exp, logs)), tuple(log - math.log(null) for log in logs), bell(logs))


NARROW_POINTS = 12


@lru_cache(maxsize=1)
def narrow_grid() -> RateGrid:
    """A grid of a quarter of the size, for tests that keep one of each bucket. Its points stand closer together where
    the ratio is near 1, so that it loses next to nothing to the wide one; each stands for as much of the bell as is
    nearest to it, hence the weight by its own distance."""
    logs = tuple(map(math.exp, spaced(math.log(math.log(NEAREST)), math.log(math.log(FARTHEST)), NARROW_POINTS)))
    raw = [-0.5 * (log / SPREAD) ** 2 + math.log(log) for log in logs]
    whole = log_mean([0.0] * len(raw), raw)
    return RateGrid(1.0, tuple(map(math.exp, logs)), logs, tuple(log - whole for log in raw))


def rate_gains(grid: RateGrid, canary: float, other: float, canary_total: float, other_total: float) -> list[float]:
    """What one window adds to the log likelihood ratios: `canary` and `other` bad events of so many in each arm.

    Given how many bad events there were in both arms, each is the canary's with a probability that depends on its share
    of the requests and on the ratio of the rates alone: neither the common rate nor the weights matter.
    """
    bad, share = canary + other, canary_total / (canary_total + other_total)
    base = bad * log1p((grid.null - 1) * share)
    return [
        canary * gain - bad * log1p((ratio - 1) * share) + base
        for gain, ratio in zip(grid.log_gains, grid.ratios, strict=True)
    ]


def rate_losses(grid: RateGrid, share: float) -> list[float]:
    """What each bad event of either arm costs, if the canary has this share of the requests."""
    base = math.log1p((grid.null - 1) * share)
    return [log1p((ratio - 1) * share) - base for ratio in grid.ratios]


# --- seq_slo: does one arm break, or keep, its objective? ---------------------------------------------------------


class ObjectiveGrid(NamedTuple):
    """Alternatives to "the share of bad events is at most (mirrored: at least) `allowed`"."""

    log_bad: tuple[float, ...]
    log_good: tuple[float, ...]
    log_weights: tuple[float, ...]


@lru_cache(maxsize=128)
def objective_grid(allowed: float, *, mirrored: bool = False) -> ObjectiveGrid:
    """48 shares above (mirrored: below) the allowed one, evenly spaced in log odds."""
    steps = spaced(math.log(NEAREST), math.log(FARTHEST), POINTS)
    odds = math.log(allowed / (1 - allowed))
    shares = [1 / (1 + math.exp(-(odds - step if mirrored else odds + step))) for step in steps]
    return ObjectiveGrid(
        tuple(math.log(share / allowed) for share in shares),
        tuple(math.log1p(-share) - math.log1p(-allowed) for share in shares),
        bell(steps),
    )


def objective_evidence(allowed: float, bad: float, total: float, *, mirrored: bool = False) -> float:
    """The log evidence that the share of bad events is above what is allowed; `mirrored`: that it is below."""
    if not 0 < allowed < 1:
        broken = allowed <= 0 and bad > 0 and not mirrored
        return math.inf if broken else 0.0
    grid = objective_grid(allowed, mirrored=mirrored)
    good = total - bad
    logs = [bad * on_bad + good * on_good for on_bad, on_good in zip(grid.log_bad, grid.log_good, strict=True)]
    return log_mean(grid.log_weights, logs)


# --- seq_sign: is one arm worse than the other more often than not? -----------------------------------------------

CHANCES = tuple((55 + index) / 100 for index in range(45))


def sign_evidence(worse: float, looks: float) -> float:
    """The log evidence of `worse` looks of `looks` in which the canary was the worse; ties are in neither."""
    logs = [worse * math.log(2 * chance) + (looks - worse) * math.log(2 * (1 - chance)) for chance in CHANCES]
    return log_mean([-math.log(len(CHANCES))] * len(CHANCES), logs)


# --- split: are requests split as the routing says? ---------------------------------------------------------------

CONCENTRATION = 1000.0
"""How near to the set share the alternatives are: small misroutings take more requests to see, large ones fewer."""


def split_evidence(share: float, canary: float, other: float, mass: float = CONCENTRATION) -> float:
    """The log evidence that requests are not split with `share` (0 to 1) for the canary: the Bayes factor of a Beta
    prior around that share, of this mass, against it."""
    a, b = mass * share, mass * (1 - share)
    gained = _log_beta(a + canary, b + other) - _log_beta(a, b)
    return gained - canary * math.log(share) - other * math.log1p(-share)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
