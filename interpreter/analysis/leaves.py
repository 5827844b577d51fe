"""What providers are asked, and what their answers come to: the leaves of every expression.

A leaf is a question but for its moment. Its readers look their answer up by the beginning of the question's key, bring
it to base units, and say what is missing in the words of the policy.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

from dsl.ir import BASE_SCALE, Arm, Measure, Metric, NoData, Unit
from interpreter.analysis import histogram, show
from interpreter.analysis.readings import Bounds, Gap, Look, Missing, Quantity, Reader, finite
from interpreter.questions import (
    Answer,
    ErrorAnswer,
    Events,
    GateAnswer,
    Histogram,
    MetricQuestion,
    NoDataAnswer,
    Readiness,
    Value,
)

ENOUGH_REQUESTS = 100
"""Requests that an arm needs before its quantile may be compared with another arm's."""

GAPS = {NoData.FAIL: Gap.FAIL, NoData.PASS: Gap.PASS, NoData.SKIP: Gap.SKIP, NoData.HOLD: Gap.HOLD}


class Leaf(NamedTuple):
    """One thing to ask a provider for; a `MetricQuestion` but for its moment. `prefix` is how its key begins."""

    metric: str
    arm: Arm
    window_ms: int
    unit: Unit
    gap: Gap
    prefix: str

    @property
    def name(self) -> str:
        return named(self.metric, self.arm)

    def question(self, at_ms: int) -> MetricQuestion:
        return MetricQuestion(self.metric, self.arm.value, self.window_ms, at_ms)


def leaf_of(metric: str, definition: Metric, arm: Arm, window_ms: int) -> Leaf:
    """The leaf for a metric that providers are asked for."""
    prefix = MetricQuestion(metric, arm.value, window_ms, 0).key[:-1]
    return Leaf(metric, arm, window_ms, definition.unit, GAPS[definition.no_data], prefix)


def named(metric: str, arm: Arm) -> str:
    """A metric of an arm in words; checks are about the canary unless they say otherwise."""
    return metric if arm is Arm.CANARY else f"{metric} of {arm.value}"


def label(measure: Measure) -> str:
    """A measure as the policy writes it, without its arm."""
    match measure.part:
        case "value":
            return measure.metric
        case "quantile":
            return f"{measure.metric}.quantile({measure.q:g})"
        case part:
            return f"{measure.metric}.{part}"


def missing(answer: Answer, leaf: Leaf) -> Missing:
    """What to make of an answer that is not what was asked for."""
    match answer:
        case NoDataAnswer(reason=reason):
            return Missing(leaf.gap, f"`{leaf.name}`: {reason}")
        case ErrorAnswer(reason=reason):
            return Missing(Gap.ERROR, f"`{leaf.name}`: {reason}")
        case Value() | Events() | Histogram() | Readiness() | GateAnswer():
            return Missing(Gap.ERROR, f"`{leaf.name}`: the answer is not of the metric's kind")
        case _:
            assert_never(answer)


def leaf_reader(leaf: Leaf, measure: Measure) -> Reader:
    match measure.part:
        case "value":
            return _value(leaf)
        case "rate" | "total" | "bad" as part:
            return _events(leaf, part)
        case "quantile":
            return _quantile(leaf, measure.q if measure.q is not None else 0.5)


def _value(leaf: Leaf) -> Reader:
    prefix, divisor = leaf.prefix, round(1 / BASE_SCALE.get(leaf.unit, 1.0))

    def read(look: Look) -> Quantity:
        answer = look.answers[prefix + look.suffix]
        return finite(answer.value / divisor) if isinstance(answer, Value) else missing(answer, leaf)

    return read


def _events(leaf: Leaf, part: str) -> Reader:
    prefix = leaf.prefix

    def read(look: Look) -> Quantity:
        answer = look.answers[prefix + look.suffix]
        if not isinstance(answer, Events):
            return missing(answer, leaf)
        if part == "rate":
            if not answer.total > 0:
                return Missing(leaf.gap, f"`{leaf.name}`: nothing was counted")
            return finite(answer.bad / answer.total)
        return finite(float(answer.total if part == "total" else answer.bad))

    return read


def _quantile(leaf: Leaf, q: float) -> Reader:
    prefix, name = leaf.prefix, named(f"{leaf.metric}.quantile({q:g})", leaf.arm)

    def read(look: Look) -> Quantity:
        answer = look.answers[prefix + look.suffix]
        if not isinstance(answer, Histogram):
            return missing(answer, leaf)
        found = histogram.quantile(answer.buckets, q)
        if found is None:
            return Missing(leaf.gap, f"`{leaf.name}`: nothing was counted")
        if found.at_least:
            bound = show.seconds(found.value)
            return Bounds(found.value, float("inf"), f"`{name}` is at least {bound}: the histogram's last bound")
        return finite(found.value)

    return read


def too_few(leaves: tuple[Leaf, ...], look: Look) -> Missing | None:
    """Quantiles of two arms say nothing of each other on a handful of requests."""
    for leaf in leaves:
        answer = look.answers[leaf.prefix + look.suffix]
        if isinstance(answer, Histogram) and (seen := histogram.total(answer.buckets)) < ENOUGH_REQUESTS:
            shown = show.count(seen, "request")
            return Missing(Gap.UNSURE, f"`{leaf.name}` has {shown}, and to compare it takes {ENOUGH_REQUESTS}")
    return None
