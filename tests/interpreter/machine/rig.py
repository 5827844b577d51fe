"""A world for the machine's own tests: everything in it is set by hand, and time stands still unless moved.

The state goes through JSON at every step. `Rig.settle()` makes passes until nothing moves any more; `Rig.go(seconds)`
moves the clock in jumps to each wake-up on the way. `routes` is the history of the data plane, `events` and `messages`
what went out. A crash after the n-th effect is `Rig.crash_after = n`: memory is lost, the world and what was persisted
stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dsl import ir
from interpreter.actions import Action, ActionResult, CallAction, EventAction, NotifyAction
from interpreter.desired import Desired, Routing
from interpreter.effects import Arrange, Effect, Perform, Persist, Reroute, effects
from interpreter.machine import advance
from interpreter.questions import (
    Answer,
    Events,
    GateAnswer,
    GateQuestion,
    MetricQuestion,
    Question,
    Readiness,
    ReadyQuestion,
)
from interpreter.state import Inputs, Phase, Signal, State, Step
from interpreter.state_json import decode, encode

START = 1_800_000_000_000  # a Friday, 08:00 UTC
MOST_PASSES = 500


class Crash(Exception):
    """The process is gone."""


class Rig:
    """See the module's docstring. Everything public may be set by a test."""

    def __init__(self, program: ir.Program, *, revision: str | None = "v1") -> None:
        self.program = program
        self.now = START
        self.revision = revision
        self.state = State()
        self.persisted = encode(self.state)
        self.routing: Routing | None = None
        self.desired: Desired | None = None
        self.step: Step | None = None
        self.error_rate: Callable[[str], float | None] = lambda arm: 0.0
        self.ready: Callable[[ReadyQuestion], Readiness] = lambda question: Readiness(True)
        self.metric: Callable[[MetricQuestion], Answer | None] = self._requests
        self.performing: Callable[[Action], bool] = self._perform
        self.rerouting: Callable[[Routing], None] = self._reroute
        self.gates: dict[str, bool] = {}
        self.webhooks: dict[str, ActionResult] = {}
        self.signals: list[Signal] = []
        self.born = self.now
        self.looks_every_ms: int | None = None
        self.suspended = False
        self.deleted = False
        self.finished: dict[str, bool] = {}
        self.takes_routing = True
        self.silent: set[str] = set()
        self.routes: list[tuple[float, float]] = []
        self.events: list[EventAction] = []
        self.messages: list[NotifyAction] = []
        self.calls: list[CallAction] = []
        self.asked: list[Question] = []
        self.writes = 0
        self.effects_done = 0
        self.crash_after: int | None = None
        self.crash_again = False
        self.results: dict[str, ActionResult] = {}
        self.restarted = True

    # --- what a test says -------------------------------------------------------------------------------------

    def begin(self, revision: str = "v2") -> Rig:
        """Initialise, then bring a new revision."""
        self.settle()
        if self.looks_every_ms is not None:
            self.go(10)
        self.revision = revision
        self.settle()
        return self

    def go(self, seconds: float) -> Rig:
        """Let time pass, waking whenever the machine wants to be woken."""
        end = self.now + int(seconds * 1000)
        self.settle()
        looks = self.looks_every_ms
        while looks is not None and self.now < min(end, self.born + 20_000):  # while things wake up
            self.now += looks
            self.settle()
        while self.step is not None and self.step.wake_at_ms is not None and self.step.wake_at_ms <= end:
            self.now = max(self.now, self.step.wake_at_ms)
            before = (self.now, self.state)
            self.settle()
            if (self.now, self.state) == before and self.step.wake_at_ms <= self.now:
                raise AssertionError(f"woken at {self.now - START} ms for nothing: {self.state.reason}")
        self.now = end
        self.settle()
        return self

    def signal(self, verb: Any, revision: str = "v2", **more: Any) -> Rig:
        """A person speaks."""
        self.signals.append(Signal(verb, revision, **more))
        self.settle()
        return self

    # --- what a test reads ------------------------------------------------------------------------------------

    @property
    def weights(self) -> list[float]:
        """The weights that the data plane has had, one after the other."""
        found: list[float] = []
        for _, weight in self.routes:
            if not found or found[-1] != weight:
                found.append(weight)
        return found

    @property
    def run(self) -> Any:
        assert self.state.run is not None
        return self.state.run

    def is_in(self, phase: Phase) -> bool:
        return self.state.phase is phase

    def reasons(self) -> list[str]:
        return [event.reason for event in self.events]

    def event(self, reason: str) -> EventAction:
        return next(event for event in self.events if event.reason == reason)

    # --- passes -----------------------------------------------------------------------------------------------

    def settle(self) -> Rig:
        """Passes until nothing moves."""
        for _ in range(MOST_PASSES):
            if not self.survive(self.once):
                return self
        raise AssertionError("the rollout does not come to rest")

    def survive(self, work: Callable[[], bool]) -> bool:
        """Do it; a crash on the way is followed by a restart."""
        try:
            return work()
        except Crash:
            self.crash_after = self.effects_done + 1 if self.crash_again else None
            self.crash_again = False
            self.results = {}
            self.restarted = True
            self.born = self.now
            self.state = decode(self.persisted)
            return True

    def once(self) -> bool:
        """One pass; whether it moved anything."""
        self.step = self._advance()
        todo = effects(decode(self.persisted), self.step, self.routing)
        self.state = decode(encode(self.step.state))
        assert self.state == self.step.state
        self.restarted = False
        moved = False
        for effect in todo:
            moved |= self._do(effect)
            self.effects_done += 1
            if self.crash_after is not None and self.effects_done >= self.crash_after:
                raise Crash
        return moved

    def look(self, answers: dict[str, Answer] | None = None) -> Step:
        """One bare `advance` with these answers and no effect."""
        inputs = Inputs(
            revision=self.revision,
            routing=self.routing,
            answers=answers or {},
            results=self.results,
            signals=tuple(self.signals),
            suspended=self.suspended,
            deleted=self.deleted,
            finished=self.finished,
            program_digest="d1",
            restarted=self.restarted,
        )
        return advance(self.program, self.state, inputs, self.now)

    def _advance(self) -> Step:
        answers: dict[str, Answer] = {}
        for _ in range(50):
            step = self.look(answers)
            open_questions = [q for q in step.questions if q.key not in self.silent]
            if not open_questions:
                return step
            for question in open_questions:
                self.asked.append(question)
                answer = self._answer(question)
                if answer is None:
                    self.silent.add(question.key)
                else:
                    answers[question.key] = answer
        raise AssertionError("no end of questions")

    def _answer(self, question: Question) -> Answer | None:
        match question:
            case MetricQuestion():
                return self.metric(question)
            case ReadyQuestion():
                return self.ready(question)
            case GateQuestion():
                return GateAnswer(self.gates.get(question.gate, False), "" if question.gate in self.gates else "shut")

    def _requests(self, question: MetricQuestion) -> Answer | None:
        rate = self.error_rate(question.arm)
        return None if rate is None else Events(1000 * rate, 1000)

    def _do(self, effect: Effect) -> bool:
        match effect:
            case Reroute(routing):
                if not self.takes_routing:
                    return False
                self.rerouting(routing)
                return True
            case Persist(state):
                self.persisted = encode(state)
                self.writes += 1
                return True
            case Arrange(desired):
                self.desired = desired
                return False
            case Perform(action):
                return self.performing(action)

    def _reroute(self, routing: Routing) -> None:
        self.routing = routing
        self.routes.append(((self.now - START) / 1000, routing.weight))

    def _perform(self, action: Action) -> bool:
        if action.key in self.results or action.key in self.silent:
            return False
        match action:
            case EventAction():
                self.events.append(action)
                self.results[action.key] = ActionResult(True)
            case NotifyAction():
                self.messages.append(action)
                self.results[action.key] = ActionResult(True)
            case CallAction():
                self.calls.append(action)
                self.results[action.key] = self.webhooks.get(action.webhook, ActionResult(True))
        return True


# --- Programs ---------------------------------------------------------------------------------------------------

MINUTE = 60_000
HEALTH = ir.Check(
    "require",
    ir.Compare(">=", ir.Measure("success_rate", ir.Arm.CANARY, MINUTE), ir.Const(0.99, ir.Unit.PERCENT)),
    "success_rate >= 99%",
)
DISASTER = ir.Check(
    "abort",
    ir.Compare("<", ir.Measure("success_rate", ir.Arm.CANARY, MINUTE), ir.Const(0.5, ir.Unit.PERCENT)),
    "success_rate < 50%",
)
METRICS = {
    "requests": ir.Metric(
        ir.Unit.EVENTS, (ir.Query("prometheus", "bad", "bad"), ir.Query("prometheus", "total", "total"))
    ),
    "success_rate": ir.Metric(
        ir.Unit.PERCENT,
        expr=ir.Arith((ir.Const(1.0, ir.Unit.PERCENT), ir.Measure("requests", ir.Arm.CANARY, 0, "rate")), ("-",)),
    ),
}
SLO = ir.Analysis(MINUTE, (HEALTH,), ir.Tolerance(3))
HOLD = ir.HoldOp(checks=1, analysis="slo")


def program(*code: Any, **changes: Any) -> ir.Program:
    """A Program with one analysis, `slo`, every minute, three failures tolerated."""
    analysis = changes.pop("slo", SLO)
    base = ir.Program(
        name="checkout",
        namespace="shop",
        target=ir.WorkloadRef("deployment", "checkout"),
        traffic=ir.Traffic("istio"),
        service=ir.Service("checkout", 80),
        code=code,
        analysis="slo",
        metrics=METRICS,
        analyses={"slo": analysis},
    )
    return replace(base, **changes)


def ramp(*weights: float, **changes: Any) -> ir.Program:
    """Each weight with one check, then `promote`."""
    code: list[Any] = []
    for weight in weights:
        code += [ir.RouteOp(weight=weight), HOLD]
    return program(*code, ir.PromoteOp(), **changes)
