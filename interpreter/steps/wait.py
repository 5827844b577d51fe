"""`wait for approval`, `wait for gate`: until a person, or another system, says yes.

While traffic is on the canary the rollout's own analysis goes on: waiting is no reason to stop watching. A wait that
runs out of its `within` does what `else` says.
"""

from __future__ import annotations

from dsl.ir import HoldOp, PromoteOp, RouteOp, WaitOp
from interpreter.checks import first_due, take_check
from interpreter.durations import duration
from interpreter.ending import handle, roll_back
from interpreter.questions import GateAnswer, GateQuestion
from interpreter.routing import HOME
from interpreter.signals import because, by, record, take
from interpreter.state import Phase, Stage
from interpreter.turn import Turn


def step(turn: Turn, op: WaitOp) -> int | None:
    _announce(turn, op)
    if _granted(turn, op):
        if turn.state.phase is Phase.WAITING_PROMOTION:
            turn.enter(Phase.PROGRESSING)
        return turn.cursor.pc + 1
    if op.within_ms is not None:
        until = turn.cursor.since_ms + op.within_ms
        if turn.clock >= until:
            return _timed_out(turn, op)
        turn.wake_at(until)
    if turn.state.routing != HOME:
        keep_watching(turn)
    return None


def keep_watching(turn: Turn) -> None:
    """Go on checking while the traffic stays as it is; a failing canary is rolled back as ever."""
    if turn.program.analysis is None or turn.running.stage is not Stage.RUNNING:
        return
    analysis = turn.program.analyses[turn.program.analysis]
    if turn.cursor.due_ms is None:
        turn.set_cursor(due_ms=first_due(turn, analysis))
    if take_check(turn, analysis) is not None and turn.running.stage is Stage.RUNNING:
        turn.wake_at(turn.cursor.due_ms or turn.clock)


def subject(op: WaitOp) -> str:
    """What is waited for, in words."""
    if op.gate is not None:
        return f"gate `{op.gate}`"
    return f"approval from {op.who}" if op.who else "approval"


def _announce(turn: Turn, op: WaitOp) -> None:
    if turn.cursor.settled:
        return
    turn.set_cursor(settled=True)
    why = f"waiting for {subject(op)}"
    turn.enter(Phase.WAITING_PROMOTION if _before_promotion(turn) else turn.state.phase, why)
    asks = ("approve", "abort") if op.gate is None else ("promote", "abort")
    if op.gate is not None and turn.program.gates[op.gate].mute:
        turn.event("WaitingForGate", why, warning=True)
    else:
        turn.tell("WaitingForApproval" if op.gate is None else "WaitingForGate", why, "warn", asks)
    handle(turn, "pause", asks)


def _before_promotion(turn: Turn) -> bool:
    """Whether nothing but the promotion follows, or a switch of all traffic to the canary and its check before that."""
    switched = False
    for op in turn.program.code[turn.cursor.pc + 1 :]:
        match op:
            case PromoteOp():
                return True
            case RouteOp(weight=100):
                switched = True
            case WaitOp() | RouteOp(weight=None, mirror=0, matches=None):
                continue
            case HoldOp() if switched:
                continue
            case _:
                return False
    return False


def _granted(turn: Turn, op: WaitOp) -> bool:
    if op.gate is None:
        return approved(turn)
    return gate_is_open(turn, op.gate, op.every_ms)


def approved(turn: Turn) -> bool:
    """Whether somebody has approved of this revision, here; the approval is then used up."""
    signal = take(turn, "approve")
    if signal is None:
        return False
    record(turn, signal, "approve")
    turn.tell("Approved", f"approved{by(signal)}{because(signal)}")
    return True


def gate_is_open(turn: Turn, gate: str, every_ms: int) -> bool:
    """Ask a gate, every so often. `Cursor.attempt` numbers the askings, so that each is a question of its own."""
    since, attempt = turn.cursor.since_ms, turn.cursor.attempt
    due = since + attempt * every_ms
    if turn.clock < due:
        turn.wake_at(due)
        return False
    answer = turn.ask(GateQuestion(gate, f"{turn.cursor.pc}.{attempt}"))
    if not isinstance(answer, GateAnswer):
        return False
    if answer.open:
        turn.event("GateOpen", f"gate `{gate}` is open")
        return True
    turn.set_cursor(attempt=max(attempt + 1, (turn.clock - since) // every_ms + 1))
    turn.because(f"waiting for gate `{gate}`" + (f": {answer.reason}" if answer.reason else ""))
    turn.wake_at(since + turn.cursor.attempt * every_ms)
    return False


def _timed_out(turn: Turn, op: WaitOp) -> int | None:
    within = duration(op.within_ms or 0)
    if op.otherwise == "continue":
        turn.event("WaitTimedOut", f"no {subject(op)} within {within}; going on, as the policy says", warning=True)
        if turn.state.phase is Phase.WAITING_PROMOTION:
            turn.enter(Phase.PROGRESSING)
        return turn.cursor.pc + 1
    roll_back(turn, f"no {subject(op)} within {within}")
    return None
