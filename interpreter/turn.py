"""One call of `advance`, while it is being worked out.

A `Turn` is the only mutable thing in the machine, and lives no longer than the call. It holds the state as it will be,
collects questions, actions and the earliest time to come back, and offers the few verbs in which the phases and the
steps are written: `ask`, `event`, `tell`, `call`, `wake_in`, `enter`. Nothing here decides anything.

Two clocks. `now` is the wall's. `clock` is the machine's own: it moves on by as much as the wall moved on since the
last call, and never back, so that a wall clock that is set back cannot make a hold longer than it is.
"""

from __future__ import annotations

from typing import Any, Literal

from dsl.ir import Program
from interpreter.actions import Action, ActionResult, CallAction, EventAction, NotifyAction
from interpreter.desired import CanaryScale, Instant, Role, Routing
from interpreter.frozen import changed
from interpreter.phases import CHANGES
from interpreter.questions import Answer, MetricQuestion, Question, Readiness, ReadyQuestion
from interpreter.state import CheckRecord, Cursor, Entry, Inputs, Phase, Run, State

_LOG_LIMIT = 200
_FULL = CanaryScale("full")
_LITERAL = "{{ text }}"
_PROGRESS = frozenset({"CanaryReady", "GateOpen", "TrafficRouted", "TrafficReturning", "TrafficReturned"})
"""Events that are no messages of their own, but change the message that a service shows of the run already."""
_SETTLED_LATER = frozenset({"alertmanager", "pagerduty", "provider"})
"""Kinds of channels where what was raised must be settled, whatever severities they are told of."""
_MOST_CHECKS_TOLD = 10
_MOST_TOLD = 4000
"""Characters of one variable of a message: they are kept in the state until it has been sent."""
Severity = Literal["info", "warn", "error"]


class MachineBug(AssertionError):
    """The machine was about to do what its own table forbids."""


class Turn:
    """See the module's docstring. `state` and `run` are replaced, never changed in place."""

    __slots__ = ("clock", "inputs", "now", "outbox", "primary_up", "program", "questions", "run", "state", "wake")

    def __init__(self, program: Program, state: State, inputs: Inputs, now: Instant) -> None:
        self.program = program
        self.inputs = inputs
        self.now = now
        last = state.wall_ms
        self.clock = state.clock_ms + (max(0, now - last) if last is not None else 0)
        self.state = state
        self.run: Run | None = state.run
        self.outbox: list[Action] = list(state.outbox)
        self.questions: list[Question] = []
        self.wake: int | None = None
        self.primary_up = True

    # --- the run ----------------------------------------------------------------------------------------------

    @property
    def cursor(self) -> Cursor:
        """Where the run under way stands. Asked so often that it does not go through `running`."""
        if self.run is None:
            raise MachineBug("no run under way")
        return self.run.cursor

    @property
    def running(self) -> Run:
        """The run under way; it is a bug to ask where there is none."""
        if self.run is None:
            raise MachineBug("no run under way")
        return self.run

    def set(self, **changes: Any) -> None:
        """Change the state."""
        self.state = changed(self.state, **changes)

    def set_run(self, **changes: Any) -> None:
        """Change the run."""
        self.run = changed(self.running, **changes)

    def set_cursor(self, **changes: Any) -> None:
        """Change the place within the run."""
        run = self.running
        self.run = changed(run, cursor=changed(run.cursor, **changes))

    def go_to(self, pc: int) -> None:
        """Begin the instruction at `pc`, with nothing remembered of the last one."""
        self.set_run(cursor=Cursor(pc=pc, since_ms=self.clock))
        self.because("")

    def reroute(self, routing: Routing) -> None:
        """Decide on a routing."""
        self.set(routing=routing, caution=None)

    def enter(self, phase: Phase, reason: str = "") -> None:
        """Change the phase, along the table and not otherwise."""
        before = self.state.phase
        if phase is before:
            self.because(reason)
            return
        if phase not in CHANGES[before]:
            raise MachineBug(f"no way from {before} to {phase}")
        self.set(phase=phase, since_ms=self.clock, reason=reason)

    def because(self, reason: str) -> None:
        """Say in words what is being waited for."""
        if reason != self.state.reason:
            self.set(reason=reason)

    # --- questions and time -----------------------------------------------------------------------------------

    def ask(self, question: Question) -> Answer | None:
        """The answer, or None, and then the question goes out."""
        answer = self.inputs.answers.get(question.key)
        if answer is None and question not in self.questions:
            self.questions.append(question)
        return answer

    def ask_all(self, questions: tuple[MetricQuestion, ...]) -> bool:
        """Whether all are answered; those that are not go out."""
        answers = self.inputs.answers
        missing = [question for question in questions if question.key not in answers]
        self.questions.extend(missing)
        return not missing

    def ready(self, role: Role, revision: str) -> Readiness | None:
        """Whether a workload is as it should be; None while that is not known."""
        scale = _FULL if role == "primary" else self.state.canary_scale
        answer = self.ask(ReadyQuestion(role, revision, scale))
        return answer if isinstance(answer, Readiness) else None

    def wake_at(self, clock_ms: int) -> None:
        """Come back at this time of the machine's clock, or earlier."""
        if self.wake is None or clock_ms < self.wake:
            self.wake = clock_ms

    def wake_at_wall(self, wall_ms: Instant) -> None:
        """Come back at this time of the wall's clock, or earlier."""
        self.wake_at(self.clock + max(0, wall_ms - self.now))

    # --- what goes out ----------------------------------------------------------------------------------------

    def _key(self, what: str) -> str:
        program, run, state = self.program, self.run, self.state
        self.set(emitted=state.emitted + 1)
        where = f"{run.revision}/{run.number}/{run.cursor.pc}" if run else "-/0/-1"
        return f"{program.namespace}/{program.name}/{where}/{what}/{self.state.emitted}"

    def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Record what happened, as an event and in the run's log."""
        self._record(reason, message, warning=warning)
        if reason in _PROGRESS and self.run is not None:
            for name in self.run.handles:
                self.notify(name, _LITERAL, text=message, event=reason, update=True)

    def tell(self, reason: str, message: str, severity: Severity = "info", asks: tuple[str, ...] = ()) -> None:
        """An event that people are told of: it goes to the rollout's channels too. `asks` are the verbs by which a
        person can answer it."""
        self._record(reason, message, warning=severity != "info")
        shown = self.run.handles if self.run is not None else {}
        for name in self.program.notify:
            channel = self.program.channels[name]
            is_news = severity in channel.at
            if is_news or name in shown or channel.kind in _SETTLED_LATER:
                self.notify(name, _LITERAL, severity, message, event=reason, asks=asks, update=not is_news)

    def notify(
        self,
        channel: str,
        template: str,
        severity: Severity = "info",
        text: str = "",
        *,
        event: str = "Message",
        asks: tuple[str, ...] = (),
        update: bool = False,
    ) -> None:
        """Send a message, a template over `context()` and `text`, to one channel. `NotifyAction` has the rest."""
        context = {key: value[:_MOST_TOLD] for key, value in {**self.context(), "text": text}.items()}
        step = self.run.cursor.pc if self.run is not None else -1
        action = NotifyAction(
            *(self._key(channel), channel, severity, template, context),
            attempts=1,
            event=event,
            asks=asks,
            step=step,
            update=update,
        )
        self.outbox.append(action)

    def _record(self, reason: str, message: str, *, warning: bool) -> None:
        self.outbox.append(EventAction(self._key(reason), reason, message, warning, attempts=1))
        self.log(reason, message)

    def call(self, webhook: str, key: str, *, awaited: bool) -> ActionResult | None:
        """The result of a call, or None while it is out; the call goes out if it has not yet."""
        for action in self.outbox:
            if action.key == key and isinstance(action, CallAction):
                return action.result
        run = self.running
        self.outbox.append(
            CallAction(
                key=key,
                webhook=webhook,
                phase=self.state.phase.value,
                revision=run.revision,
                weight=self.state.routing.weight,
                failed_checks=run.failed_checks,
                iterations=run.iterations,
                awaited=awaited,
                attempts=1,
            )
        )
        return None

    def drop_calls(self) -> None:
        """Forget the calls that somebody waited for: their results have been used, or nobody waits any more."""
        self.outbox = [action for action in self.outbox if not (isinstance(action, CallAction) and action.awaited)]

    def call_key(self, what: str, attempt: int) -> str:
        """The idempotency key of a call: rollout, revision, run, instruction, attempt."""
        run, program = self.running, self.program
        return f"{program.namespace}/{program.name}/{run.revision}/{run.number}/{run.cursor.pc}/{what}/{attempt}"

    def context(self) -> dict[str, str]:
        """What a message's template may say."""
        run, program = self.run, self.program
        step = run.cursor.pc if run else -1
        return {
            "rollout": program.name,
            "namespace": program.namespace,
            "target": program.target.name,
            "revision": run.revision if run else "",
            "primary": self.state.primary or "",
            "weight": f"{self.state.routing.weight:g}%",
            "phase": self.state.phase.value,
            "step": program.spans[step].text if 0 <= step < len(program.spans) else "",
            "reason": (run.reason if run else "") or self.state.reason,
            "failed_checks": str(run.failed_checks if run else 0),
            "checks": _lines(run.last_check) if run and run.last_check else "",
            "run": str(run.number) if run else "",
        }

    def log(self, what: str, text: str) -> None:
        """Add a line to the run's record, which keeps its beginning and its end when it grows too long."""
        run = self.run
        if run is None:
            return
        entry = Entry(self.now, run.cursor.pc, self.state.routing.weight, what, text)
        log = run.log
        if len(log) >= _LOG_LIMIT:
            half = _LOG_LIMIT // 2
            log = (*log[:half], *log[half + 1 :])
        self.run = changed(run, log=(*log, entry))


def _lines(record: CheckRecord) -> str:
    """What the last check saw, a line for each of its own: the condition, which has the threshold, the values, and what
    came of it."""
    lines = []
    for result in record.results[:_MOST_CHECKS_TOLD]:
        values = ", ".join(f"{name} is {value}" for name, value in result.values[:_MOST_CHECKS_TOLD])
        lines.append(": ".join(part for part in (f"`{result.words}`", values, result.verdict.value) if part))
    return "\n".join(lines)
