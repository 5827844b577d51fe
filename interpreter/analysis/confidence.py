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
NEAR = 5e-4
"""`near`, unless it is said."""

NARROW = 1e-7


def prior_mass(tuned: float) -> float:
    """The Beta prior's mass that makes the bounds tightest after `tuned` events."""
    doubled = 2 * math.log(1 / TUNED_ALPHA)
    return max(LEAST_MASS, tuned / (doubled + math.log1p(doubled)) - 1)


def interval(
    bad: float, total: float, *, alpha: float = 0.05, tuned: float = TUNED, near: float = NEAR
) -> tuple[float, float]:
    """The lowest and highest share, 0 to 1, that `bad` of `total` events have not refuted; 0 and 1 without events.
    `near` is how near to the limit the root of the evidence has to come for one more step to be the last."""
    if not total > 0:
        return 0.0, 1.0
    bad = min(total, max(0.0, bad))
    against = _evidence(bad, total, prior_mass(tuned))
    least = against(bad / total) if 0 < bad < total else 0.0
    target = math.sqrt(-math.log(alpha) - least)
    seen = math.asin(math.sqrt(bad / total))
    low, high = (_bound(against, seen, end, least, target, total, near) for end in (0.0, math.pi / 2))
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
    against: Callable[[float], float],
    seen: float,
    end: float,
    least: float,
    target: float,
    total: float,
    near: float,
) -> float:
    """Where evidence crosses its limit, between what was seen and the end of the range; both as angles, whose squared
    sines are the shares.

    The root of the evidence is all but linear in the angle, so that a secant finds the place in a few steps; where it
    would leave the bracket, the bracket is halved.
    """
    up = end > seen
    inside, outside, last, last_root = seen, end, seen, 0.0
    angle = seen + math.copysign(target / math.sqrt(2 * total), end - seen)
    for _ in range(STEPS):
        if not (inside < angle < outside if up else outside < angle < inside):
            angle = (inside + outside) / 2
        if abs(outside - inside) < NARROW:
            return math.sin(outside) ** 2
        root = math.sqrt(max(0.0, against(math.sin(angle) ** 2) - least))
        missing = target - root
        inside, outside = (angle, outside) if missing > 0 else (inside, angle)
        slope = (root - last_root) / (angle - last)
        last, last_root = angle, root
        angle = angle + missing / slope if slope else outside
        if abs(missing) < near:
            break
    return math.sin(min(math.pi / 2, max(0.0, angle))) ** 2
