"""The simulated world: what the machine's questions are answered from, and what its effects change.

It stands in for a cluster: workloads that take a while to become ready, a data plane that does as it is told at once,
metric providers that see the requests of each arm, webhooks, gates, people. What a restart of the interpreter finds
again is here too: the state as it was last written, in JSON, and nothing else of the machine's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, assert_never

from dsl.ir import GateCheck, GivenEvent, Program, PromoteOp, WaitOp
from interpreter.actions import Action, ActionResult, CallAction, NotifyAction
from interpreter.desired import CanaryScale, Desired, Instant, Routing
from interpreter.effects import Arrange, Effect, Perform, Persist, Reroute
from interpreter.questions import Answer, GateAnswer, GateQuestion, MetricQuestion, Question, Readiness, ReadyQuestion
from interpreter.routing import HOME
from interpreter.simulator.scenario import Scenario
from interpreter.simulator.telemetry import Seen
from interpreter.state import Inputs, Phase, Signal, State
from interpreter.state_json import encode

FIRST = "v1"
"""The revision that runs before the rollout."""


class Workload(NamedTuple):
    """One arm as it was last arranged."""

    revision: str
    scale: CanaryScale
    ready_ms: Instant


class Performed(NamedTuple):
    """A once-only thing that was done, whether it was accepted, and what a message said."""

    at_ms: Instant
    action: Action
    ok: bool
    message: str


@dataclass(slots=True)
class World:
    """See the module's docstring. `appeared_ms` is when the new revision appeared, None before it has."""

    program: Program
    scenario: Scenario
    telemetry: Seen
    now: Instant
    appeared_ms: Instant | None = None
    routing: Routing | None = None
    workloads: dict[str, Workload] = field(default_factory=dict)
    persisted: str | None = None
    results: dict[str, ActionResult] = field(default_factory=dict)
    asked: dict[tuple[int, int], Instant] = field(default_factory=dict)
    performed: list[Performed] = field(default_factory=list)
    released: bool = False

    # --- time -------------------------------------------------------------------------------------------------

    @property
    def at_ms(self) -> int:
        """Where in the scenario we are; before its beginning nothing of it holds."""
        return -1 if self.appeared_ms is None else self.now - self.appeared_ms

    @property
    def revision(self) -> str:
        """The revision that the target has now."""
        return self.revision_at(self.at_ms)

    def revision_at(self, at_ms: int) -> str:
        """The revision that the target has at a moment of the scenario."""
        if at_ms < 0:
            return FIRST
        newer = sum(1 for event in self.scenario.events if event.what == "new_revision" and event.after_ms <= at_ms)
        return f"v{2 + newer}"

    def next_change(self) -> Instant | None:
        """When something will happen that the machine may want to hear of."""
        moments = [workload.ready_ms for workload in self.workloads.values()]
        if self.appeared_ms is not None:
            moments += [self.appeared_ms + change for change in self.scenario.changes()]
        if self.scenario.approve_after_ms is not None:
            moments += [asked + self.scenario.approve_after_ms for asked in self.asked.values()]
        return min((moment for moment in moments if moment > self.now), default=None)

    # --- what the machine is told -----------------------------------------------------------------------------

    def inputs(self, digest: str, answers: dict[str, Answer], *, restarted: bool) -> Inputs:
        """The world as the machine sees it now."""
        return Inputs(
            revision=self.revision,
            routing=self.routing,
            answers=answers,
            results=dict(self.results),
            signals=self.signals(),
            suspended=any(self.scenario.active("suspended", self.at_ms)),
            deleted=any(self.scenario.active("deleted", self.at_ms)),
            finished={f"{other.namespace}/{other.name}": True for other in self.program.after},
            program_digest=digest,
            restarted=restarted,
        )

    def signals(self) -> tuple[Signal, ...]:
        """What people have asked for so far. Each asking is about the revision of its moment."""
        given = [
            Signal(verb, self.revision_at(event.after_ms), who="the scenario", id=f"{event.what}-{index}")
            for index, event in enumerate(self.scenario.events)
            for verb in (_verb(event),)
            if verb is not None and event.after_ms <= self.at_ms
        ]
        return (*given, *self._approvals())

    def _approvals(self) -> list[Signal]:
        wait = self.scenario.approve_after_ms
        if wait is None:
            return []
        return [
            Signal("approve", self.revision, who="the scenario", step=pc, id=f"approve-{run}-{pc}")
            for (run, pc), asked in self.asked.items()
            if asked + wait <= self.now
        ]

    def notice(self, state: State) -> None:
        """See whether somebody is being asked for an approval."""
        run = state.run
        if run is None or run.outcome is not None or not 0 <= run.cursor.pc < len(self.program.code):
            return
        op = self.program.code[run.cursor.pc]
        waits = isinstance(op, WaitOp) and op.gate is None
        if waits or (isinstance(op, PromoteOp) and state.phase is Phase.WAITING_PROMOTION):
            self.asked.setdefault((run.number, run.cursor.pc), self.now)

    def answer(self, question: Question) -> Answer:
        """What the world says to one question."""
        match question:
            case MetricQuestion():
                return self.telemetry.answer(question, self.routing or HOME, self._moment(question))
            case ReadyQuestion():
                return self._readiness(question)
            case GateQuestion():
                return self._gate(question.gate)
            case _:
                assert_never(question)

    def _moment(self, question: MetricQuestion) -> int:
        """Which moment of the scenario an answer describes: this one, unless the question is about an earlier time."""
        earlier = question.at_ms <= self.now - question.window_ms
        return max(0, self.at_ms - (self.now - question.at_ms)) if earlier else self.at_ms

    def _readiness(self, question: ReadyQuestion) -> Readiness:
        if any(self.scenario.active(f"{question.role} not_ready", self.at_ms)):
            return Readiness(False, "0 of 1 pods are ready")
        workload = self.workloads.get(question.role)
        if workload is None or workload.revision != question.revision:
            return Readiness(False, f"revision {question.revision} is not there yet")
        if question.role != "primary" and workload.scale != question.scale:
            return Readiness(False, "being scaled")
        return Readiness(True) if workload.ready_ms <= self.now else Readiness(False, "pods are starting")

    def _gate(self, gate: str) -> GateAnswer:
        """As the scenario says; before its first word on a gate, the opposite of that; with no word, open.

        A gate whose opening aborts is shut as long as nobody says otherwise.
        """
        said = [event for event in self.scenario.events if event.what.startswith("gate ") and event.subject == gate]
        usual = not self._aborts(gate)
        if said and said[0].after_ms > 0:
            usual = said[0].what == "gate closes"
        holding = [e for e in said if e.after_ms <= self.at_ms and not _ended(e, self.at_ms)]
        latest = max(holding, key=lambda event: event.after_ms, default=None)
        is_open = usual if latest is None else latest.what == "gate opens"
        return GateAnswer(is_open, "" if is_open else "the gate is shut")

    def _aborts(self, gate: str) -> bool:
        checks = (check for analysis in self.program.analyses.values() for check in analysis.checks)
        return any(isinstance(check, GateCheck) and check.gate == gate for check in checks)

    # --- what the machine does --------------------------------------------------------------------------------

    def carry_out(self, effect: Effect) -> None:
        """Do one effect."""
        match effect:
            case Reroute():
                self.routing = effect.routing
            case Persist():
                self.persisted = encode(effect.state)
            case Arrange():
                self._arrange(effect.desired)
            case Perform():
                self._perform(effect)
            case _:
                assert_never(effect)

    def _arrange(self, desired: Desired) -> None:
        full = CanaryScale("full")
        self._run("primary", desired.primary, full)
        self._run("canary", desired.canary, desired.canary_scale)
        self._run("baseline", desired.primary if desired.baseline else None, desired.canary_scale)
        self.released = desired.released

    def _run(self, role: str, revision: str | None, scale: CanaryScale) -> None:
        if revision is None or scale.mode == "off":
            self.workloads.pop(role, None)
            return
        there = self.workloads.get(role)
        if there is None or (there.revision, there.scale) != (revision, scale):
            self.workloads[role] = Workload(revision, scale, self.now + self.scenario.ready_after_ms)

    def _perform(self, effect: Perform) -> None:
        action = effect.action
        result, message = ActionResult(True), ""
        match action:
            case CallAction() if self._refuses(action.webhook):
                result = ActionResult(False, "refused by the scenario")
            case NotifyAction():
                result, message = rendered(action)
            case _:
                pass
        self.results[action.key] = result
        self.performed.append(Performed(self.now, action, result.ok, message))

    def _refuses(self, webhook: str) -> bool:
        return any(event.subject in (None, webhook) for event in self.scenario.active("webhook refuses", self.at_ms))

    def forget_results(self, state: State) -> None:
        """Drop the results that the machine has seen: their actions are no longer in its outbox."""
        waiting = {action.key for action in state.outbox}
        self.results = {key: result for key, result in self.results.items() if key in waiting}


def rendered(action: NotifyAction) -> tuple[ActionResult, str]:
    """What a message says. One that only repeats its event needs no template engine, which is slow to load."""
    if action.template == "{{ text }}":
        return ActionResult(True), action.context["text"]
    from interpreter.templates import TemplateProblem, render  # noqa: PLC0415

    try:
        return ActionResult(True), render(action.template, action.context)
    except TemplateProblem as problem:
        return ActionResult(False, str(problem)), f"cannot be written: {problem}"


def _verb(event: GivenEvent) -> Literal["approve", "abort"] | None:
    match event.what:
        case "approval":
            return "approve"
        case "abort":
            return "abort"
        case _:
            return None


def _ended(event: GivenEvent, at_ms: int) -> bool:
    return event.lasting_ms is not None and at_ms >= event.after_ms + event.lasting_ms
