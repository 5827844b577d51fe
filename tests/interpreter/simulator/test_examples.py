"""Every example is promoted when all is well, at the time that its plan says, and stopped when its canary breaks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsl import ir
from dsl.compiler import compile_file
from dsl.ir import Arm, Check, GivenEvent, GivenMetric, Measure, Program
from interpreter.plan import plan
from interpreter.plan_exposure import exposures
from interpreter.plan_table import data, text
from interpreter.simulator.scenario import healthy
from interpreter.simulator.simulation import simulate
from interpreter.simulator.timeline import Story
from interpreter.simulator.verdict import run_test

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.rollout"))
COMPILED = [compile_file(path) for path in EXAMPLES]
PROGRAMS = {
    f"{path.stem}/{rollout.program.name}": rollout.program
    for path, found in zip(EXAMPLES, COMPILED, strict=True)
    for rollout in found.rollouts
}
TESTS = [
    (PROGRAMS[f"{path.stem}/{test.rollout}"], test)
    for path, found in zip(EXAMPLES, COMPILED, strict=True)
    for test in found.tests
]


def run(program: Program, *givens: GivenMetric | GivenEvent, **more: object) -> Story:
    story = simulate(program, healthy(program)._replace(givens=givens, **more))  # type: ignore[arg-type]
    assert isinstance(story, Story)
    return story


def test_the_examples_are_here() -> None:
    assert len(EXAMPLES) >= 6
    assert len(PROGRAMS) >= 8


@pytest.mark.parametrize("name", PROGRAMS)
def test_all_is_well(name: str) -> None:
    program = PROGRAMS[name]
    story = run(program)
    assert story.outcome == "promoted"
    judged = any(isinstance(c, Check) for analysis in program.analyses.values() for c in analysis.checks)
    assert any(moment.check is not None for moment in story.moments) is judged
    assert all(moment.check.verdict == "pass" for moment in story.moments if moment.check is not None)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_plan_says_when(name: str) -> None:
    program = PROGRAMS[name]
    found = plan(program)
    assert found.promotion is not None
    at_once = run(program, ready_after_ms=0, approve_after_ms=0)
    assert at_once.ended_ms == found.promotion.soonest
    assert found.promotion.latest is not None
    assert (run(program).ended_ms or 0) <= found.promotion.latest
    assert program.name in text(found)
    assert json.loads(json.dumps(data(found)))["rollout"] == program.name


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_broken_canary_is_stopped_before_the_time_that_the_plan_promises(name: str) -> None:
    program = PROGRAMS[name]
    broken = GivenMetric(Measure("requests", Arm.CANARY, 0, "rate"), 0.4)
    story = run(program, broken)
    assert story.outcome == "rolled_back"
    for exposed in exposures(plan(program))[:1]:
        step = plan(program).steps[exposed.step]
        assert exposed.notice.ms is not None
        assert (story.ended_ms or 0) <= step.starts.soonest + 60_000 + exposed.notice.ms


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_abort_ends_it_at_that_moment(name: str) -> None:
    assert run(PROGRAMS[name], GivenEvent("abort", None, 45_000)).ended_ms == 45_000


@pytest.mark.parametrize(("program", "test"), TESTS, ids=[test.title for _, test in TESTS])
def test_the_tests_of_the_examples_pass(program: Program, test: ir.TestCase) -> None:
    assert run_test(program, test).failures == ()
