"""Published time-uniform boundaries, of which only comparisons need more than the product has.

A sum S of martingale differences whose variance has added up to v is below `bound(v, α)` at all times, with probability
1 - α. Mixtures are given as log m(s, v), which stays below ln(1/α) just as long. `tuned` is the v at which the bound
is tightest (for α = 0.05). Sources: Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic
confidence sequences" (Annals of Statistics 2021), propositions 5 to 10 and theorem 1; Howard and Ramdas, "Sequential
estimation of quantiles with applications to A/B testing" (Bernoulli 2022), theorem 3 and section 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scipy.optimize import brentq
from scipy.special import betainc, betaln, gammainc, gammaincc, gammaln, zeta
from scipy.stats import norm

TUNED_ALPHA = 0.05
Mixture = Callable[[float, float], float]


def scale(tuned: float, *, one_sided: bool = False) -> float:
    """ρ, the prior's precision in units of v."""
    alpha = TUNED_ALPHA * (2 if one_sided else 1)
    doubled = 2 * math.log(1 / alpha)
    return tuned / (doubled + math.log1p(doubled))


def bound(mixture: Mixture, v: float, alpha: float, most: float = math.inf) -> float:
    """Where a mixture reaches 1/α."""
    limit, high = -math.log(alpha), min(v, most)
    while high < most and mixture(high, v) < limit:
        high *= 2
    return float(brentq(lambda s: mixture(s, v) - limit, 0.0, min(high, most), xtol=1e-12))


def normal(tuned: float, *, one_sided: bool = False) -> Mixture:
    """Of normal increments."""
    rho = scale(tuned, one_sided=one_sided)

    def mixture(s: float, v: float) -> float:
        both = 0.5 * math.log(rho / (v + rho)) + s * s / (2 * (v + rho))
        return both + float(norm.logcdf(s / math.sqrt(v + rho))) + math.log(2) if one_sided else both

    return mixture


def gamma_exponential(tuned: float, c: float) -> Mixture:
    """Of increments with an exponential upper tail of scale c."""
    shape = scale(tuned, one_sided=True) / c**2
    leading = shape * math.log(shape) - gammaln(shape) - math.log(gammainc(shape, shape))

    def mixture(s: float, v: float) -> float:
        seen, spent = v / c**2 + shape, (c * s + v) / c**2
        rest = gammaln(seen) + math.log(gammainc(seen, spent + shape)) - seen * math.log(spent + shape) + spent
        return float(leading + rest)

    return mixture


def gamma_poisson(tuned: float, c: float) -> Mixture:
    """Of centred Poisson increments of size c."""
    shape = scale(tuned, one_sided=True) / c**2
    leading = shape * math.log(shape) - gammaln(shape) - math.log(gammaincc(shape, shape))

    def mixture(s: float, v: float) -> float:
        expected = v / c**2 + shape
        seen = s / c + expected
        rest = gammaln(seen) + math.log(gammaincc(seen, expected)) - seen * math.log(expected) + v / c**2
        return float(leading + rest)

    return mixture


def beta_binomial(tuned: float, g: float, h: float, *, one_sided: bool = False) -> Mixture:
    """Of increments between -g and h."""
    width = g + h
    r = max(scale(tuned, one_sided=one_sided) - g * h, 1e-3 * g * h)

    def log_mass(below: float, above: float) -> float:
        part = math.log(betainc(below, above, h / width)) if one_sided else 0.0
        return float(betaln(below, above)) + part

    leading = log_mass(r / (g * width), r / (h * width))

    def mixture(s: float, v: float) -> float:
        fallen, risen = (v - g * s) / (g * width), (v + h * s) / (h * width)
        against = v / (g * h) * math.log(width) - risen * math.log(g) - fallen * math.log(h)
        return against + log_mass(r / (g * width) + fallen, r / (h * width) + risen) - leading

    return mixture


# --- stitching --------------------------------------------------------------------------------------------------

POWER, GROWTH = 1.4, 2.0
ROOT = (GROWTH**0.25 + GROWTH**-0.25) / math.sqrt(2)
LINEAR = (math.sqrt(GROWTH) + 1) / 2


def stitched(v: float, alpha: float, least: float, c: float) -> float:
    """The polynomial stitched bound, from v = `least` on; c is the tail's scale."""
    v = max(v, least)
    level = POWER * math.log(math.log(GROWTH * v / least))
    level += math.log(float(zeta(POWER)) / (alpha * math.log(GROWTH) ** POWER))
    linear = LINEAR * c * level
    return math.sqrt(ROOT**2 * v * level + linear**2) + linear


def double_stitched(p: float, t: float, alpha: float, least: float, delta: float = 0.5) -> float:
    """How far the number of t observations below their p-quantile may be from p·t, at all times and for all p."""
    t = max(t, least)
    logit = math.log(p / (1 - p))
    near = p if p >= 0.5 else min(0.5, 1 / (1 + math.exp(-logit - 2 * delta * math.sqrt(least * GROWTH / t))))
    variance, whole = near * (1 - near), float(zeta(POWER))
    level = POWER * math.log(math.log(GROWTH * t / least))
    level += POWER * math.log(math.sqrt(t / least) * abs(logit) / (2 * delta) + 1)
    level += math.log(2 * whole * (2 * whole + 1) / (alpha * math.log(GROWTH) ** POWER))
    linear = LINEAR * (1 - 2 * p) / 3 * level
    moved = delta * math.sqrt(GROWTH * t * variance / least)
    return moved + math.sqrt(ROOT**2 * variance * t * level + linear**2) + linear


# --- two arms' quantiles ----------------------------------------------------------------------------------------


def quantile_p_value(p: float, one: Sequence[float], other: Sequence[float], tuned: float) -> float:
    """Anytime-valid: are the p-quantiles of two samples the same? The least evidence that any common value leaves.

    For a value x, the evidence of an arm is that of the share of its observations below x against p; it falls and rises
    again, and where x lies between two observations the arm may choose the kinder side.
    """
    mixture = beta_binomial(tuned * p * (1 - p), p, 1 - p)

    def evidence(arm: Sequence[float], x: float) -> float:
        total = len(arm)
        shares = [sum(value < x for value in arm) / total, sum(value <= x for value in arm) / total]
        found = [mixture((share - p) * total, p * (1 - p) * total) for share in shares]
        inside = shares[0] <= p <= shares[1]
        return mixture(0.0, p * (1 - p) * total) if inside else min(found)

    least = min(evidence(one, x) + evidence(other, x) for x in sorted({*one, *other}))
    return min(1.0, math.exp(-least))
