"""The machine: a Program and a state in, the next state and what should be out. One pure function.

Theory of operation. A rollout is in one of the phases of `interpreter.phases`, whose table says which may follow which.
Each phase has a handler that looks once at the inputs and goes on as far as it can; `advance` calls handlers until
nothing moves. Within *Progressing* the run's cursor (`Run.cursor.pc`) walks the Program's instructions, one file each
in `interpreter.steps`. Control only ever goes forward, so every run ends, or waits for something that it names in
`State.reason`.

The machine keeps nothing but `State`, reads no clock, does no I/O, and never waits: where an answer is missing it puts
a question into the `Step`, and the next call, with the answer in its `Inputs`, goes on from the same state. What has
been decided is in the state before it is done (`interpreter.effects` has the order), so a crash at any moment loses
nothing, and repeats at most an action whose key says that it is a repeat.

Safety does not hang on the handlers' good behaviour alone: traffic is raised by two places only, `steps.route` and the
promotion's failure, and every ending of a run sets the routing home first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dsl.ir import Program
from interpreter.actions import Action, CallAction, EventAction, NotifyAction
from interpreter.desired import CanaryScale, Desired, Instant
from interpreter.frozen import changed
from interpreter.life import initializing, resting, terminated, terminating, waiting
from interpreter.progress import progressing
from interpreter.promotion import finalising, promoting
from interpreter.routing import reduced
from interpreter.signals import forget_taken_back, ignore_strangers
from interpreter.state import Inputs, Outcome, Phase, Run, State, Step
from interpreter.turn import MachineBug, Turn

HANDLERS: Mapping[Phase, Callable[[Turn], bool]] = {
    Phase.INITIALIZING: initializing,
    Phase.INITIALIZED: resting,
    Phase.WAITING: waiting,
    Phase.PROGRESSING: progressing,
    Phase.WAITING_PROMOTION: progressing,
    Phase.PROMOTING: promoting,
    Phase.FINALISING: finalising,
    Phase.SUCCEEDED: resting,
    Phase.FAILED: resting,
    Phase.TERMINATING: terminating,
    Phase.TERMINATED: terminated,
}

_UNDER_WAY = frozenset({Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING})
_MOST_LOOKS = 100
_MOST_ATTEMPTS = {"event": 2, "notify": 5}
"""How many drivers set out to do an action: more would repeat it without end where each of them dies of it."""
_FULL = CanaryScale("full")
_SUSPENDED = "suspended: the traffic stays as it is"


def advance(program: Program, state: State, inputs: Inputs, now: Instant) -> Step:
    """Look once at the world and say what follows.

    Pure: the same arguments give the same `Step`, and no argument is changed. Total: it raises only for a bug of its
    own (`MachineBug`). Call it again with the answers to `Step.questions`; perform the rest in the order of
    `interpreter.effects.effects`.
    """
    turn = Turn(program, state, inputs, now)
    _take_results(turn)
    if inputs.restarted:
        _compare_notes(turn)
    if inputs.deleted and state.phase is not Phase.TERMINATED:
        terminating(turn)
    elif inputs.suspended:
        turn.because(_SUSPENDED)
    else:
        if state.reason == _SUSPENDED:
            turn.because("")
        forget_taken_back(turn)
        if inputs.signals:
            ignore_strangers(turn)
        _look(turn)
    return _step(turn)


def _look(turn: Turn) -> None:
    for _ in range(_MOST_LOOKS):
        if not HANDLERS[turn.state.phase](turn):
            return
    raise MachineBug(f"no end of changes in phase {turn.state.phase}")


def _compare_notes(turn: Turn) -> None:
    """After a restart: less traffic on the canary than was written down means that the last decision, to take traffic
    away, was lost with the process that made it (or that a person did it). It is made again from the same questions;
    until a step decides on a routing, nothing is given back. A raise that was written and not yet done stands at a
    `route`, and is done."""
    run, seen, wanted = turn.run, turn.inputs.routing, turn.state.routing
    if run is None or seen is None or turn.state.phase not in _UNDER_WAY:
        return
    pc, code = run.cursor.pc, turn.program.code
    to_be_raised = pc < len(code) and code[pc].op == "route"
    if pc >= 0 and not to_be_raised and seen != wanted and reduced(seen, wanted) == seen:
        turn.set(caution=seen)
        turn.event("TrafficFoundLower", f"canary weight {seen.weight:g}% stays until the next step", warning=True)


# --- actions and their results ----------------------------------------------------------------------------------


def _take_results(turn: Turn) -> None:
    """Put results beside the calls that are waited for, and drop what has been done."""
    if not turn.outbox:
        return
    results = turn.inputs.results
    kept: list[Action] = []
    failures: list[tuple[Action, str]] = []
    for pending in turn.outbox:
        action = _again(pending) if turn.inputs.restarted else pending
        if action is None:
            failures.append((pending, f"given up after {pending.attempts} restarts of the controller"))
            continue
        result = results.get(action.key)
        if result is None:
            kept.append(action)
        elif isinstance(action, CallAction) and action.awaited:
            kept.append(changed(action, result=result))
        elif not result.ok:
            failures.append((action, result.detail))
        elif result.handle and isinstance(action, NotifyAction):
            _keep_handle(turn, action, result.handle)
    turn.outbox = kept
    for action, why in failures:
        _say_failed(turn, action, why)


def _again(action: Action) -> Action | None:
    """The action once more after a restart; None for a message that has been set out often enough."""
    if isinstance(action, CallAction):
        return action if action.result is not None else changed(action, attempts=action.attempts + 1)
    return changed(action, attempts=action.attempts + 1) if action.attempts < _MOST_ATTEMPTS[action.kind] else None


def _keep_handle(turn: Turn, action: NotifyAction, handle: str) -> None:
    """By what the service knows the message of this run; that of an earlier run is not changed any more."""
    run = turn.run
    if run is not None and action.context.get("run") == str(run.number) and run.handles.get(action.channel) != handle:
        turn.set_run(handles={**run.handles, action.channel: handle})


def _say_failed(turn: Turn, action: Action, why: str) -> None:
    match action:
        case CallAction(webhook=webhook):
            turn.event("HandlerFailed", f"webhook `{webhook}` refused: {why}", warning=True)
        case EventAction():
            return
        case _:
            turn.event("MessageNotSent", f"channel `{action.channel}`: {why}", warning=True)


# --- the answer -------------------------------------------------------------------------------------------------


def _step(turn: Turn) -> Step:
    outbox = tuple(turn.outbox)
    wake = None if turn.wake is None else turn.now + max(0, turn.wake - turn.clock)
    state = changed(turn.state, run=turn.run, outbox=outbox, clock_ms=turn.clock, wall_ms=turn.now)
    actions = tuple(a for a in outbox if not (isinstance(a, CallAction) and a.result is not None))
    return Step(state, _desired(turn, state), actions, tuple(turn.questions), wake)


def _desired(turn: Turn, state: State) -> Desired:
    """The whole picture that should hold, from the state alone."""
    run, phase, routing = state.run, state.phase, state.routing
    if state.caution is not None:
        routing = reduced(state.caution, routing)
    if phase is Phase.INITIALIZING:
        return Desired(routing, state.primary, state.primary, _FULL, primary_up=turn.primary_up)
    if phase in (Phase.TERMINATING, Phase.TERMINATED):
        released = phase is Phase.TERMINATED and turn.program.revert_on_delete
        return Desired(routing, state.primary, turn.inputs.revision, state.canary_scale, released=released)
    primary = state.primary
    if run is not None and (phase is Phase.PROMOTING or run.outcome is Outcome.PROMOTION_FAILED):
        primary = run.revision
    if run is None or state.canary_scale.mode == "off":
        return Desired(routing, primary)
    return Desired(routing, primary, run.revision, state.canary_scale, baseline=_wants_baseline(turn, run))


def _wants_baseline(turn: Turn, run: Run) -> bool:
    """While the canary is judged. From the promotion on the primary is no longer what it was compared with."""
    return turn.program.baseline and run.outcome is None and turn.state.phase is not Phase.PROMOTING
