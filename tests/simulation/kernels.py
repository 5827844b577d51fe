"""The product's kernels over all rollouts at once.

Grids and weights are the product's own; only the sums over them are written again, as arrays with a row for each
rollout. `test_kernels` holds every one equal to the product's, look by look. What they return is the log evidence
after each look, shape (rollouts, looks).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from interpreter.analysis.dispersion import ENOUGH
from interpreter.analysis.evidence import LARGEST
from interpreter.analysis.sequential import RateGrid, narrow_grid, objective_grid, rate_grid
from interpreter.analysis.slowness import DECIMALS, LOWEST
from tests.simulation.traffic import Counts, Numbers, Windows


def log_means(log_weights: Numbers, logs: Numbers) -> Numbers:
    """Over the last axis."""
    terms = logs + log_weights
    most = terms.max(axis=-1, keepdims=True)
    terms -= most
    return np.asarray(most[..., 0] + np.log(np.exp(terms, out=terms).sum(axis=-1)), dtype=np.float64)


def losses(grid: RateGrid, share: Numbers) -> Numbers:
    """What each bad event costs, for each alternative."""
    odds = share[..., None]
    ratios = np.array(grid.ratios)
    return np.asarray(np.log1p((ratios - 1) * odds) - np.log1p((grid.null - 1) * odds), dtype=np.float64)


def rate_evidence(seen: Windows, *, null: float = 1.0, divided: Numbers | None = None) -> Numbers:
    """`no_regression`. `divided` is by what each window's gains are divided, for bursty errors."""
    grid = rate_grid(null)
    gains, weights = np.array(grid.log_gains), np.array(grid.log_weights)
    x, y, n, m = (item.astype(float) for item in seen)
    logs = np.zeros((len(x), len(gains)))
    found = np.zeros(x.shape)
    for at in range(x.shape[1]):
        share = n[:, at] / (n[:, at] + m[:, at])
        shares, where = np.unique(share, return_inverse=True)
        lost = losses(grid, shares)
        gained = (x[:, at] + y[:, at])[:, None] * (lost if len(shares) == 1 else lost[where])
        np.subtract(x[:, at, None] * gains, gained, out=gained)
        logs += gained if divided is None else gained / divided[:, at, None]
        found[:, at] = log_means(weights, logs)
    return found


def objective_evidence(allowed: float, bad: Counts, total: Counts, *, mirrored: bool = False) -> Numbers:
    """`meets`, or mirrored `certified`; counts of each window."""
    grid = objective_grid(allowed, mirrored=mirrored)
    errors = np.cumsum(bad, axis=1).astype(float)
    good = np.cumsum(total, axis=1) - errors
    on_bad, on_good, weights = (np.array(item) for item in grid)
    found = np.zeros(errors.shape)
    for at in range(errors.shape[1]):
        found[:, at] = log_means(weights, errors[:, at, None] * on_bad + good[:, at, None] * on_good)
    return found


def slowness_evidence(canary: Counts, other: Counts, canary_total: Counts, other_total: Counts) -> Numbers:
    """`no_slower`, for twelve bounds at most: there the product bets on a bound from the first look at which both
    arms together have requests on either side of it. `canary` and `other` are the requests slower than each bound."""
    grid = narrow_grid()
    gains, weights = np.array(grid.log_gains), np.array(grid.log_weights)
    rollouts, looks, bounds = canary.shape
    logs = np.zeros((rollouts, bounds, len(gains)))
    open_to_bets = np.zeros((rollouts, bounds), dtype=bool)
    found = np.zeros((rollouts, looks))
    for at in range(looks):
        together = (canary[:, at] + other[:, at]).astype(float)
        whole = canary_total[:, at] + other_total[:, at]
        asked = (canary_total[:, at] > 0)[:, None]
        open_to_bets |= asked & (together > 0) & (together < whole[:, None])
        lost = losses(grid, canary_total[:, at] / whole)[:, None, :]
        bet = logs + canary[:, at, :, None] * gains - together[:, :, None] * lost
        bet = np.clip(np.floor(bet * DECIMALS + 1e-6) / DECIMALS, LOWEST, LARGEST)
        logs = np.where((open_to_bets & asked & (together > 0))[..., None], bet, logs)
        rows = np.where(open_to_bets, log_means(weights, logs), 0.0)
        found[:, at] = log_means(np.full(bounds, -math.log(bounds)), rows)
    return found


# --- bursty errors ----------------------------------------------------------------------------------------------


def correlations(seen: Windows, before: tuple[Counts, Counts] | None = None) -> Numbers:
    """What the product knows at each look of the correlation of errors: from the primary's windows before it, and from
    `before`, bad events and requests of the windows before the rollout, if they were asked for."""
    bad, total = seen.other_bad.astype(float), seen.other_total.astype(float)
    sums = [_earlier(item) for item in (np.ones_like(bad) * (total > 0), bad, total, _squares(bad, total))]
    if before is not None:
        y, m = (item.astype(float) for item in before)
        history = (np.ones_like(y) * (m > 0), y, m, _squares(y, m))
        sums = [item + past.sum(axis=1, keepdims=True) for item, past in zip(sums, history, strict=True)]
    windows, y, m, squares = sums
    known = (windows >= 2) & (y > 0) & (y < m) & (m > windows)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = y / m
        free = windows - 1
        excess = ((squares - y * rate) / (rate * (1 - rate)) - free) / np.maximum(free, ENOUGH)
        found = np.clip(excess / (m / windows - 1), 0.0, 1.0)
    return np.asarray(np.where(known, found, 0.0), dtype=np.float64)


def _squares(bad: Numbers, total: Numbers) -> Numbers:
    return np.asarray(np.where(total > 0, bad * bad / np.maximum(total, 1), 0.0))


def _earlier(item: Numbers) -> Numbers:
    """Sums over the looks before each."""
    return np.cumsum(item, axis=1) - item


def divisors(correlation: Numbers, seen: Windows) -> Numbers:
    """How many times as much as by chance each window's counts vary."""
    n, m = seen.canary_total, seen.other_total
    share = n / (n + m)
    varied = (1 - share) * (1 + (n - 1) * correlation) + share * (1 + (m - 1) * correlation)
    return np.asarray(np.where(n > 0, np.maximum(1.0, varied), 1.0), dtype=np.float64)


def learnt(seen: Windows, before: tuple[Counts, Counts] | None = None) -> Numbers:
    """The divisors that `no_regression` finds by itself; with `before`, those of `dispersion: auto`."""
    return divisors(correlations(seen, before), seen)


# --- what evidence comes to -------------------------------------------------------------------------------------


def aborted(evidence: Numbers, alpha: float) -> float:
    """The share of rollouts whose evidence ever reaches the limit."""
    return float((evidence.max(axis=1) >= -math.log(alpha)).mean())


def delays(reached: NDArray[np.bool_], canary_total: Counts) -> Numbers:
    """The requests of the canary until each rollout's first look that `reached` names; infinite where none does."""
    spent = np.cumsum(canary_total, axis=1)
    first = reached.argmax(axis=1)
    rows = np.arange(len(reached))
    return np.where(reached.any(axis=1), spent[rows, first], np.inf)
