"""The few numbers that make up the simulated traffic, and the answers that a metric provider would give about it.

A metric that is a number has one knob, its value in base units. Events have two: how many requests a second an arm gets
and which share of them is bad. A histogram has the median of its latencies, which are spread like a lognormal. Answers
are expected counts, not samples, so that a scenario says the same each time and two equal arms are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import erf, inf, log, sqrt
from typing import Literal, NamedTuple, assert_never

from dsl.ir import BASE_SCALE, Arm, Measure, Metric, Unit
from interpreter.analysis.histogram import quantile as quantile_of
from interpreter.questions import Answer, Events, Histogram, Value

BOUNDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75,
    1.0, 1.5, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0,
)  # fmt: skip
"""Upper bounds of the synthesised histograms, in seconds."""

SPREAD = 0.5
LONGEST_MEDIAN = 100.0

KnobKind = Literal["value", "error_rate", "request_rate", "median"]


class Knob(NamedTuple):
    """One number that can be turned, for each arm on its own."""

    metric: str
    kind: KnobKind


Setting = Callable[[Knob, Arm], float]
"""How a knob stands for an arm."""


def knobs_of(name: str, metric: Metric) -> tuple[Knob, ...]:
    """What can be turned about a leaf metric."""
    match metric.unit:
        case Unit.EVENTS:
            return Knob(name, "error_rate"), Knob(name, "request_rate")
        case Unit.HISTOGRAM:
            return Knob(name, "median"), Knob(name, "request_rate")
        case _:
            return (Knob(name, "value"),)


@lru_cache(maxsize=4096)
def _shares(median: float) -> tuple[float, ...]:
    """Which share of requests took at most each of `BOUNDS`."""
    if median <= 0:
        return (1.0,) * len(BOUNDS)
    return tuple(0.5 * (1 + erf(log(bound / median) / (SPREAD * sqrt(2)))) for bound in BOUNDS)


@lru_cache(maxsize=4096)
def quantile(median: float, q: float) -> float:
    """The quantile as a check reads it off the buckets."""
    found = quantile_of(histogram(median, 1.0).buckets, q)
    return found.value if found is not None else 0.0


def number(metric: str, measure: Measure, setting: Setting) -> float:
    """What a measure of a leaf metric comes to, in base units."""
    arm, seconds = measure.arm, measure.window_ms / 1000

    def at(kind: KnobKind) -> float:
        return setting(Knob(metric, kind), arm)

    match measure.part:
        case "value":
            return at("value")
        case "rate":
            return at("error_rate")
        case "total":
            return at("request_rate") * seconds
        case "bad":
            return at("request_rate") * at("error_rate") * seconds
        case "quantile":
            return quantile(at("median"), 0.5 if measure.q is None else measure.q)
        case _:
            assert_never(measure.part)


def answer(metric: str, unit: Unit, arm: Arm, window_ms: int, setting: Setting) -> Answer | None:
    """What the provider says about a leaf metric; None where there was no request to speak of."""
    seconds = window_ms / 1000
    match unit:
        case Unit.EVENTS:
            total = setting(Knob(metric, "request_rate"), arm) * seconds
            return Events(total * setting(Knob(metric, "error_rate"), arm), total) if total > 0 else None
        case Unit.HISTOGRAM:
            total = setting(Knob(metric, "request_rate"), arm) * seconds
            return histogram(setting(Knob(metric, "median"), arm), total) if total > 0 else None
        case _:
            return Value(setting(Knob(metric, "value"), arm) / BASE_SCALE.get(unit, 1.0))


def histogram(median: float, total: float) -> Histogram:
    """Cumulative counts of requests with this median latency."""
    counted = ((bound, share * total) for bound, share in zip(BOUNDS, _shares(median), strict=True))
    return Histogram((*counted, (inf, total)))
