"""What happened in a simulated rollout: recorded as it happens, kept as plain data, told elsewhere (`telling`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from dsl.ir import GivenEvent, GivenMetric, Program, WaitOp
from interpreter.actions import CallAction, EventAction, NotifyAction
from interpreter.phases import AT_REST
from interpreter.routing import HOME
from interpreter.simulator.inversion import name, unit_of
from interpreter.simulator.quantities import shown
from interpreter.simulator.scenario import Scenario
from interpreter.simulator.telemetry import Chosen
from interpreter.state import CheckRecord, Outcome, Phase, Run, State, Verdict

if TYPE_CHECKING:
    from interpreter.simulator.world import World

End = Literal["promoted", "rolled_back", "waiting", "running", "promotion_failed", "reverted", "terminated"]
Kind = Literal["world", "step", "traffic", "check", "event", "call", "message"]

_ENDS: dict[Outcome, End] = {
    Outcome.PROMOTED: "promoted",
    Outcome.ROLLED_BACK: "rolled_back",
    Outcome.PROMOTION_FAILED: "promotion_failed",
    Outcome.REVERTED: "reverted",
}
_EVENT = "{{ text }}"
"""The template of a message that only repeats its event."""
_FAILED = (Verdict.FAIL, Verdict.ABORT)
_SAID_ELSEWHERE = frozenset({"CheckFailed", "CheckNotMade", "CheckInconclusive", "TrafficRouted"})


class Moment(NamedTuple):
    """One thing that happened, `at_ms` after the new revision appeared. `step` is an index into the code, -1 before.
    A check has its record, and the evidence that it left behind."""

    at_ms: int
    kind: Kind
    step: int
    weight: float
    mirror: float
    matched: bool
    text: str
    bad: bool = False
    check: CheckRecord | None = None
    evidence: Mapping[str, Mapping[str, float | list[float]]] = {}


class Level(NamedTuple):
    """How things stood from `at_ms` on; what `expect` bounds are held against."""

    at_ms: int
    traffic: float
    mirror: float
    failed_checks: int
    waiting: bool


class Story(NamedTuple):
    """All that came of one simulated rollout. `ended_ms` is when the outcome was decided, None if it was not. `calls`
    are the idempotency keys of all webhook calls, in order."""

    program: Program
    scenario: Scenario
    outcome: End
    reason: str
    ended_ms: int | None
    last_ms: int
    moments: tuple[Moment, ...]
    levels: tuple[Level, ...]
    chosen: tuple[Chosen, ...]
    calls: tuple[str, ...]
    state: State
    passes: int
    effects: int

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights of the canary in the order in which it had them."""
        found: list[float] = []
        for level in self.levels:
            if not found or found[-1] != level.traffic:
                found.append(level.traffic)
        return tuple(found)

    @property
    def waiting_since_ms(self) -> int | None:
        """When the wait began in which it all ended; None for any other end."""
        since: int | None = None
        for level in self.levels:
            since = None if not level.waiting else level.at_ms if since is None else since
        return since if self.outcome == "waiting" else None


@dataclass(slots=True)
class Recorder:
    """Watches a simulation from outside and writes down what changes."""

    program: Program
    scenario: Scenario
    moments: list[Moment] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    told: int = 0
    place: tuple[int, int] = (0, -1)
    checks: tuple[int, int] = (0, 0)
    said: set[int] = field(default_factory=set)
    decided_ms: int | None = None
    state: State = field(default_factory=State)

    # --- what the simulation tells ----------------------------------------------------------------------------

    def see(self, world: World, state: State) -> None:
        """After each pass."""
        self.state = state
        if world.appeared_ms is None:
            self.told = len(world.performed)
            return
        self._check(world, state)
        self._actions(world)
        self._step(world, state)
        self._level(world)
        self._decided(world, state)

    def rerouted(self, world: World) -> None:
        """The data plane has just taken a new routing."""
        if world.appeared_ms is not None:
            self._level(world)

    def happened(self, world: World) -> None:
        """What the scenario brings at this moment."""
        if not self.moments:
            self._add(world, "world", "new revision")
        for index, given in enumerate(self.scenario.givens):
            if index not in self.said and given.after_ms <= world.at_ms:
                self.said.add(index)
                if (text := _announced(given, world)) is not None:
                    self._add(world, "world", text)

    def restarted(self, world: World) -> None:
        """The interpreter is killed and started again."""
        self._add(world, "world", "the interpreter restarts")

    # --- what is written down ---------------------------------------------------------------------------------

    def _add(
        self, world: World, kind: Kind, text: str, *, bad: bool = False, at: tuple[int, float] | None = None
    ) -> None:
        """`at` is the step and the weight, where they are not those of the moment."""
        routing, now = world.routing or HOME, self._place()
        step, weight = (now, routing.weight) if at is None else at
        before = self.moments[-1] if self.moments and step < now else None
        mirror, matched = (routing.mirror, bool(routing.matches)) if before is None else (before.mirror, before.matched)
        self.moments.append(Moment(world.at_ms, kind, step, weight, mirror, matched, text, bad))

    def _place(self) -> int:
        run = self.state.run
        return -1 if run is None else run.cursor.pc

    def _check(self, world: World, state: State) -> None:
        run = state.run
        if run is None or run.last_check is None or (run.number, run.iterations) == self.checks:
            return
        self.checks = (run.number, run.iterations)
        record = run.last_check
        self._enter(world, run, record.step, record.weight)
        self._add(world, "check", record.verdict.value, bad=record.verdict in _FAILED, at=(record.step, record.weight))
        self.moments[-1] = self.moments[-1]._replace(check=record, evidence=run.evidence)

    def _actions(self, world: World) -> None:
        fresh, self.told = world.performed[self.told :], len(world.performed)
        for _, action, ok, message in fresh:
            match action:
                case CallAction():
                    if not (ok and action.awaited):
                        said = "accepts" if ok else "refuses"
                        self._add(world, "call", f"webhook `{action.webhook}` {said}", bad=not ok)
                case EventAction():
                    self._event(world, action)
                case NotifyAction() if action.template != _EVENT:
                    self._add(world, "message", f"message to `{action.channel}`: {message}", bad=not ok)

    def _event(self, world: World, action: EventAction) -> None:
        """An event, at the step and the weight that the run's record has for it."""
        run = self.state.run
        found = None
        for entry in reversed(run.log if run is not None else ()):
            if (entry.what, entry.text) == (action.reason, action.message):
                found = (entry.step, entry.weight)
                break
        if run is not None and found is not None:
            self._enter(world, run, *found)
        if action.reason not in _SAID_ELSEWHERE:
            self._add(world, "event", action.message, bad=action.warning, at=found)

    def _step(self, world: World, state: State) -> None:
        run = state.run
        if run is not None and run.outcome is None:
            self._enter(world, run, run.cursor.pc, (world.routing or HOME).weight)

    def _enter(self, world: World, run: Run, step: int, weight: float) -> None:
        """Say that the rollout has come to a step, once."""
        if (run.number, step) <= self.place or not 0 <= step < len(self.program.code):
            return
        self.place = (run.number, step)
        self._add(world, "step", step_text(self.program, step), at=(step, weight))

    def _level(self, world: World) -> None:
        routing, run = world.routing or HOME, self.state.run
        failed = run.failed_checks if run is not None else 0
        level = Level(world.at_ms, routing.weight, routing.mirror, failed, waits(self.program, self.state))
        if not self.levels or self.levels[-1][1:] != level[1:]:
            self.levels.append(level)

    def _decided(self, world: World, state: State) -> None:
        run = state.run
        decided = run is not None and run.outcome in _ENDS
        if not decided:
            self.decided_ms = None
        elif self.decided_ms is None:
            self.decided_ms = world.at_ms

    def story(self, world: World, state: State, passes: int, effects: int) -> Story:
        """The whole of it, when the simulation is over."""
        run = state.run
        outcome: End = "waiting" if waits(self.program, state) else "running"
        if state.phase is Phase.TERMINATED:
            outcome = "terminated"
        elif run is not None and run.outcome in _ENDS:
            outcome = _ENDS[run.outcome]
        reason = (run.reason if run is not None and run.outcome is not None else "") or state.reason
        return Story(
            self.program,
            self.scenario,
            outcome,
            reason,
            self.decided_ms,
            world.at_ms,
            tuple(self.moments),
            tuple(self.levels),
            world.telemetry.chosen(),
            tuple(done.action.key for done in world.performed if isinstance(done.action, CallAction)),
            state,
            passes,
            effects,
        )


def waits(program: Program, state: State) -> bool:
    """Whether nothing but a person, a gate or a window moves the rollout on."""
    run = state.run
    if run is None or state.phase in AT_REST or run.outcome is not None:
        return False
    if state.phase in (Phase.WAITING, Phase.WAITING_PROMOTION):
        return True
    pc = run.cursor.pc
    op = program.code[pc] if 0 <= pc < len(program.code) else None
    return isinstance(op, WaitOp) or getattr(op, "window", None) is not None


def step_text(program: Program, index: int) -> str:
    """A step as it was written; in the words of the Program where no source is known."""
    if 0 <= index < len(program.spans):
        return program.spans[index].text
    return program.code[index].op if 0 <= index < len(program.code) else "bringing the canary up"


def _announced(given: GivenMetric | GivenEvent, world: World) -> str | None:
    """What the scenario states, in words; None for what is announced elsewhere."""
    if isinstance(given, GivenMetric):
        if given.value is None:
            return f"no data of `{name(given.measure)}`"
        return f"{name(given.measure)} = {shown(given.value, unit_of(given.measure, world.telemetry.metrics))}"
    if given.what in ("approval", "abort", "interpreter_restart"):
        return None
    if given.what == "no_data" and given.subject:
        return f"no data of `{given.subject}`"
    if given.what == "new_revision":
        return f"new revision {world.revision_at(given.after_ms)}"
    return _WORDS.get(given.what, given.what).format(f" `{given.subject}`" if given.subject else "")


_WORDS = {
    "no_data": "no metric has data",
    "provider_down": "the metric provider is down",
    "webhook refuses": "webhook{} refuses",
    "gate opens": "gate{} opens",
    "gate closes": "gate{} shuts",
    "canary not_ready": "the canary is not ready",
    "primary not_ready": "the primary is not ready",
}


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""
