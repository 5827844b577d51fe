"""On one machine without a metric server, the proxy's own counts answer every metric of `std/http`."""

from __future__ import annotations

from dsl.ir import Metric, Unit
from interpreter.providers.counts import Arm, answer
from interpreter.questions import Answer, ErrorAnswer, Events, Histogram, MetricQuestion, Value

BUCKETS = ((0.1, 50.0), (float("inf"), 60.0))


class Counts:
    """Sixty requests in any window, three of which failed."""

    def events(self, arm: Arm, window_ms: int, at_ms: int) -> tuple[int, int]:
        return 3, 60

    def histogram(self, arm: Arm, window_ms: int, at_ms: int) -> tuple[tuple[float, float], ...]:
        return BUCKETS


def asked(name: str, unit: Unit) -> Answer:
    return answer(Counts(), Metric(unit), MetricQuestion(name, "canary", 30_000, 0))


def test_requests_and_durations_are_what_was_counted() -> None:
    assert asked("http.requests", Unit.EVENTS) == Events(bad=3, total=60)
    assert asked("duration", Unit.HISTOGRAM) == Histogram(BUCKETS)


def test_the_request_rate_is_requests_a_second_of_the_window() -> None:
    assert asked("request_rate", Unit.RATE) == Value(2.0)


def test_a_metric_of_somebody_else_is_not_guessed() -> None:
    assert isinstance(asked("queue_rate", Unit.RATE), ErrorAnswer)
