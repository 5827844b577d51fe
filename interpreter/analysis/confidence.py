"""Between what bounds a share lies, by counts that one looks at again and again.

A 95% interval of the usual kind holds at one look that was fixed beforehand; looked at after every check it will sooner
or later exclude the truth. This one holds at all looks at once: with a probability of 95% the share is within it each
time. It is the set of shares p that a mixture of likelihood ratios against p has never refuted by more than 1/α, with
a Beta prior around p whose mass is such that the bounds are tightest near `TUNED` events (Howard, Ramdas, McAuliffe and
Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 2021, the two-sided
beta-binomial mixture; the same values as their library's `bernoulli_confidence_interval`).

It is about one share that stays what it is; where the rate drifts it is an interval around its mean, and approximate.
"""

from __future__ import annotations

import math
from collections.abc import Callable

TUNED = 1000.0
"""Events at which the bounds are tightest. Fixed: to choose it by what was counted would break the promise."""

TUNED_ALPHA = 0.05
LEAST_MASS = 1e-3
STEPS = 60
NEAR = 1e-9
NARROW = 1e-12


def prior_mass(tuned: float) -> float:
    """The Beta prior's mass that makes the bounds tightest after `tuned` events."""
    doubled = 2 * math.log(1 / TUNED_ALPHA)
    return max(LEAST_MASS, tuned / (doubled + math.log1p(doubled)) - 1)


def interval(bad: float, total: float, *, alpha: float = 0.05, tuned: float = TUNED) -> tuple[float, float]:
    """The lowest and highest share, 0 to 1, that `bad` of `total` events have not refuted; 0 and 1 without events."""
    if not total > 0:
        return 0.0, 1.0
    bad = min(total, max(0.0, bad))
    against = _evidence(bad, total, prior_mass(tuned))
    least = against(bad / total) if 0 < bad < total else 0.0
    target = math.sqrt(-math.log(alpha) - least)
    low, high = (_bound(against, bad / total, end, least, target, total) for end in (0.0, 1.0))
    return low, high


def _evidence(bad: float, total: float, mass: float) -> Callable[[float], float]:
    """The log evidence against a share: `split_evidence`, with what does not depend on the share worked out once."""
    good, gamma, log, log1p = total - bad, math.lgamma, math.log, math.log1p
    constant = gamma(mass) - gamma(mass + total)

    def against(share: float) -> float:
        a = mass * share
        b = mass - a
        gained = gamma(a + bad) - gamma(a) + gamma(b + good) - gamma(b) + constant
        return gained - bad * log(share) - good * log1p(-share)

    return against


def _bound(
    against: Callable[[float], float], seen: float, end: float, least: float, target: float, total: float
) -> float:
    """Where evidence crosses its limit, between what was seen and the end of the range.

    The root of the evidence is all but linear in the share, so that a secant finds the place in a few steps; where it
    would leave the bracket, the bracket is halved.
    """
    if seen == end:
        return end
    inside, outside, last, last_root = seen, end, seen, 0.0
    share = _guess(seen, end, 2 * target * target, total)
    for _ in range(STEPS):
        root = math.sqrt(max(0.0, against(share) - least))
        if root < target:
            inside = share
        else:
            outside = share
        if abs(root - target) < NEAR or abs(outside - inside) < NARROW:
            break
        slope = (root - last_root) / (share - last)
        last, last_root = share, root
        share = share + (target - root) / slope if slope else outside
        if not min(inside, outside) < share < max(inside, outside):
            share = (inside + outside) / 2
    return end if abs(share - end) < NARROW else share


def _guess(seen: float, end: float, squared: float, total: float) -> float:
    """Wilson's bound of as many standard deviations, which is near."""
    middle = seen + squared / (2 * total)
    reach = math.sqrt(squared * (seen * (1 - seen) / total + squared / (4 * total * total)))
    share = (middle + (reach if end else -reach)) / (1 + squared / total)
    return share if min(seen, end) < share < max(seen, end) else (seen + end) / 2
