"""`advance` on the largest example, by kinds of call, each recorded in a whole rollout and repeated against the clock.

A rollout is recorded first, from nothing to promoted, so that only the machine is measured. Its calls are of three
kinds. A *look* finds that nothing is due: what a runtime does whenever something woke it, many times between two
checks. A *question* finds that a check is due. A *judgement* has the answers to all thirteen questions, three of them
for statistical tests, and comes to a verdict.
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
from interpreter.actions import ActionResult
from interpreter.machine import advance
from interpreter.questions import (
    Answer,
    Events,
    GateAnswer,
    GateQuestion,
    Histogram,
    MetricQuestion,
    Question,
    Readiness,
    ReadyQuestion,
    Value,
)
from interpreter.state import Inputs, Phase, State

SECONDS = 0.3
ROUNDS = 8
MOST_CALLS = 10_000
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


def recording(program: Program) -> dict[str, list[Call]]:
    """The calls of one rollout, from nothing to promoted, by kind."""
    calls: dict[str, list[Call]] = {"look": [], "question": [], "judgement": []}
    state, now, inputs = State(), MONDAY_NOON, Inputs(revision="one")
    for _ in range(MOST_CALLS):
        step = advance(program, state, inputs, now)
        kind = "question" if step.questions else "judgement"
        calls[kind].append((state, inputs, now))
        state = step.state
        if state.phase is Phase.SUCCEEDED and not step.actions:
            return calls
        answers = {question.key: healthy(program, question) for question in step.questions}
        results = {action.key: ActionResult(True) for action in step.actions}
        revision = "two" if state.phase is not Phase.INITIALIZING else "one"
        known = {**inputs.answers, **answers} if answers else {}
        inputs = replace(inputs, revision=revision, routing=step.desired.routing, answers=known, results=results)
        if not answers and not results:
            if state.phase is Phase.PROGRESSING and step.wake_at_ms is not None:
                calls["look"].append((state, inputs, (now + step.wake_at_ms) // 2))
            now = max(now + 1, step.wake_at_ms or now + 1000)
    raise SystemExit(f"the rollout does not end: it is {state.phase.value}, {state.reason}")


def rate(program: Program, calls: list[Call]) -> float:
    """Calls a second of CPU time, in the best of several rounds."""
    return max(one_round(program, calls) for _ in range(ROUNDS))


def one_round(program: Program, calls: list[Call]) -> float:
    done, began = 0, time.process_time()
    while time.process_time() - began < SECONDS:
        for state, inputs, now in calls:
            advance(program, state, inputs, now)
        done += len(calls)
    return done / (time.process_time() - began)


def figures() -> Iterator[Figure]:
    compilation = compile_file(ROOT / "examples" / "everything.rollout")
    (program,) = (rollout.program for rollout in compilation.rollouts)
    calls = recording(program)
    yield Figure(
        "advance on everything.rollout, nothing due", rate(program, calls["look"]), "/s", 30_000, at_least=True
    )
    yield Figure("advance on everything.rollout, a check is due", rate(program, calls["question"]), "/s")
    yield Figure("advance on everything.rollout, 13 answers judged", rate(program, calls["judgement"]), "/s")


if __name__ == "__main__":
    sys.exit(0 if show(figures()) else 1)
