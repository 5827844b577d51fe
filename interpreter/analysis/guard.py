"""The traffic guard: are requests split as the routing says?

It runs by itself wherever a check counts the requests of canary and primary, and never fails anything: a split that is
not as set makes the check inconclusive, because what was compared is not what was meant to be. Once it has fired it
lets go when a thousand fresh requests are split as set. It is an e-process as well (`sequential.split_evidence`), at
one wrong alarm in a thousand rollouts; a new weight begins a new segment, whose evidence multiplies that of the former
ones.

Off where the weight alone does not decide who gets a request: stickiness, matches, mirrored requests, a baseline
that takes part of the primary's, and windows that began before the routing was as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dsl.ir import Arm, Unit
from interpreter.analysis import histogram, show
from interpreter.analysis.evidence import Moment, State, number, unseen
from interpreter.analysis.leaves import Leaf
from interpreter.analysis.readings import Gap, Look, Missing
from interpreter.analysis.sequential import CONCENTRATION, split_evidence
from interpreter.desired import Routing
from interpreter.questions import Events, Histogram

KEY = "split"
LIMIT = math.log(1000)


class Pair(NamedTuple):
    """The leaves that count the requests of both arms."""

    canary: Leaf
    primary: Leaf


class Alarm(NamedTuple):
    """What the guard keeps, and what it says, if it says anything."""

    state: State
    finding: Missing | None


def find_pair(leaves: Iterable[Leaf]) -> Pair | None:
    """The first metric that is counted for both arms over one window."""
    counted = [leaf for leaf in leaves if leaf.unit in (Unit.EVENTS, Unit.HISTOGRAM)]
    for leaf in counted:
        if leaf.arm is Arm.CANARY:
            for other in counted:
                if other.arm is Arm.PRIMARY and (other.metric, other.window_ms) == (leaf.metric, leaf.window_ms):
                    return Pair(leaf, other)
    return None


def applies(routing: Routing) -> bool:
    """Whether the weight alone decides who gets a request."""
    return 0 < routing.weight < 100 and not routing.matches and routing.sticky is None and routing.mirror == 0


def watch(pair: Pair, look: Look, moment: Moment, state: State) -> Alarm:
    """One look of the guard; the routing is one to which it applies."""
    canary, primary = (_total(leaf, look) for leaf in pair)
    if canary is None or primary is None or not canary + primary > 0:
        return Alarm(state, None)
    after = _counted(moment, state, canary, primary) if unseen(state, moment, pair.canary.window_ms) else state
    if not number(after, "firing"):
        return Alarm(after, None)
    shown = f"the canary got {show.plain(canary, 6)} of {show.count(canary + primary, 'request')}"
    return Alarm(after, Missing(Gap.UNSURE, f"routing not applied: {shown}, where {show.plain(moment.weight)}% is set"))


def _total(leaf: Leaf, look: Look) -> float | None:
    answer = look.answers[leaf.prefix + look.suffix]
    if isinstance(answer, Events):
        return answer.total
    return histogram.total(answer.buckets) if isinstance(answer, Histogram) else None


def _counted(moment: Moment, state: State, canary: float, primary: float) -> Mapping[str, float]:
    seen, others, before = (number(state, name) for name in ("canary", "primary", "before"))
    firing, weight = number(state, "firing"), number(state, "weight")
    if weight and weight != moment.weight:
        before, seen, others = before + split_evidence(weight / 100, seen, others), 0.0, 0.0
    seen, others = seen + canary, others + primary
    here = split_evidence(moment.weight / 100, seen, others)
    if before + here >= LIMIT:
        firing, before, seen, others = 1.0, 0.0, 0.0, 0.0
    elif firing and seen + others >= CONCENTRATION and here < 0:
        firing, before = 0.0, 0.0
    return {
        "end": float(moment.at_ms),
        "weight": float(moment.weight),
        "canary": seen,
        "primary": others,
        "before": before,
        "firing": firing,
    }
