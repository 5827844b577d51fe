"""The phases around a run: the primary's first coming up, the rest between runs, the wait before one, and the end.

Each function here is one phase's handler: it looks once, and returns True when the rollout went on to another phase (or
stage) whose handler should look at once.
"""

from __future__ import annotations

from interpreter.desired import CanaryScale
from interpreter.ending import handle, revert, roll_back, settle
from interpreter.guardrails import forbids_start
from interpreter.promotion import begin as begin_promotion
from interpreter.questions import Readiness, ReadyQuestion
from interpreter.routing import HOME
from interpreter.signals import because, by, take
from interpreter.state import Cursor, Outcome, Phase, Run, Stage
from interpreter.steps.wait import gate_is_open
from interpreter.turn import Turn
from interpreter.windows import is_open, opens_at

_FULL = CanaryScale("full")
_UNPROMOTED = frozenset({Phase.WAITING, Phase.PROGRESSING, Phase.WAITING_PROMOTION})
_GATE_EVERY_MS = 10_000


def initializing(turn: Turn) -> bool:
    """Bring the primary up beside the target; once it is ready the routes lead to it, and only then the target goes."""
    turn.primary_up = False
    revision = turn.inputs.revision
    if revision is None:
        turn.because(f"waiting for {turn.program.target.kind} `{turn.program.target.name}` to exist")
        return False
    if turn.state.primary != revision:
        turn.set(primary=revision)
    ready = turn.ready("primary", revision)
    if ready is None or not ready.ready:
        why = f": {ready.reason}" if ready and ready.reason else ""
        turn.because(f"waiting for the primary to be ready{why}")
        return False
    turn.primary_up = True
    if turn.inputs.routing != HOME:
        turn.because("waiting for the data plane to send all traffic to the primary")
        return False
    turn.set(known=(revision,))
    turn.enter(Phase.INITIALIZED)
    turn.tell("Initialized", f"the primary runs {revision}")
    return True


def resting(turn: Turn) -> bool:
    """Nothing is under way: finish what the last run left, and look for a new revision."""
    run = turn.run
    if run is not None and run.stage is not Stage.OVER:
        if settle(turn):
            return True
        if run.stage is Stage.HOME:
            return False
    revision = turn.inputs.revision
    missing = f"{turn.program.target.kind} `{turn.program.target.name}` does not exist"
    if revision is None:
        turn.because(missing)
        return False
    if turn.state.reason == missing:
        turn.because("")
    failed = turn.state.phase is Phase.FAILED
    if failed and run is not None and run.outcome is Outcome.PROMOTION_FAILED:
        return _recover(turn, run, revision)
    if revision == turn.state.primary:
        if failed:
            back = "the target is back at the revision that the primary runs"
            turn.enter(Phase.SUCCEEDED, back)
            turn.tell("Reverted", back)
        return False
    if failed and run is not None and run.revision == revision:
        signal = take(turn, "retry")
        if signal is None:
            return False
        turn.event("Retried", f"{revision} is tried again{by(signal)}")
    _new_run(turn, revision)
    turn.enter(Phase.WAITING)
    return True


def _recover(turn: Turn, run: Run, revision: str) -> bool:
    """After a failed promotion the traffic is on the canary: the next revision, or a retry, goes straight to the
    primary."""
    if revision == run.revision:
        signal = take(turn, "retry")
        if signal is None:
            return False
        begin_promotion(turn, f"tried again{by(signal)}")
        return True
    _new_run(turn, revision)
    begin_promotion(turn, "all traffic is on the target already, for the last promotion failed")
    return True


def _new_run(turn: Turn, revision: str) -> None:
    number = turn.state.runs + 1
    turn.set(runs=number)
    turn.run = Run(
        number=number,
        revision=revision,
        program_digest=turn.inputs.program_digest,
        started_ms=turn.now,
        began_ms=turn.clock,
        raised_ms=turn.clock,
        cursor=Cursor(since_ms=turn.clock),
    )


def waiting(turn: Turn) -> bool:
    """A revision has come; its run begins when nothing stands in the way. The revision waited for is the latest."""
    if turn.running.outcome is Outcome.SUPERSEDED and turn.running.stage is not Stage.OVER:
        return settle(turn)
    revision = turn.inputs.revision
    if revision is None:
        roll_back(turn, f"{turn.program.target.kind} `{turn.program.target.name}` is gone")
        return True
    if revision == turn.state.primary:
        revert(turn)
        return True
    if revision != turn.running.revision or turn.running.outcome is not None:
        _new_run(turn, revision)
    signal = take(turn, "abort")
    if signal is not None:
        roll_back(turn, f"aborted{by(signal)}{because(signal)}")
        return True
    refusal = forbids_start(turn)
    if refusal is not None:
        roll_back(turn, refusal)
        return True
    obstacle = _obstacle(turn)
    if obstacle is not None:
        _say_waiting(turn, obstacle)
        return False
    return _start(turn)


def _start(turn: Turn) -> bool:
    turn.set_run(cursor=Cursor(since_ms=turn.clock), began_ms=turn.clock, raised_ms=turn.clock)
    turn.set(canary_scale=_FULL)
    turn.enter(Phase.PROGRESSING, "bringing the canary up")
    turn.tell("NewRevision", f"{turn.running.revision}: the rollout begins")
    handle(turn, "start")
    return True


def _obstacle(turn: Turn) -> str | None:
    """What stands in the way of the start, in words; empty while a gate is being asked; None when nothing does."""
    program = turn.program
    for name in program.only_in:
        window = program.windows[name]
        if not is_open(window, turn.now):
            opening = opens_at(window, turn.now)
            if opening is not None:
                turn.wake_at_wall(opening)
            return f"waiting for the window `{name}` to open"
    for other in program.after:
        if not turn.inputs.finished.get(f"{other.namespace}/{other.name}", True):
            return f"waiting for the rollout `{other.namespace}/{other.name}` to finish"
    while turn.cursor.passed < len(program.start_gates):
        gate = program.start_gates[turn.cursor.passed]
        if not gate_is_open(turn, gate, _GATE_EVERY_MS):
            return f"waiting for gate `{gate}`" if turn.cursor.attempt else ""
        turn.set_cursor(passed=turn.cursor.passed + 1)
    return None


def _say_waiting(turn: Turn, obstacle: str) -> None:
    if not obstacle:
        return
    turn.because(obstacle)
    if not turn.cursor.settled:
        turn.set_cursor(settled=True)
        message = f"{turn.running.revision}: {obstacle}"
        if _muted(turn):
            turn.event("WaitingToStart", message)
        else:
            turn.tell("WaitingToStart", message, "info")


def _muted(turn: Turn) -> bool:
    """Whether it is a gate that is waited for, of which nobody is to be told."""
    gates, passed = turn.program.start_gates, turn.cursor.passed
    return passed < len(gates) and turn.cursor.attempt > 0 and turn.program.gates[gates[passed]].mute


def terminating(turn: Turn) -> bool:
    """The rollout is being deleted. What is on the canary without having been promoted goes back to the primary, for
    nobody will watch it any more. With `on delete revert` the target then gets its replicas back, and its traffic."""
    if turn.state.phase is not Phase.TERMINATING:
        turn.drop_calls()
        if turn.state.phase in _UNPROMOTED:
            turn.reroute(HOME)
        turn.enter(Phase.TERMINATING, "the rollout is being deleted")
        turn.tell("Terminating", "the rollout is being deleted")
    revision = turn.inputs.revision
    if not turn.program.revert_on_delete or revision is None:
        turn.enter(Phase.TERMINATED)
        return False
    turn.set(canary_scale=_FULL)
    ready = turn.ask(ReadyQuestion("canary", revision, _FULL))
    if not isinstance(ready, Readiness) or not ready.ready:
        turn.because("waiting for the target to be ready, to give it its traffic back")
        return False
    turn.enter(Phase.TERMINATED)
    turn.event("Terminated", "the target has its replicas and its traffic back")
    return False


def terminated(turn: Turn) -> bool:
    """Nothing is left to do."""
    del turn
    return False
