"""What nobody stated is healthy: chosen values pass every `require`, trip no `abort`, and are the same every time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsl.ir import (
    AllOf,
    Analysis,
    Arith,
    Arm,
    Between,
    Compare,
    Const,
    Func,
    Measure,
    Metric,
    NotOf,
    Program,
    Statistical,
    Unit,
)
from interpreter.simulator.expressions import holds
from interpreter.simulator.knobs import Knob
from interpreter.simulator.witness import LOAD, choose, demands, load_to_compare
from tests.interpreter.simulator.programs import (
    ASK,
    CANARY,
    METRICS,
    MINUTE,
    SUCCESS,
    analysis,
    held,
    measure,
    no_regression,
    program,
    ramp,
    require,
)

HITS = Knob("cache_hits", "value")
DEPTH = Knob("queue_depth", "value")
ERRORS = Knob("requests", "error_rate")


def under(*checks: object, **metrics: Metric) -> Program:
    return replace(program(*ramp(10), main=analysis(*checks)), metrics={**METRICS, **metrics})


def chosen(found: Program) -> dict[tuple[Knob, Arm], float]:
    return dict(choose(found, found.metrics))


def is_healthy(found: Program) -> bool:
    values = chosen(found)
    return all(
        holds(demand.condition, found.metrics, lambda knob, arm: values.get((knob, arm), values[LOAD, arm]))
        is demand.wanted
        for demand in demands(found)
    )


def test_between_two_bounds_lies_the_middle() -> None:
    found = under(held(Between(measure("cache_hits"), Const(0.6, Unit.PERCENT), Const(1.0, Unit.PERCENT))))
    assert chosen(found)[HITS, Arm.CANARY] == pytest.approx(0.8)


def test_under_one_bound_lies_half_of_it() -> None:
    found = under(require(measure("queue_depth"), "<=", Const(100)))
    assert 0 < chosen(found)[DEPTH, Arm.CANARY] < 100


def test_a_share_above_its_bound_is_no_more_than_all() -> None:
    found = under(require(measure("cache_hits"), ">=", Const(0.99, Unit.PERCENT)))
    assert 0.99 < chosen(found)[HITS, Arm.CANARY] <= 1.0


def test_a_strict_objective_lowers_the_usual_error_rate() -> None:
    found = under(require(measure("success_rate"), ">=", Const(0.9999, Unit.PERCENT)))
    assert 0 <= chosen(found)[ERRORS, Arm.CANARY] <= 0.0001


def test_an_abort_is_kept_from() -> None:
    found = under(
        require(measure("queue_depth"), "<=", Const(100)),
        require(measure("queue_depth"), "<", Const(60), kind="abort"),
    )
    assert 60 <= chosen(found)[DEPTH, Arm.CANARY] <= 100


def test_conditions_that_share_metrics_are_fulfilled_together() -> None:
    sum_of_both = Arith((measure("queue_depth"), measure("backlog")), ("+",))
    found = under(
        require(sum_of_both, "==", Const(12)),
        require(measure("queue_depth"), ">", Const(5)),
        require(measure("backlog"), ">", Const(5)),
        backlog=Metric(Unit.COUNT, ASK),
    )
    assert is_healthy(found)


def test_arms_are_alike_where_they_can_be() -> None:
    values = chosen(under(SUCCESS, no_regression(), require(measure("queue_depth"), "<=", Const(9))))
    assert all(len({values[knob, arm] for arm in Arm}) == 1 for knob, _ in values)


def test_a_canary_that_must_be_better_is_better() -> None:
    better = Arith((measure("queue_depth", Arm.PRIMARY), Const(0.5)), ("*",))
    found = under(require(measure("queue_depth"), "<", better), require(measure("queue_depth"), ">", Const(0)))
    assert is_healthy(found)
    assert chosen(found)[DEPTH, Arm.CANARY] < chosen(found)[DEPTH, Arm.PRIMARY]


def test_an_observation_is_wished_for_and_not_insisted_on() -> None:
    found = under(
        require(measure("queue_depth"), ">=", Const(50)),
        require(measure("queue_depth"), "<=", Const(10), kind="observe"),
    )
    assert chosen(found)[DEPTH, Arm.CANARY] >= 50
    wished = under(
        require(measure("queue_depth"), ">=", Const(5)),
        require(measure("queue_depth"), "<=", Const(7), kind="observe"),
    )
    assert 5 <= chosen(wished)[DEPTH, Arm.CANARY] <= 7


def test_what_cannot_be_fulfilled_is_left_as_it_usually_is() -> None:
    never = AllOf(
        (
            Compare("<", measure("queue_depth"), Const(1)),
            Compare(">", measure("queue_depth"), Const(2)),
        )
    )
    assert chosen(under(held(never)))[DEPTH, Arm.CANARY] == 1.0


@pytest.mark.parametrize(
    "check",
    [
        held(NotOf(Between(measure("queue_depth"), Const(2), Const(8)))),
        require(Func("max", (measure("queue_depth"), Const(3))), "<=", Const(40)),
        require(Func("abs", (Arith((measure("queue_depth"), Const(50)), ("-",)),)), "<=", Const(1)),
        require(measure("latency(0.99)"), "<=", Const(0.02, Unit.SECONDS)),
        require(measure("latency(0.99)"), ">=", Const(30.0, Unit.SECONDS)),
        held(Statistical("meets", "requests", MINUTE, None, {"objective": 0.9999, "confidence": 0.99})),
        held(Statistical("no_slower", "duration", MINUTE, Arm.PRIMARY, {"confidence": 0.99})),
        held(Statistical("not_worse", "queue_depth", MINUTE, Arm.PRIMARY, expr=measure("queue_depth"))),
        require(Measure("requests", Arm.CANARY, MINUTE, "total"), ">=", Const(5000)),
    ],
)
def test_every_kind_of_condition_finds_its_value(check: object) -> None:
    assert is_healthy(under(check))


def test_enough_requests_come_for_latencies_of_two_arms_to_be_compared() -> None:
    compared = require(measure("latency(0.99)"), "<=", measure("latency(0.99)", Arm.PRIMARY))
    small = replace(program(*ramp(1), main=analysis(compared)), metrics=METRICS)
    assert choose(small, METRICS)[LOAD, Arm.CANARY] * 0.01 * 60 >= 100
    assert load_to_compare(CANARY, METRICS) == 0


def test_the_same_program_gives_the_same_values() -> None:
    found = under(SUCCESS, require(measure("queue_depth"), "<=", Const(9)))
    assert chosen(found) == chosen(found)


def test_analyses_of_all_steps_count() -> None:
    strict = Analysis(MINUTE, (require(measure("queue_depth"), "<=", Const(3)),))
    found = replace(under(require(measure("queue_depth"), "<=", Const(100))), analyses={"a": strict, "b": analysis()})
    assert chosen(found)[DEPTH, Arm.CANARY] <= 3
