"""Statistical checks on counts: `no_regression`, `meets` and `certified`."""

from __future__ import annotations

import math
from collections.abc import Mapping

from interpreter.analysis import dispersion, show
from interpreter.analysis.confidence import interval
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
    power,
    ruling,
    unseen,
    without_answer,
)
from interpreter.analysis.leaves import missing
from interpreter.analysis.readings import Gap, Look, Missing, worst
from interpreter.analysis.sequential import log_mean, objective_evidence, rate_gains, rate_grid
from interpreter.questions import Events

GLANCE = 0.02
"""How exactly the bounds of a share are worked out that are shown with three digits."""


def no_regression(test: Test, look: Look, moment: Moment, state: State) -> Ruling:
    """Is the canary's rate of bad events higher than the other arm's, by more than the tolerated ratio?"""
    if test.before is not None:
        state = dispersion.remember(test, look, moment.at_ms, state)
    counts = _counts(test, look)
    if isinstance(counts, Missing):
        return without_answer(test, state, counts)
    canary, other = counts
    varied = _divisor(test, state, canary, other)
    after = _bet(test, moment, state, canary, other, varied) if unseen(state, moment, test.check.window_ms) else state
    seen, beside = (
        (number(after, bad), number(after, total)) for bad, total in (("bad", "total"), ("other_bad", "other_total"))
    )
    facts = f"canary {share_words(*seen)}, {test.leaves[1].arm.value} {counts_words(*beside)}"
    if bursts := dispersion.words(test, state, varied):
        facts = f"{facts}; {bursts}"
    learnt = nothing_learnt(test, [arm.total for arm in counts], moment)
    return ruling(test, moment, state, after, facts, learnt)


def _divisor(test: Test, state: State, canary: Events, other: Events) -> float:
    """How many times as much as by chance this window's counts vary: stated, or by earlier windows."""
    if not canary.total > 0:
        return 1.0
    stated = test.check.params.get("dispersion")
    correlation = dispersion.spread_of(state).correlation if stated is None else stated
    return dispersion.divisor(correlation, canary.total, other.total)


def _bet(test: Test, moment: Moment, state: State, canary: Events, other: Events, varied: float) -> State:
    grid = rate_grid(test.check.params.get("ratio", 1.0))
    logs = numbers(state, "logs") or [0.0] * len(grid.ratios)
    if canary.total > 0 and canary.bad + other.bad > 0:
        gains = rate_gains(grid, canary.bad, other.bad, canary.total, other.total)
        part = 1 / varied
        logs = [log + gain * part for log, gain in zip(logs, gains, strict=True)]
    return counted(
        state,
        moment,
        log_mean(grid.log_weights, logs),
        bad=number(state, "bad") + canary.bad,
        total=number(state, "total") + canary.total,
        other_bad=number(state, "other_bad") + other.bad,
        other_total=number(state, "other_total") + other.total,
        logs=logs,
        **_learnt(test, state, other),
    )


def _learnt(test: Test, state: State, other: Events) -> Mapping[str, float | list[float]]:
    """What is known of bursts, with this window of the other arm: for later windows, not for this one."""
    if "dispersion" in test.check.params:
        return {}
    known = {"history": number(state, "history")} if "history" in state else {}
    return {**known, "spread": list(dispersion.spread_of(state).plus(other))}


def objective(test: Test, look: Look, moment: Moment, state: State) -> Ruling:
    """Does the canary break its objective? And, for `certified`, is it shown to keep it?"""
    counts = _counts(test, look)
    if isinstance(counts, Missing):
        return without_answer(test, state, counts)
    allowed = 1 - test.check.params["objective"]
    after = state
    if unseen(state, moment, test.check.window_ms):
        bad, total = number(state, "bad") + counts[0].bad, number(state, "total") + counts[0].total
        best = _best(test, state, allowed, bad, total)
        after = counted(state, moment, objective_evidence(allowed, bad, total), bad=bad, total=total, **best)
    facts = f"{share_words(number(after, 'bad'), number(after, 'total'))} where {show.percent(allowed)} may be bad"
    if test.check.test == "meets":
        return ruling(test, moment, state, after, facts, nothing_learnt(test, [counts[0].total], moment))
    return _certified(test, ruling(test, moment, state, after, facts, _not_yet(test, after)))


def _best(test: Test, state: State, allowed: float, bad: float, total: float) -> Mapping[str, float]:
    """How certain it ever was that the objective is kept, where that is asked."""
    if test.check.test != "certified":
        return {}
    kept = objective_evidence(allowed, bad, total, mirrored=True)
    return {"best": min(LARGEST, max(number(state, "best"), kept))}


def _certified(test: Test, found: Ruling) -> Ruling:
    shown = (f"certainty on {test.check.metric}", f"{power(number(found.state, 'best'))} of {power(_needed(test))}")
    return found._replace(values=(shown, *found.values))


def _not_yet(test: Test, state: State) -> Missing | None:
    return None if number(state, "best") >= _needed(test) else Missing(Gap.UNSURE, "not yet certified")


def _needed(test: Test) -> float:
    """The log evidence that certifies: a bad one is promoted with one less the confidence at most."""
    return -math.log(max(1e-12, 1 - test.check.params.get("confidence", 0.95)))


def _counts(test: Test, look: Look) -> list[Events] | Missing:
    """The counts of each arm, put right where extrapolation has more bad events than events."""
    found: list[Events] = []
    gaps: list[Missing] = []
    for leaf in test.leaves:
        answer = look.answers[leaf.prefix + look.suffix]
        if isinstance(answer, Events):
            total = max(0.0, answer.total)
            found.append(Events(min(max(0.0, answer.bad), total), total))
        else:
            gaps.append(missing(answer, leaf))
    return worst(*gaps) if gaps else found


def counts_words(bad: float, total: float) -> str:
    """`57 of 5,700 (1%)`: counts and rate."""
    return f"{_counted(bad, total)})" if total > 0 else "none"


def share_words(bad: float, total: float) -> str:
    """`6 of 300 (2%, 0.352% to 5.79%)`: counts, rate, and the 95% interval that holds at all looks at once."""
    if not total > 0:
        return "none"
    low, high = interval(bad, total, near=GLANCE)
    return f"{_counted(bad, total)}, {show.percent(low, 3)} to {show.percent(high, 3)})"


def _counted(bad: float, total: float) -> str:
    return f"{_many(bad)} of {_many(total)} ({show.percent(bad / total, 3)}"


def _many(events: float) -> str:
    """A count. Prometheus extrapolates, so that it may have a fraction, which is told of small ones only."""
    return f"{events:.0f}" if events >= 100 else show.plain(events, 3)
