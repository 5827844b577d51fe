"""What is drawn of a replay: both arms, their limits, the evidence, before, during and behind the rollout."""

from __future__ import annotations

import math

import pytest

from dsl.ir import Unit
from interpreter.backtest.graphs import POINTS, Graph, graphs, overview, stride
from interpreter.backtest.moments import Span
from interpreter.backtest.replay import once
from interpreter.questions import Answer, Events, Histogram, MetricQuestion, NoDataAnswer, Value
from tests.interpreter.backtest.past import BEGIN, MINUTE, past, program

WITHIN = Span(BEGIN, BEGIN + 120 * MINUTE)
BROKEN = BEGIN + 6 * MINUTE


def says(question: MetricQuestion) -> Answer:
    """A canary since a minute before the rollout, of which a tenth fails from `BROKEN` on."""
    if question.arm == "canary" and question.at_ms < BEGIN - MINUTE:
        return NoDataAnswer()
    match question.metric:
        case "requests":
            return Events(100 if question.arm == "canary" and question.at_ms > BROKEN else 1, 1000)
        case "duration":
            return Histogram(((0.1, 500.0), (0.2, 1000.0), (math.inf, 1000.0)))
        case _:
            return Value(5.0)


def drawn(checks: str) -> dict[str, Graph]:
    policy = program(checks)
    replay = once(policy, past(policy, says), WITHIN)
    return {graph.title: graph for graph in graphs(policy, replay, WITHIN, MINUTE, says)}


def test_a_threshold_is_drawn_with_both_arms_about_the_rollout() -> None:
    graph = drawn("require requests.rate <= 2%")["requests.rate <= 2%"]
    canary, primary = graph.curves
    assert (graph.unit, graph.limits) == (Unit.RATIO, ((0.02, "require requests.rate <= 2%"),))
    assert (canary.name, primary.name) == ("canary", "primary")
    values = dict(canary.points)
    assert min(values) < BEGIN - 2 * MINUTE
    assert max(values) > BROKEN + 3 * MINUTE
    assert values[BEGIN - 2 * MINUTE] is None
    assert (values[BROKEN], values[BROKEN + MINUTE]) == (0.001, 0.1)
    assert {value for _, value in primary.points} == {0.001}


def test_two_checks_of_one_value_are_one_graph_with_both_limits() -> None:
    found = drawn("require requests.rate <= 2%; abort if requests.rate > 5%; observe duration.quantile(0.5) <= 1s")
    first = found["requests.rate <= 2%"]
    assert [value for value, _ in first.limits] == [0.02, 0.05]
    assert [graph.unit for graph in found.values()] == [Unit.RATIO, Unit.SECONDS]


def test_evidence_is_drawn_up_to_its_limit_and_no_further_than_a_picture_needs() -> None:
    found = drawn("require no_regression(requests); require no_slower(duration)")
    graph = found["evidence of no_regression(requests)"]
    (curve,) = graph.curves
    assert graph.evidence
    assert graph.limits == ((pytest.approx(200.0), "200: the check fails"),)
    before = [value for at_ms, value in curve.points if at_ms <= BROKEN]
    assert len(before) == 6
    assert all(value is not None and value < 1 for value in before)
    assert curve.points[-1][1] == 1e6
    assert found["duration.quantile(0.99), for no_slower"].unit is Unit.SECONDS


def test_what_is_compared_with_the_primary_is_drawn_with_it() -> None:
    graph = drawn("require queue <= 2 * queue of primary")["queue <= 2 * queue of primary"]
    assert [curve.name for curve in graph.curves] == ["canary", "primary", "what it is held to (<=)"]
    assert {value for _, value in graph.curves[2].points} == {10.0}


def test_quiet_times_show_the_primary_alone() -> None:
    policy = program("require requests.rate <= 2%; require no_regression(requests)")
    (graph,) = overview(policy, WITHIN, MINUTE, says)
    assert [curve.name for curve in graph.curves] == ["primary"]
    assert len(graph.curves[0].points) == 121


def test_long_times_are_drawn_with_few_points() -> None:
    weeks = Span(0, 14 * 24 * 60 * MINUTE)
    assert weeks.length_ms / (stride(weeks, MINUTE) * MINUTE) <= POINTS
    assert stride(Span(0, 60 * MINUTE), MINUTE) == 1
