"""Answers the standard request metrics from what the local proxy itself has counted.

On one machine the proxy is the data plane whatever the policy names, so what `std/http` would ask a metric server for
(`requests`, `duration`, `request_rate`) is there already. Any other metric needs a server, and the answer says so.
"""

from __future__ import annotations

from typing import Literal, Protocol

from dsl.ir import Metric, Unit
from interpreter.questions import Answer, ErrorAnswer, Events, Histogram, MetricQuestion, Value

Arm = Literal["canary", "primary", "baseline"]


class Counted(Protocol):
    """Where the counts are."""

    def events(self, arm: Arm, window_ms: int, at_ms: int) -> tuple[int, int]:
        """Failed requests and all requests of an arm in the window that ended at `at_ms`."""

    def histogram(self, arm: Arm, window_ms: int, at_ms: int) -> tuple[tuple[float, float], ...]:
        """Cumulative counts by upper bound of the latency, in seconds."""


def answers(name: str, metric: Metric) -> bool:
    """Is this one of the metrics that the proxy knows?"""
    known = {Unit.EVENTS: "requests", Unit.HISTOGRAM: "duration", Unit.RATE: "request_rate"}
    return bare(name) == known.get(metric.unit)


def answer(counted: Counted, metric: Metric, question: MetricQuestion) -> Answer:
    """The counts over the question's window. No request at all is an answer too: it is for the machine to judge."""
    if not answers(question.metric, metric):
        if any(query.provider == "job" for query in metric.queries):
            return ErrorAnswer(f"`{question.metric}` is a Job, and Jobs are run in a cluster only")
        wanted = ", ".join(sorted({query.provider for query in metric.queries})) or "a metric server"
        return ErrorAnswer(
            f"`{question.metric}` is asked of {wanted}, and there is none here: give one with --prometheus URL"
        )
    if metric.unit is Unit.HISTOGRAM:
        return Histogram(counted.histogram(question.arm, question.window_ms, question.at_ms))
    bad, total = counted.events(question.arm, question.window_ms, question.at_ms)
    if metric.unit is Unit.RATE:
        return Value(1000 * total / question.window_ms)
    return Events(bad=bad, total=total)


def bare(name: str) -> str:
    """The metric's own name, without the module that it came from or the arguments that it was given."""
    return name.partition("(")[0].rpartition("/")[2].rpartition(".")[2]
