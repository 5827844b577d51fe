"""The simulated providers answer questions about earlier moments, and about the time before a rollout."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsl.ir import Arm, GivenMetric, PromoteOp, Statistical
from interpreter.desired import Routing
from interpreter.questions import Events, MetricQuestion
from interpreter.simulator.scenario import healthy
from interpreter.simulator.simulation import simulate
from interpreter.simulator.telemetry import Telemetry, telemetry
from interpreter.simulator.timeline import Story
from interpreter.simulator.world import World
from tests.interpreter.simulator.programs import METRICS, MINUTE, analysis, held, measure, program, ramp

AUTO = held(Statistical("no_regression", "requests", MINUTE, Arm.PRIMARY, {"confidence": 0.99}, {"dispersion": "auto"}))
BURSTY = program(*ramp(10, 50, checks=4), PromoteOp(), main=analysis(AUTO))


def rate_of_primary(world: World, at_ms: int) -> float:
    found = world.answer(MetricQuestion("requests", "primary", MINUTE, at_ms))
    assert isinstance(found, Events)
    return round(found.bad / found.total, 6)


def test_an_answer_is_about_the_moment_that_was_asked_for() -> None:
    worse = GivenMetric(replace(measure("success_rate"), arm=Arm.PRIMARY), 0.9, after_ms=5 * MINUTE)
    scenario = healthy(BURSTY)._replace(givens=(worse,))
    told = telemetry(BURSTY, METRICS, scenario)
    assert isinstance(told, Telemetry)
    start = scenario.start_ms
    world = World(BURSTY, scenario, told, now=start + 7 * MINUTE, appeared_ms=start, routing=Routing(weight=10))
    good = rate_of_primary(world, start + 4 * MINUTE)
    assert rate_of_primary(world, start + 7 * MINUTE) == pytest.approx(0.1)
    assert rate_of_primary(world, start + 6 * MINUTE) == pytest.approx(0.1)
    assert good < 0.1
    assert rate_of_primary(world, start - 30 * MINUTE) == good


@pytest.mark.parametrize("crash_after", [None, 9, 15])
def test_a_rollout_that_asks_for_history_is_promoted_or_rolled_back_as_it_should(crash_after: int | None) -> None:
    calm = simulate(BURSTY, healthy(BURSTY), crash_after=crash_after)
    assert isinstance(calm, Story)
    assert calm.outcome == "promoted"
    bad = GivenMetric(measure("success_rate"), 0.8)
    story = simulate(BURSTY, healthy(BURSTY)._replace(givens=(bad,)), crash_after=crash_after)
    assert isinstance(story, Story)
    assert story.outcome == "rolled_back"
