"""`advance` on the largest example: every call of a whole rollout, recorded once, then repeated against the clock.

A recording is made first, so that only the machine is measured, and all of its life: bringing up the primary, each
step with its checks, the promotion, rest.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from bench.child import ROOT
from bench.figure import Figure, show
from dsl.compiler import compile_file
from dsl.ir import Program, Unit
from interpreter.machine import advance
from interpreter.state import (
    ActionResult,
    Answer,
    Events,
    GateAnswer,
    GateQuestion,
    Histogram,
    Inputs,
    MetricQuestion,
    Phase,
    Question,
    Readiness,
    ReadyQuestion,
    State,
    Value,
)

SECONDS = 3.0
MONDAY_NOON = int(datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp() * 1000)
VALUES: Mapping[Unit, float] = {Unit.PERCENT: 90.0, Unit.RATIO: 0.0, Unit.RATE: 50.0, Unit.COUNT: 10.0}
HEALTHY_TIMES = Histogram(((0.1, 9_900.0), (0.5, 10_000.0), (float("inf"), 10_000.0)))

Call = tuple[State, Inputs, int]


def healthy(program: Program, question: Question) -> Answer:
    """What is answered where all is well."""
    match question:
        case MetricQuestion(metric=name):
            unit = program.metrics[name].unit
            if unit is Unit.EVENTS:
                return Events(bad=0.0, total=10_000.0)
            return HEALTHY_TIMES if unit is Unit.HISTOGRAM else Value(VALUES.get(unit, 1.0))
        case ReadyQuestion():
            return Readiness(True)
        case GateQuestion():
            return GateAnswer(False)
    assert_never(question)


def recording(program: Program) -> list[Call]:
    """Every call of one rollout, from nothing to promoted."""
    calls: list[Call] = []
    state, now, inputs = State(), MONDAY_NOON, Inputs(revision="one")
    while len(calls) < 10_000:
        calls.append((state, inputs, now))
        step = advance(program, state, inputs, now)
        state = step.state
        answers = {question.key: healthy(program, question) for question in step.questions}
        results = {action.key: ActionResult(True) for action in step.actions}
        if state.phase is Phase.SUCCEEDED and not step.actions:
            return calls
        revision = "two" if state.phase is not Phase.INITIALIZING else "one"
        known = {**inputs.answers, **answers}
        inputs = replace(
            inputs,
            revision=revision,
            routing=step.desired.routing,
            answers=known,
            results=results,
        )
        if not answers and not results:
            inputs = replace(inputs, answers={})
            now = max(now + 1, step.wake_at_ms or now + 1000)
    raise SystemExit(f"the rollout does not end: it is {state.phase.value}, {state.reason}")


def figures() -> Iterator[Figure]:
    compilation = compile_file(ROOT / "examples" / "everything.rollout")
    (program,) = (rollout.program for rollout in compilation.rollouts)
    calls = recording(program)
    done, began = 0, time.process_time()
    while time.process_time() - began < SECONDS:
        for state, inputs, now in calls:
            advance(program, state, inputs, now)
        done += len(calls)
    spent = time.process_time() - began
    yield Figure(f"advance, over {len(calls)} calls of everything.rollout", done / spent, "/s", 30_000, at_least=True)


if __name__ == "__main__":
    sys.exit(0 if show(figures()) else 1)
