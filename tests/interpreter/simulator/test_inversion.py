"""What a test states of a metric comes true in what providers answer, or is refused with what to state instead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsl.ir import Arith, Arm, Const, Expr, Func, GivenMetric, Measure, Metric, Unit
from interpreter.analysis.histogram import quantile
from interpreter.desired import Routing
from interpreter.questions import Events, Histogram, MetricQuestion, NoDataAnswer, Value
from interpreter.simulator.inversion import Problem, Setpoint, conflicts, setpoints
from interpreter.simulator.knobs import Knob
from interpreter.simulator.scenario import Scenario
from interpreter.simulator.telemetry import Telemetry, telemetry
from interpreter.simulator.witness import choose
from tests.interpreter.simulator.programs import ASK, CANARY, METRICS, MINUTE, measure

WITH_MORE = {
    **METRICS,
    "request_rate": Metric(Unit.RATE, expr=Arith((Measure("requests", Arm.CANARY, 0, "total"), Const(60)), ("/",))),
    "both": Metric(Unit.COUNT, expr=Arith((measure("queue_depth"), measure("cache_hits")), ("+",))),
    "capped": Metric(Unit.COUNT, expr=Func("min", (measure("queue_depth"), Const(10)))),
    "lag": Metric(Unit.MILLISECONDS, ASK),
}
HALF = Routing(weight=50)


def asked(given: GivenMetric, *, metrics: dict[str, Metric] = WITH_MORE) -> Telemetry:
    found = telemetry(replace(CANARY, metrics=metrics), metrics, Scenario(givens=(given,)))
    assert isinstance(found, Telemetry), found
    return found


def refused(*givens: GivenMetric) -> str:
    found = telemetry(replace(CANARY, metrics=WITH_MORE), WITH_MORE, Scenario(givens=givens))
    assert isinstance(found, Problem)
    return found.text


def answer(found: Telemetry, metric: str, arm: str = "canary", at_ms: int = 0, routing: Routing = HALF) -> object:
    return found.answer(MetricQuestion(metric, arm, MINUTE, 0), routing, at_ms)  # type: ignore[arg-type]


def part(metric: str, kind: str, q: float | None = None) -> Measure:
    return Measure(metric, Arm.CANARY, 0, kind, q)  # type: ignore[arg-type]


def test_a_success_rate_becomes_bad_requests() -> None:
    events = answer(asked(GivenMetric(measure("success_rate"), 0.8)), "requests")
    assert isinstance(events, Events)
    assert events.bad / events.total == pytest.approx(0.2, abs=1e-12)


def test_a_quantile_is_read_off_the_buckets_again() -> None:
    for seconds in (0.004, 0.12, 0.7, 3.3, 42.0):
        buckets = answer(asked(GivenMetric(measure("latency(0.99)"), seconds)), "duration")
        assert isinstance(buckets, Histogram)
        found = quantile(buckets.buckets, 0.99)
        assert found is not None
        assert found.value == pytest.approx(seconds, rel=1e-6)


def test_a_request_rate_becomes_all_requests_of_that_arm() -> None:
    found = asked(GivenMetric(measure("request_rate"), 5.0))
    quarter = Routing(weight=25)
    canary, primary = (answer(found, "requests", arm, routing=quarter) for arm in ("canary", "primary"))
    assert isinstance(canary, Events)
    assert isinstance(primary, Events)
    assert canary.total == pytest.approx(300)
    assert primary.total == pytest.approx(900), "the other arm has three quarters of all requests"


def test_counts_can_be_stated() -> None:
    events = answer(asked(GivenMetric(part("requests", "total"), 7.0)), "requests")
    assert isinstance(events, Events)
    assert events.total == pytest.approx(7)


def test_a_plain_value_is_answered_in_the_units_of_its_metric() -> None:
    assert answer(asked(GivenMetric(measure("lag"), 0.25)), "lag") == Value(250.0)
    assert answer(asked(GivenMetric(measure("cache_hits"), 0.5)), "cache_hits") == Value(50.0)


def test_only_the_arm_that_was_meant_changes() -> None:
    found = asked(GivenMetric(measure("success_rate", Arm.PRIMARY), 0.5))
    canary, primary = answer(found, "requests"), answer(found, "requests", "primary")
    assert isinstance(canary, Events)
    assert isinstance(primary, Events)
    assert primary.bad / primary.total == pytest.approx(0.5)
    assert canary.bad / canary.total < 0.01


def test_a_statement_holds_from_its_moment_for_its_time() -> None:
    found = asked(GivenMetric(measure("queue_depth"), 7.0, 3 * MINUTE, MINUTE))
    values = [
        answer(found, "queue_depth", at_ms=at) for at in (0, 3 * MINUTE - 1, 3 * MINUTE, 4 * MINUTE - 1, 4 * MINUTE)
    ]
    assert [value == Value(7.0) for value in values] == [False, False, True, True, False]


def test_the_later_statement_wins() -> None:
    givens = (GivenMetric(measure("queue_depth"), 1.0), GivenMetric(measure("queue_depth"), 2.0, MINUTE))
    found = telemetry(CANARY, WITH_MORE, Scenario(givens=givens))
    assert isinstance(found, Telemetry)
    assert [answer(found, "queue_depth", at_ms=at) for at in (0, MINUTE)] == [Value(1.0), Value(2.0)]


def test_no_data_of_a_derived_metric_silences_its_leaf() -> None:
    found = asked(GivenMetric(measure("success_rate"), None, MINUTE))
    assert isinstance(answer(found, "requests"), Events)
    assert isinstance(answer(found, "requests", at_ms=MINUTE), NoDataAnswer)
    assert isinstance(answer(found, "requests", "primary", at_ms=MINUTE), Events)


def test_a_value_after_no_data_is_heard_again() -> None:
    givens = (GivenMetric(measure("success_rate"), None, 0), GivenMetric(measure("success_rate"), 0.9, MINUTE))
    found = telemetry(CANARY, WITH_MORE, Scenario(givens=givens))
    assert isinstance(found, Telemetry)
    assert isinstance(answer(found, "requests"), NoDataAnswer)
    assert isinstance(answer(found, "requests", at_ms=MINUTE), Events)


def test_a_metric_that_stands_on_two_is_refused_with_their_names() -> None:
    assert refused(GivenMetric(measure("both"), 5.0)) == (
        "`both` stands on `cache_hits` and `queue_depth`: state these instead"
    )


def test_a_value_out_of_reach_is_refused_with_the_reach() -> None:
    assert refused(GivenMetric(measure("success_rate"), 1.2)) == (
        "`success_rate` cannot be 120%: it goes from 0% to 100%"
    )
    assert "cannot be 11" in refused(GivenMetric(measure("capped"), 11.0))


def test_two_statements_about_one_thing_must_agree() -> None:
    fast, slow = GivenMetric(measure("latency(0.99)"), 0.1), GivenMetric(part("duration", "quantile", 0.5), 0.09)
    assert refused(fast, slow) == (
        "`latency(0.99) = 100ms` and `duration.quantile(0.5) = 90ms` cannot both hold: both speak of `duration`"
    )
    apart = (replace(fast, lasting_ms=MINUTE), replace(slow, after_ms=MINUTE))
    assert isinstance(telemetry(CANARY, WITH_MORE, Scenario(givens=apart)), Telemetry)


@pytest.mark.parametrize(
    ("expr", "target"),
    [
        (Arith((Const(1.0), measure("cache_hits")), ("-",)), 0.3),
        (Arith((measure("cache_hits"), Const(4.0), Const(1.0)), ("*", "+")), 2.0),
        (Func("neg", (measure("cache_hits"),)), -0.25),
        (Arith((Const(10.0), Arith((measure("cache_hits"), Const(1.0)), ("+",))), ("/",)), 8.0),
    ],
)
def test_bisection_finds_what_makes_a_derived_metric_true(expr: Expr, target: float) -> None:
    metrics = {**METRICS, "derived": Metric(Unit.NUMBER, expr=expr)}
    healthy = choose(CANARY, metrics)
    found = setpoints(GivenMetric(measure("derived"), target), metrics, healthy)
    assert not isinstance(found, Problem), found
    (point,) = found
    solved = {**healthy, (point.knob, Arm.CANARY): point.value}
    assert point.knob == Knob("cache_hits", "value")
    again = Setpoint(*point)._replace(given=GivenMetric(measure("derived"), target))
    assert conflicts((point, again), metrics, solved) is None  # type: ignore[arg-type]
