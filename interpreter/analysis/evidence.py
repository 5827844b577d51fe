"""What a statistical check keeps between looks, and what it hands to the judge.

Evidence is one small JSON mapping a check, under a key that the same check has in every analysis of the rollout. It is
never restarted: what a test promises of wrong aborts holds for the whole rollout, and only so. Hence each window counts
once (`end` remembers the last; the same check judged again changes nothing) and windows that overlap are refused. A
hundredth of a window is put down to clocks.

`log_e` is the evidence as it stands, `peak` the most it ever was; from the moment that has reached the check's limit
the check fails at every look.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dsl.ir import Statistical
from interpreter.analysis import show
from interpreter.analysis.kayenta import Classified
from interpreter.analysis.leaves import Leaf
from interpreter.analysis.readings import Gap, Missing, Reader, Truth

State = Mapping[str, float | list[float]]

MOUNTING = math.log(10)
"""Log evidence above which traffic is not raised."""

LARGEST = 700.0
"""As much log evidence as is kept: JSON has no infinity, and e to this is still a number."""

JITTER = 0.01


class Test(NamedTuple):
    """A statistical check, compiled. `alpha` is its part of the budget of wrong aborts; `readers` are what `not_worse`
    and `kayenta` compare, `leaves` what the others do; the canary's first. `before` is what the first look asks of the
    time before the rollout, if it asks anything."""

    key: str
    check: Statistical
    alpha: float
    leaves: tuple[Leaf, ...]
    readers: tuple[Reader, ...]
    before: Leaf | None = None

    @property
    def limit(self) -> float:
        """The log evidence at which it fails."""
        return -math.log(self.alpha)


class Moment(NamedTuple):
    """When a check looks, and the canary's share of the traffic, in percent."""

    at_ms: int
    weight: float


class Ruling(NamedTuple):
    """What a statistical check came to, in words too, and what it keeps. `mounting` holds the next raise of traffic;
    `condemns` says that this result alone ends the rollout, whatever is tolerated. `classified` is what Kayenta's judge
    makes of a metric, for the judgement in which it stands. `standing` is its evidence, or its score, and how much of
    it settles the check; None while there is none."""

    truth: Truth
    state: State
    words: str = ""
    values: tuple[tuple[str, str], ...] = ()
    mounting: bool = False
    condemns: bool = False
    classified: Classified | Missing | None = None
    standing: tuple[float, float] | None = None


def number(state: State, name: str) -> float:
    """A number of the evidence; 0 if it is not there yet."""
    value = state.get(name, 0.0)
    return 0.0 if isinstance(value, list) else value


def numbers(state: State, name: str) -> list[float]:
    """A list of numbers of the evidence."""
    value = state.get(name, [])
    return value if isinstance(value, list) else []


def unseen(state: State, moment: Moment, window_ms: int) -> bool:
    """Whether this window is disjoint from all that were counted."""
    return "end" not in state or moment.at_ms - window_ms >= number(state, "end") - JITTER * window_ms


def overlapping(state: State, moment: Moment, window_ms: int) -> bool:
    """Whether this window is refused; the very one that was counted last is not."""
    return not unseen(state, moment, window_ms) and moment.at_ms != number(state, "end")


def counted(state: State, moment: Moment, log_e: float, **more: float | list[float]) -> State:
    """The evidence after one more window."""
    standing = max(-LARGEST, min(LARGEST, log_e))
    return {
        "end": float(moment.at_ms),
        "log_e": standing,
        "peak": max(number(state, "peak"), standing),
        **more,
    }


def ruling(
    test: Test, moment: Moment, before: State, after: State, facts: str, unsettled: Missing | None = None
) -> Ruling:
    """The check holds until its evidence says otherwise; `unsettled` says why it does not even hold yet."""
    log_e, peak = number(after, "log_e"), number(after, "peak")
    reached = peak >= test.limit
    refused = overlapping(before, moment, test.check.window_ms)
    words = "; ".join(
        part
        for part in (
            unsettled.reason if unsettled else "",
            facts,
            "this window overlaps the last one and is not counted" if refused else "",
        )
        if part
    )
    value = f"{power(log_e)} of {power(test.limit)}"
    if reached and log_e < test.limit:
        value += f", {power(peak)} at its highest"
    truth: Truth = False if reached else True if unsettled is None else unsettled._replace(reason=words)
    shown = ((_evidence_on(test), value),)
    return Ruling(truth, after, words, shown, log_e > MOUNTING, standing=_standing(test, log_e))


def without_answer(test: Test, state: State, gap: Missing) -> Ruling:
    """No answer, no evidence; but what had been shown before stays shown."""
    if number(state, "peak") >= test.limit:
        value = f"{power(number(state, 'log_e'))} of {power(test.limit)}"
        shown = ((_evidence_on(test), value),)
        return Ruling(False, state, gap.reason, shown, standing=_standing(test, number(state, "log_e")))
    return Ruling(gap, state, gap.reason)


def _standing(test: Test, log_e: float) -> tuple[float, float]:
    """The evidence and its limit, as they are told, not as logarithms."""
    return math.exp(log_e), 1 / test.alpha


def _evidence_on(test: Test) -> str:
    """The name of the value; a check of several tests shows several."""
    return f"evidence on {test.check.metric}"


def power(log: float) -> str:
    """e to this, as people read it."""
    if log < math.log(0.001):
        return "<0.001"
    return show.plain(math.exp(log), 3) if log < math.log(1e6) else f"1e{log / math.log(10):.0f}"


def nothing_learnt(test: Test, totals: Sequence[float], moment: Moment) -> Missing | None:
    """Why a window says nothing of the canary. Where the canary has all the traffic, nothing to compare with is to be
    expected."""
    if not totals[0] > 0:
        return Missing(Gap.UNSURE, f"`{test.leaves[0].name}`: nothing was counted in this window")
    if len(totals) > 1 and not totals[1] > 0 and moment.weight < 100:
        return Missing(Gap.UNSURE, f"`{test.leaves[1].name}`: nothing was counted in this window to compare with")
    return None
