"""What others do at each look. Some of it is known to be bad: the harness must see that it is.

Each says at which looks a rollout would have been stopped: booleans of shape (rollouts, looks), at the first of which
it ends.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from tests.simulation.traffic import BOUNDS, Counts, Numbers, Windows

Looks = NDArray[np.bool_]


def pooled_z(seen: Windows, quantile: float) -> Looks:
    """At each look one test of all counts so far, as if it were the only look: a one-sided z-test of two shares."""
    x, y, n, m = (np.cumsum(item, axis=1).astype(float) for item in seen)
    pooled = (x + y) / (n + m)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.nan_to_num((x / n - y / m) / deviation) > quantile)


def too_often(failed: Looks, failures: int) -> Looks:
    """Flagger's count of failed checks: so many in all."""
    return np.asarray(np.cumsum(failed, axis=1) >= failures)


def fixed_line(seen: Windows, *, success: float = 0.99, failures: int = 5) -> Looks:
    """Flagger's usual setting: the success rate of each minute on one side of a line."""
    with np.errstate(divide="ignore", invalid="ignore"):
        below = 1 - seen.canary_bad / seen.canary_total < success - 1e-12
    return too_often(below, failures)


def quantile_line(slower: Counts, total: Counts, *, seconds: float = 0.5, failures: int = 5, q: float = 0.99) -> Looks:
    """A line for the 99th percentile, as Prometheus interpolates it from buckets: never beyond the last bound."""
    return too_often(quantiles(slower, total, q) > seconds, failures)


def quantiles(slower: Counts, total: Counts, q: float) -> Numbers:
    """`histogram_quantile` of each window."""
    at_or_below = (total[..., None] - slower).astype(float)
    rank = q * total
    reached = at_or_below >= rank[..., None]
    index = np.where(reached.any(axis=-1), reached.argmax(axis=-1), len(BOUNDS) - 1)
    upper = np.array(BOUNDS)[index]
    lower = np.concatenate(([0.0], BOUNDS))[index]
    padded = np.concatenate((np.zeros((*total.shape, 1)), at_or_below), axis=-1)
    before = np.take_along_axis(padded, index[..., None], axis=-1)[..., 0]
    count = np.take_along_axis(at_or_below, index[..., None], axis=-1)[..., 0] - before
    with np.errstate(divide="ignore", invalid="ignore"):
        within = lower + (upper - lower) * (rank - before) / count
    return np.asarray(np.where(reached.any(axis=-1), within, BOUNDS[-1]))


# --- bands around both distributions ----------------------------------------------------------------------------

BAND_SCALE = 0.85
BAND_FROM = 100


def band_constant(alpha: float) -> float:
    """C of Howard and Ramdas, "Sequential estimation of quantiles", Bernoulli 2022, theorem 2."""

    def log_chance(constant: float) -> float:
        growth = np.geomspace(1e-5, 0.3, 200_001)
        rest = np.maximum(0.0, BAND_SCALE - np.sqrt(2 * growth / constant))
        gamma = 2 / (1 + growth) * rest * rest
        fine = gamma > 1
        gamma, log_eta = gamma[fine], np.log1p(growth[fine])
        return float((math.log(4) - gamma * constant + np.log1p(1 / ((gamma - 1) * log_eta))).min())

    return float(brentq(lambda constant: log_chance(constant) - math.log(alpha), 5.0, 40.0, xtol=1e-12))


def band_width(total: Numbers, alpha: float, constant: float | None = None) -> Numbers:
    """How far an empirical distribution may be from the true one, anywhere and at all times; 1 before it counts."""
    constant = band_constant(alpha) if constant is None else constant
    enough = np.maximum(total, BAND_FROM)
    width = BAND_SCALE * np.sqrt((np.log1p(np.log(enough / BAND_FROM)) + constant) / enough)
    return np.asarray(np.where(total < BAND_FROM, 1.0, width))


def bands(slower: tuple[Counts, Counts], totals: tuple[Counts, Counts], alpha: float) -> Looks:
    """Slower for sure at some bound: the bands of both arms, with half of alpha each, lie apart."""
    constant = band_constant(alpha / 2)
    shares, widths = [], []
    for late, total in zip(slower, totals, strict=True):
        whole = np.cumsum(total, axis=1).astype(float)
        shares.append(np.cumsum(late, axis=1) / whole[..., None])
        widths.append(band_width(whole, alpha / 2, constant))
    return np.asarray(((shares[0] - shares[1]) > (widths[0] + widths[1])[..., None]).any(axis=-1))
