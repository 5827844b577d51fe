"""The canary that was not there: its part of the traffic, drawn out of the primary's real counts.

In a quiet week all requests went to one revision. Had a canary of the same revision had the share w of them, each
request would have gone to it with probability w, whatever became of the request. So the canary's bad and good requests
of a window are binomial draws of the real ones, and its histogram one draw a bucket; the primary keeps the rest. The
drift and the bursts of the real traffic stay in both arms, which no simulation has (this is thinning, the exact split
of a stream by independent marks; Kingman, Poisson Processes, 1993, §5.1).

Requests that are mirrored are seen by the canary and kept by the primary. A canary that gets none by its routing (its
checks are then fed by a load test) is given `PROBED` of them as copies. Counts that are not whole, for Prometheus
extrapolates its windows to their edges, are split as so many whole ones and one smaller one. A number has no parts:
both arms have the primary's own; a rate is shared in proportion.

The draws of a window are seeded with its question's, so that the same seed gives the same answers in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from math import floor, log, log1p, sqrt
from random import Random
from typing import NamedTuple

from dsl.ir import Arm, Unit
from interpreter.desired import Routing
from interpreter.questions import Answer, Events, Histogram, MetricQuestion, NoDataAnswer, Value
from interpreter.simulator.telemetry import shares

PROBED = 0.05
"""The share of requests whose like a canary without traffic of its own sees."""

NORMAL = 1000.0
"""The mean above which a count is drawn from the normal distribution; its skew is below 0.032 there."""


class Split(NamedTuple):
    """How requests are shared: `routed` leave the primary for the canary, `copied` are seen by it as well."""

    routed: float
    copied: float
    baseline: float = 0.0


def split_of(routing: Routing, *, baseline: bool) -> Split:
    """By the routing, as the simulator reads it. A baseline takes as much from the primary as the canary does."""
    shared = shares(routing)
    routed = 1 - shared[Arm.PRIMARY]
    copied = shared[Arm.CANARY] - routed
    if shared[Arm.CANARY] <= 0:
        copied = PROBED
    return Split(routed, copied, min(routed, 1 - routed) if baseline else 0.0)


def thinned(question: MetricQuestion, unit: Unit, whole: Answer, split: Split, seed: str) -> Answer:
    """What the arm of a question would have seen, where `whole` is what the primary alone saw."""
    if not isinstance(whole, Value | Events | Histogram):
        return whole
    share = _share(question.arm, split)
    if isinstance(whole, Value):
        return replace(whole, value=whole.value * share) if unit is Unit.RATE else whole
    if share <= 0:
        return NoDataAnswer("no requests: the other arm has them all")
    take = _taker(question, split, seed)
    if isinstance(whole, Events):
        bad, good = take(whole.bad), take(max(0.0, whole.total - whole.bad))
        return Events(bad, bad + good)
    bounds = [bound for bound, _ in whole.buckets]
    counts = [take(count) for count in _apart([count for _, count in whole.buckets])]
    return Histogram(tuple(zip(bounds, accumulate(counts), strict=True)))


def _share(arm: str, split: Split) -> float:
    match arm:
        case "canary":
            return split.routed + split.copied
        case "baseline":
            return split.baseline
        case _:
            return 1 - split.routed - split.baseline


def _taker(question: MetricQuestion, split: Split, seed: str) -> Callable[[float], float]:
    """Takes an arm's part of a count. Every arm makes the same draws in the same order, so that the parts of one count
    add up to it."""
    chance = Random(f"{seed}:{question.metric}:{question.window_ms}:{question.at_ms}")

    def take(count: float) -> float:
        routed = part(count, split.routed, chance)
        rest = count - routed
        baseline = part(rest, split.baseline / (1 - split.routed) if split.routed < 1 else 0.0, chance)
        copied = part(rest, min(1.0, split.copied / (1 - split.routed)) if split.routed < 1 else 0.0, chance)
        match question.arm:
            case "canary":
                return routed + copied
            case "baseline":
                return baseline
            case _:
                return rest - baseline

    return take


def part(count: float, share: float, chance: Random) -> float:
    """How much of a count falls to a share: its whole ones one by one, and what is left at once."""
    whole = floor(count)
    rest = count - whole
    return binomial(whole, share, chance) + (rest if rest and chance.random() < share else 0.0)


def binomial(tries: int, share: float, chance: Random) -> int:
    """How many of so many tries come true. By the waiting times between those that do (Devroye, Non-Uniform Random
    Variate Generation, 1986, X.4.2), or by the normal distribution where they are many."""
    if tries <= 0 or share <= 0:
        return 0
    if share >= 1:
        return tries
    if share > 0.5:
        return tries - binomial(tries, 1 - share, chance)
    mean = tries * share
    if mean > NORMAL:
        return min(tries, max(0, round(chance.gauss(mean, sqrt(mean * (1 - share))))))
    found, place, never = 0, 0, log1p(-share)
    while (place := place + 1 + floor(log(1 - chance.random()) / never)) <= tries:
        found += 1
    return found


def _apart(cumulative: Sequence[float]) -> list[float]:
    """How many are in each bucket. Extrapolated counts may fall a little where they should only rise."""
    return [max(0.0, after - before) for before, after in pairwise((0.0, *accumulate(cumulative, max)))]
