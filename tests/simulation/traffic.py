"""Setup S: an hour, a look a minute, the canary at 5, 10, 20, 30, 40 and 50% for ten minutes each.

All arrays have the shape (rollouts, looks). Requests are a fixed number a minute and split exactly as the weights say.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]

RAMP = np.repeat([5, 10, 20, 30, 40, 50], 10)
LOOKS = len(RAMP)
RANDOM_WEIGHTS = np.array([1, 2, 5, 10, 20, 30, 50, 70, 90, 99])
HALF = np.full(LOOKS, 50)

CERTAIN = 0.99
"""No more than this share of requests fails, however errors drift."""


class Windows(NamedTuple):
    """Bad events of the canary and of the primary, and the requests of each."""

    canary_bad: Counts
    other_bad: Counts
    canary_total: Counts
    other_total: Counts


def totals(rollouts: int, rps: float, weights: NDArray[np.int64]) -> tuple[Counts, Counts]:
    """The requests of both arms in each minute. `weights` in percent: one schedule for all, or one for each rollout."""
    everything = int(rps * 60)
    canary = np.broadcast_to(everything * weights // 100, (rollouts, LOOKS)).astype(np.int64)
    return canary, everything - canary


def random_schedules(chance: np.random.Generator, rollouts: int) -> NDArray[np.int64]:
    """A weight for each minute of each rollout, up and down without any order."""
    return chance.choice(RANDOM_WEIGHTS, size=(rollouts, LOOKS))


def swing(drift: float) -> Numbers:
    """By what the error rate of both arms is multiplied in each minute: from e^-drift to e^drift."""
    return np.exp(drift * np.linspace(-1, 1, LOOKS))


def windows(
    chance: np.random.Generator,
    rollouts: int,
    *,
    primary: float,
    canary: float,
    rps: float,
    drift: float = 0.0,
    weights: NDArray[np.int64] = RAMP,
    correlation: float = 0.0,
) -> Windows:
    """The counts of many rollouts. `correlation` is that of two requests of one arm in one minute: errors in bursts."""
    n, m = totals(rollouts, rps, weights)
    rates = (np.minimum(CERTAIN, rate * swing(drift)) for rate in (canary, primary))
    bad = [errors(chance, total, rate, correlation) for total, rate in zip((n, m), rates, strict=True)]
    return Windows(bad[0], bad[1], n, m)


def errors(chance: np.random.Generator, requests: Counts, rate: Numbers | float, correlation: float = 0.0) -> Counts:
    """Binomial counts; with a correlation, beta-binomial ones, whose variance is 1 + (n - 1) times it as large."""
    rate = np.broadcast_to(rate, requests.shape)
    if correlation > 0:
        grip = 1 / correlation - 1
        rate = np.where(rate > 0, chance.beta(np.maximum(rate, 1e-12) * grip, (1 - rate) * grip), 0.0)
    return chance.binomial(requests, rate)


# --- latencies --------------------------------------------------------------------------------------------------

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Prometheus' default buckets, in seconds."""

MEDIAN, SIGMA = 0.1, 0.5
"""Lognormal: a median of 100 ms."""


class Slowness(NamedTuple):
    """How the canary's latencies differ: all by a factor, and a share of them by so many seconds more."""

    factor: float = 1.0
    share: float = 0.0
    seconds: float = 0.0


def below(slowness: Slowness) -> Numbers:
    """The share of requests at or below each bound."""
    bounds = np.array(BOUNDS)

    def quick(seconds: Numbers) -> Numbers:
        logs = np.log(np.maximum(seconds, 1e-12) / (MEDIAN * slowness.factor)) / SIGMA
        return np.asarray(norm.cdf(logs), dtype=np.float64)

    return (1 - slowness.share) * quick(bounds) + slowness.share * quick(bounds - slowness.seconds)


def slower(chance: np.random.Generator, requests: Counts, at_or_below: Numbers) -> Counts:
    """How many requests took longer than each bound: shape (rollouts, looks, bounds)."""
    shares = np.diff(np.concatenate(([0.0], at_or_below, [1.0])))
    drawn = chance.multinomial(requests, shares / shares.sum())
    return requests[..., None] - np.cumsum(drawn, axis=-1)[..., :-1]
