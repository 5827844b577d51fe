"""What a policy costs others while it runs: queries to metric providers and calls to webhooks, an hour."""

from __future__ import annotations

from typing import NamedTuple

from dsl.ir import Analysis, CallCheck, GateCheck, Program
from interpreter.analysis.judge import questions
from interpreter.plan import Plan

_HOUR_MS = 3_600_000


class Load(NamedTuple):
    """While an analysis is on: queries and calls an hour."""

    analysis: str
    queries: float
    calls: float


def loads(plan: Plan) -> tuple[Load, ...]:
    """The load of each analysis that some step runs under, the heaviest first."""
    used = dict.fromkeys(step.analysis for step in plan.steps if step.analysis is not None)
    found = (load_of(plan.program, name, plan.program.analyses[name]) for name in used)
    return tuple(sorted(found, key=lambda load: (-load.queries - load.calls, load.analysis)))


def load_of(program: Program, name: str, analysis: Analysis) -> Load:
    """The load of one analysis. Events take two queries, one for the bad ones and one for all."""
    checks_an_hour = _HOUR_MS / analysis.every_ms
    asked = sum(max(1, len(program.metrics[question.metric].queries)) for question in questions(program, analysis, 0))
    called = sum(isinstance(check, CallCheck | GateCheck) for check in analysis.checks)
    return Load(name, asked * checks_an_hour, called * checks_an_hour)
