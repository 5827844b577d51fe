"""Runs the machine in virtual time: the same passes that every runtime makes, with a clock that jumps.

One pass: gather the inputs, `advance`, answer all its questions and `advance` again until there are none, carry out the
effects one by one. After a pass that changed something comes another at the same moment; then the clock jumps to the
earliest of what the machine waits for and what will happen in the world. Between any two passes the state goes through
JSON. `crash_after` kills the interpreter behind the n-th effect; a restart, that one and those of the scenario, finds
what was written and what is there, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dsl.ir import Metric, Program, WaitOp
from dsl.ir_json import digest
from interpreter.desired import Instant, Routing
from interpreter.effects import Effect, Reroute, effects
from interpreter.machine import advance
from interpreter.phases import AT_REST
from interpreter.questions import Answer, Question, ReadyQuestion
from interpreter.simulator.inversion import Problem
from interpreter.simulator.scenario import HOUR, Scenario, healthy
from interpreter.simulator.telemetry import Seen, telemetry
from interpreter.simulator.timeline import Recorder, Story
from interpreter.simulator.world import World
from interpreter.state import Phase, Stage, State, Step
from interpreter.state_json import decode, encode

_MOST_ROUNDS = 50
_MOST_PASSES_AT_ONCE = 2_000
_STALLED_AFTER = 200
"""So many passes in a row without progress, in a world that will not change any more, and nothing will come of it."""
_STALLED_GATHERING_AFTER = 5_000
"""The same while evidence is being gathered, which may take long."""


class _Crash(Exception):
    """The interpreter is killed here."""


class SimulatorBug(AssertionError):
    """The machine went round in circles."""


@dataclass(slots=True)
class _Runtime:
    """The interpreter's process. Its memory is `state`, which a restart throws away."""

    program: Program
    digest: str
    world: World
    recorder: Recorder
    crash_after: int | None
    state: State = field(default_factory=State)
    effects_done: int = 0
    passes: int = 0
    fresh: bool = True
    open: dict[str, Instant] = field(default_factory=dict)

    def restart(self) -> None:
        """Lose everything in memory, and start from what was written."""
        persisted = self.world.persisted
        self.state = State() if persisted is None else decode(persisted)
        self.world.results.clear()
        self.open.clear()
        self.fresh = True

    def settle(self) -> Step:
        """Make passes at this moment until one changes nothing."""
        for _ in range(_MOST_PASSES_AT_ONCE):
            before = (self.state, self.world.routing, self.world.persisted, tuple(self.world.results))
            try:
                step = self._pass()
            except _Crash:
                self.restart()
                continue
            if before == (self.state, self.world.routing, self.world.persisted, tuple(self.world.results)):
                return step
        raise SimulatorBug(f"no rest after {_MOST_PASSES_AT_ONCE} passes at one moment")

    def _pass(self) -> Step:
        self.passes += 1
        state, step = self.state, self._advance()
        self.fresh = False
        todo = effects(state, step, self.world.routing)
        for effect in todo:
            self._do(effect)
        self.state = decode(encode(step.state))
        self.world.forget_results(self.state)
        self.world.notice(self.state)
        self.recorder.see(self.world, self.state)
        return step

    def _advance(self) -> Step:
        answers: dict[str, Answer] = {}
        for _ in range(_MOST_ROUNDS):
            inputs = self.world.inputs(self.digest, answers, restarted=self.fresh)
            step = advance(self.program, self.state, inputs, self.world.now)
            found = {q.key: self.world.answer(q) for q in step.questions if q.key not in answers and self._known(q)}
            if not found:
                self.open = {question.key: self.open[question.key] for question in step.questions}
                return step
            answers.update(found)
        raise SimulatorBug(f"no end of questions after {_MOST_ROUNDS} rounds")

    def _known(self, question: Question) -> bool:
        """Whether the answer has come in; readiness is known at once, the rest after the scenario's delay."""
        if isinstance(question, ReadyQuestion):
            return True
        due = self.open.setdefault(question.key, self.world.now + self.world.scenario.answer_delay_ms)
        return due <= self.world.now

    def _do(self, effect: Effect) -> None:
        self.world.carry_out(effect)
        if isinstance(effect, Reroute):
            self.recorder.rerouted(self.world)
        self.effects_done += 1
        if self.effects_done == self.crash_after:
            raise _Crash


class _Mark(NamedTuple):
    """What progress is measured by."""

    phase: Phase
    run: int
    pc: int
    passed: int
    failed: int
    routing: Routing


def _mark(state: State) -> _Mark:
    run = state.run
    if run is None:
        return _Mark(state.phase, 0, -1, 0, 0, state.routing)
    return _Mark(state.phase, run.number, run.cursor.pc, run.cursor.passed, run.failed_checks, state.routing)


def simulate(
    program: Program,
    scenario: Scenario | None = None,
    *,
    metrics: Mapping[str, Metric] | None = None,
    crash_after: int | None = None,
    seen: Seen | None = None,
) -> Story | Problem:
    """What becomes of a rollout in a scenario, by default the healthy one. `metrics` are ones that only tests name.
    `seen` answers about metrics in place of what the scenario says of them."""
    scenario = healthy(program) if scenario is None else scenario
    answering = seen or telemetry(program, {**(metrics or {}), **program.metrics}, scenario)
    if isinstance(answering, Problem):
        return answering
    world = World(program, scenario, answering, scenario.start_ms - HOUR)
    runtime = _Runtime(program, digest(program), world, Recorder(program, scenario), crash_after)
    _bring_up(runtime)
    return _roll_out(runtime, scenario)


def _bring_up(runtime: _Runtime) -> None:
    """Everything before the rollout: the primary comes up and takes the traffic."""
    world = runtime.world
    while runtime.state.phase not in AT_REST:
        _jump(runtime, runtime.settle())
        if (
            runtime.state.phase is Phase.INITIALIZING
            and world.next_change() is None
            and runtime.passes > _STALLED_AFTER
        ):
            raise SimulatorBug("the primary does not come up")
    world.now = max(world.now, world.scenario.start_ms)
    world.appeared_ms = world.now


def _roll_out(runtime: _Runtime, scenario: Scenario) -> Story:
    world, recorder = runtime.world, runtime.recorder
    restarts = [event.after_ms for event in scenario.events if event.what == "interpreter_restart"]
    stalled, mark = 0, _mark(runtime.state)
    while True:
        while restarts and world.at_ms >= min(restarts):
            restarts.remove(min(restarts))
            recorder.restarted(world)
            runtime.restart()
        recorder.happened(world)
        step = runtime.settle()
        stalled, mark = (0, now) if (now := _mark(runtime.state)) != mark else (stalled + 1, mark)
        if _over(runtime) or _stalls(runtime, stalled):
            break
        if runtime.passes >= scenario.most_passes or not _jump(runtime, step) or world.at_ms > scenario.horizon_ms:
            break
    return recorder.story(world, runtime.state, runtime.passes, runtime.effects_done)


def _over(runtime: _Runtime) -> bool:
    """Whether the last revision that the scenario brings has come to its end."""
    state, world = runtime.state, runtime.world
    run = state.run
    if run is None or run.stage is not Stage.OVER or run.outcome is None or state.outbox:
        return False
    return run.revision == world.revision_at(world.scenario.horizon_ms)


def _stalls(runtime: _Runtime, passes: int) -> bool:
    """Whether nothing will come of it any more, after so many passes without progress."""
    run = runtime.state.run
    enough = _STALLED_GATHERING_AFTER if run is not None and run.evidence else _STALLED_AFTER
    return passes > enough and runtime.world.next_change() is None and not _times_out(runtime)


def _times_out(runtime: _Runtime) -> bool:
    """Whether the step under way will end by itself, however long it takes."""
    run, code = runtime.state.run, runtime.program.code
    op = code[run.cursor.pc] if run is not None and 0 <= run.cursor.pc < len(code) else None
    return isinstance(op, WaitOp) and op.within_ms is not None


def _jump(runtime: _Runtime, step: Step) -> bool:
    """Move the clock to the next moment that matters; False if there is none."""
    world = runtime.world
    candidates = (_wake(runtime, step), world.next_change(), *runtime.open.values())
    moments = [moment for moment in candidates if moment is not None]
    if not moments:
        return False
    world.now = max(min(moments), world.now + 1)
    return True


def _wake(runtime: _Runtime, step: Step) -> Instant | None:
    """When the machine wants to be woken. A gate that nothing will open is not asked before the next thing happens."""
    run, state, world = runtime.state.run, runtime.state, runtime.world
    if run is None or state.phase in AT_REST or not 0 <= run.cursor.pc < len(runtime.program.code):
        return step.wake_at_ms
    op = runtime.program.code[run.cursor.pc]
    if not isinstance(op, WaitOp) or op.gate is None:
        return step.wake_at_ms
    ends = None if op.within_ms is None else run.cursor.since_ms + op.within_ms
    clocks = [clock for clock in (ends, run.cursor.due_ms) if clock is not None]
    return world.now + max(0, min(clocks) - state.clock_ms) if clocks else None
