"""`no_slower`: is the canary slower than the other arm, anywhere?

The test of `no_regression` at every finite bound of the histogram, with the requests above it as the bad ones; the
evidence is the mean over all bounds, which is evidence against "nowhere slower" whatever the bounds have to do with
each other. No bound has to be chosen by anybody.

A bound is worth a bet only once both arms together have requests on either side of it; until then it stands at 1.
That is decided by the sum of the arms, of which the test is independent. Evidence must stay small, so that at most
twelve bounds are bet on, those with the most telling tails, on a narrow grid, and logarithms are kept to four
decimals, rounded down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import exp, floor
from operator import mul

from interpreter.analysis import histogram, show
from interpreter.analysis.evidence import (
    LARGEST,
    Moment,
    Ruling,
    State,
    Test,
    counted,
    nothing_learnt,
    number,
    numbers,
    ruling,
    unseen,
    without_answer,
)
from interpreter.analysis.leaves import missing
from interpreter.analysis.readings import Look, Missing, worst
from interpreter.analysis.sequential import NARROW_POINTS, narrow_grid, rate_losses
from interpreter.questions import Histogram

MOST_BOUNDS = 12
MOST_TELLING = 0.05
"""The share of slow requests at which a bound tells most for its cost."""

LOWEST = -99.0
DECIMALS = 1e4

Tails = Mapping[float, float]


def no_slower(test: Test, look: Look, moment: Moment, state: State) -> Ruling:
    """One look."""
    found = _histograms(test, look)
    if isinstance(found, Missing):
        return without_answer(test, state, found)
    totals = [histogram.total(item.buckets) for item in found]
    tails = [histogram.slower(item.buckets) for item in found]
    if unseen(state, moment, test.check.window_ms):
        after, rows = _bet(moment, state, tails, totals)
    else:
        after, rows = state, _rows(numbers(state, "logs"))
    facts = _facts(test, after, rows, tails, totals)
    return ruling(test, moment, state, after, facts, nothing_learnt(test, totals, moment))


def _histograms(test: Test, look: Look) -> list[Histogram] | Missing:
    found: list[Histogram] = []
    gaps: list[Missing] = []
    for leaf in test.leaves:
        answer = look.answers[leaf.prefix + look.suffix]
        if isinstance(answer, Histogram):
            found.append(answer)
        else:
            gaps.append(missing(answer, leaf))
    return worst(*gaps) if gaps else found


def _bet(
    moment: Moment, state: State, tails: Sequence[Tails], totals: Sequence[float]
) -> tuple[State, Sequence[float]]:
    """The state with this window in it, and the evidence at each of its bounds."""
    canary, other = tails
    together = {bound: canary[bound] + other[bound] for bound in canary if bound in other}
    slots = number(state, "slots") or float(len(together))
    bounds, logs = list(numbers(state, "bounds")), list(numbers(state, "logs"))
    whole = sum(totals)
    if totals[0] > 0:
        bounds += _new_bounds(bounds, together, whole, slots)
        logs += [0.0] * (NARROW_POINTS * len(bounds) - len(logs))
        losses = rate_losses(narrow_grid(), totals[0] / whole)
        for row, bound in enumerate(bounds):
            if together.get(bound, 0.0) > 0:
                _bet_on(logs, row * NARROW_POINTS, losses, canary[bound], together[bound])
    rows = _rows(logs)
    return counted(state, moment, _mean(rows, slots), slots=slots, bounds=bounds, logs=logs), rows


def _new_bounds(bounds: Sequence[float], together: Tails, whole: float, slots: float) -> list[float]:
    fit = [bound for bound, tail in together.items() if bound not in bounds and 0 < tail < whole]
    fit.sort(key=lambda bound: abs(math.log(together[bound] / whole / MOST_TELLING)))
    return fit[: max(0, min(MOST_BOUNDS, int(slots)) - len(bounds))]


def _bet_on(logs: list[float], start: int, losses: Sequence[float], canary: float, together: float) -> None:
    row = [
        floor((log + canary * gain - together * loss) * DECIMALS + 1e-6) / DECIMALS
        for log, gain, loss in zip(logs[start : start + NARROW_POINTS], narrow_grid().log_gains, losses, strict=True)
    ]
    if min(row) < LOWEST:
        row = [log if log > LOWEST else LOWEST for log in row]
    if max(row) > LARGEST:
        row = [log if log < LARGEST else LARGEST for log in row]
    logs[start : start + NARROW_POINTS] = row


def _rows(logs: Sequence[float]) -> list[float]:
    """The evidence at each bound. Logs are kept within what an exponential can hold."""
    weights = narrow_weights()
    return [
        sum(map(mul, weights, map(exp, logs[at : at + NARROW_POINTS]))) for at in range(0, len(logs), NARROW_POINTS)
    ]


@lru_cache(maxsize=1)
def narrow_weights() -> tuple[float, ...]:
    """The weights of the narrow grid."""
    return tuple(map(exp, narrow_grid().log_weights))


def _mean(rows: Sequence[float], slots: float) -> float:
    """The log mean over all slots; those without a bound stand at 1."""
    return math.log((sum(rows) + max(0.0, slots - len(rows))) / slots) if slots else 0.0


def _facts(test: Test, state: State, rows: Sequence[float], tails: Sequence[Tails], totals: Sequence[float]) -> str:
    """This window at the bound where the canary has looked worst so far."""
    ranked = sorted(zip(rows, numbers(state, "bounds"), strict=True), reverse=True)
    seen = [bound for _, bound in ranked if all(bound in arm for arm in tails)]
    if not seen or not all(total > 0 for total in totals):
        return ""
    bound = seen[0]
    shares = [
        f"{leaf.arm.value} {show.percent(arm[bound] / total, 3)}"
        for leaf, arm, total in zip(test.leaves, tails, totals, strict=True)
    ]
    return f"slower than {show.seconds(bound)}: {', '.join(shares)}"
