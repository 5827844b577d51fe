"""A rollout in traffic drawn by chance, many times over: how often it is ended, and how soon.

The instructions are walked along the soonest schedule, as in `dsl.flow`: webhooks accept, approvals and open windows
are there already, workloads are ready at once. What judges is real: each check is `interpreter.analysis.judge` over
counts of `interpreter.simulator.crowd`, failures are counted by the rules of `interpreter.checks`, and a check that
does not pass holds the traffic as `interpreter.steps.hold` says. Only the machine around it (actions, events, what is
written) is left out: it would take many times as long.

A rollout that has made `Course.most_looks` checks without an end is given up, and counts as held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from random import Random
from typing import NamedTuple

from dsl import flow
from dsl.ir import Analysis, BranchOp, HoldOp, PauseOp, Program, PromoteOp, RollbackOp, RouteOp, Tolerance
from interpreter.analysis.judge import condition_questions, decide, history_questions, judge, questions
from interpreter.checks import too_many
from interpreter.desired import Routing
from interpreter.plan_times import allowed_at, checks_of
from interpreter.questions import Answer, MetricQuestion
from interpreter.routing import HOME
from interpreter.simulator.crowd import START, Crowd, Traffic
from interpreter.state import Verdict
from interpreter.steps.route import changed

_MINUTE_MS = 60_000


class Outcome(Enum):
    """How a rollout went. `over`: it came to an end that no check brought about, without a promotion."""

    PROMOTED = "promoted"
    ENDED = "ended"
    HELD = "held"
    OVER = "over"


class Run(NamedTuple):
    """One rollout: how it went, when, and how many requests the canary had got by then. `looks` is how many checks it
    made, `blank` how many of them had no data."""

    outcome: Outcome
    ms: int
    requests: float
    looks: int
    blank: int


class Course(NamedTuple):
    """A Program and the analyses to judge it by, which need not be its own: one may want to know what one check does
    alone. The budget of wrong aborts stays the Program's."""

    program: Program
    analyses: Mapping[str, Analysis]
    most_looks: int


def course(program: Program, analyses: Mapping[str, Analysis] | None = None) -> Course:
    """The course of a Program; it may make four times the checks of the soonest one, and fifty more."""
    planned = sum(checks_of(program, index) for index in flow.reachable(program))
    return Course(program, program.analyses if analyses is None else analyses, 4 * planned + 50)


def runs(way: Course, traffic: Traffic, number: int, seed: str) -> Iterator[Run]:
    """So many rollouts. The same seed gives the same ones."""
    chance = Random(seed)
    watches = {name: _watch(way.program, analysis) for name, analysis in way.analyses.items()}
    for _ in range(number):
        yield _Journey(way, watches, Crowd(traffic, chance)).go()


class _Watch(NamedTuple):
    """An analysis, and how long before each of its checks a window begins within the interval before it."""

    analysis: Analysis
    cuts: tuple[int, ...]


def _watch(program: Program, analysis: Analysis) -> _Watch:
    windows = {question.window_ms % analysis.every_ms for question in questions(program, analysis, 0)}
    return _Watch(analysis, tuple(sorted(windows - {0}, reverse=True)))


class _Journey:
    """One rollout under way."""

    def __init__(self, way: Course, watches: Mapping[str, _Watch], crowd: Crowd) -> None:
        self._way = way
        self._watches = watches
        self._crowd = crowd
        self._routing: Routing = HOME
        self._raised = 0
        self._failed = 0
        self._recent: tuple[bool, ...] = ()
        self._evidence: Mapping[str, Mapping[str, float | list[float]]] = {}
        self._looks = 0
        self._blank = 0
        self._outcome: Outcome | None = None

    def go(self) -> Run:
        """To its end."""
        code, place = self._way.program.code, 0
        while self._outcome is None and place < len(code):
            place = self._step(place)
        outcome = self._outcome or Outcome.OVER
        return Run(outcome, self._crowd.now, self._crowd.to_canary, self._looks, self._blank)

    def _step(self, place: int) -> int:
        """Carry out an instruction; the place of the next one."""
        match self._way.program.code[place]:
            case RouteOp() as op:
                self._route(op)
            case HoldOp(analysis=None) as op:
                self._crowd.go_on(self._crowd.now + (op.duration_ms or 0) + (op.checks or 0) * _MINUTE_MS)
            case HoldOp() as op:
                self._hold(op)
            case PauseOp() as op:
                self._crowd.go_on(self._crowd.now + (op.duration_ms or 0))
            case BranchOp() as op:
                return self._branch(op, place)
            case PromoteOp():
                self._outcome = Outcome.PROMOTED
            case RollbackOp():
                self._outcome = Outcome.OVER
            case _:
                pass
        return place + 1

    def _route(self, op: RouteOp) -> None:
        self._crowd.go_on(allowed_at(self._way.program, op))
        self._routing = changed(self._routing, op)
        self._crowd.route(self._routing)
        self._raised = self._crowd.now

    def _hold(self, op: HoldOp) -> None:
        """As `interpreter.steps.hold` has it."""
        watch = self._watches[op.analysis or ""]
        every, since = watch.analysis.every_ms, self._crowd.now
        due = since + (0 if op.at_once else every if op.duration_ms is None else min(op.duration_ms, every))
        warm = self._raised + watch.analysis.warm_up_ms
        if due < warm:
            due += -((due - warm) // every) * every
        needed = (op.checks or 1) if op.duration_ms is None else (since + op.duration_ms - due) // every + 1
        passed = 0
        while passed < max(1, needed):
            self._crowd.go_on(due, watch.cuts)
            held = not self._look(watch.analysis)
            if self._outcome is not None:
                return
            passed += not held
            since += every if held else 0
            due += every
        if op.duration_ms is not None:
            self._crowd.go_on(since + op.duration_ms)

    def _look(self, analysis: Analysis) -> bool:
        """One check: whether the traffic may go on."""
        program, at_ms = self._way.program, START + self._crowd.now
        asked = questions(program, analysis, at_ms)
        earlier = history_questions(program, analysis, at_ms, self._evidence)
        judgement = judge(
            program,
            analysis,
            at_ms,
            self._answers((*asked, *earlier)),
            self._evidence,
            routing=self._routing,
            held_ms=self._crowd.now - self._raised,
        )
        self._evidence = judgement.evidence
        self._looks += 1
        self._blank += any(result.verdict is Verdict.NO_DATA for result in judgement.results)
        match judgement.verdict:
            case Verdict.PASS:
                self._count(analysis.tolerate, passed=True)
                passed = not judgement.holds_raise
            case Verdict.FAIL:
                self._count(analysis.tolerate, passed=False)
                passed = False
            case Verdict.ABORT:
                self._outcome = Outcome.ENDED
                return False
            case _:
                passed = False
        if self._looks >= self._way.most_looks and self._outcome is None:
            self._outcome = Outcome.HELD
        return passed

    def _count(self, tolerate: Tolerance, *, passed: bool) -> None:
        self._recent = (*self._recent, passed)[-max(tolerate.window, tolerate.count, 1) :]
        self._failed += not passed
        if not passed and too_many(tolerate, self._failed, self._recent):
            self._outcome = Outcome.ENDED

    def _branch(self, op: BranchOp, place: int) -> int:
        """Which way, as `interpreter.steps.branch` decides it."""
        if op.condition is None:
            return op.target
        program = self._way.program
        at_ms = START + self._crowd.now
        answers = self._answers(condition_questions(program, op.condition, at_ms))
        holds, _, _ = decide(program, op.condition, at_ms, answers)
        if holds is not None:
            return place + 1 if holds else op.target
        self._looks += 1
        self._count(self._watches[op.analysis].analysis.tolerate if op.analysis else Tolerance(1), passed=False)
        self._crowd.go_on(self._crowd.now + op.every_ms)
        return place

    def _answers(self, asked: tuple[MetricQuestion, ...]) -> dict[str, Answer]:
        return {question.key: self._crowd.answer(question) for question in asked}
