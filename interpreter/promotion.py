"""From the last step to the new primary.

*Promoting*: the primary gets the revision that was analysed, and no other, whatever the target says by then. When it is
ready (never before) the traffic goes back to it, at once or in steps. *Finalising*: the data plane is waited for, then
the canary goes down. A primary that does not become ready leaves the canary as the only healthy copy: the traffic goes
to it.
"""

from __future__ import annotations

from dsl.ir import PromoteOp
from interpreter.desired import Routing
from interpreter.durations import duration
from interpreter.ending import handle
from interpreter.frozen import changed
from interpreter.routing import HOME
from interpreter.state import Cursor, Outcome, Phase, Stage
from interpreter.turn import Turn

_KNOWN_LIMIT = 20
_ALL_TO_CANARY = Routing(weight=100.0)


def begin(turn: Turn, reason: str) -> None:
    """Enter Promoting, at the Program's `promote`."""
    pc = promote_index(turn, turn.cursor.pc)
    turn.set_run(cursor=Cursor(pc=pc, since_ms=turn.clock), outcome=None, stage=Stage.RUNNING, ended_ms=None)
    turn.enter(Phase.PROMOTING, reason)
    turn.tell("Promoting", f"{turn.running.revision} becomes the primary's revision: {reason}")


def promote_index(turn: Turn, start: int) -> int:
    """Where the next `promote` stands; past the end for a Program without one."""
    code = turn.program.code
    return next((i for i in range(max(0, start), len(code)) if code[i].op == "promote"), len(code))


def promoting(turn: Turn) -> bool:
    """One look at a promotion under way. True when it went on to the next phase."""
    if not turn.cursor.settled:
        if not _primary_ready(turn):
            return turn.state.phase is not Phase.PROMOTING
        revision = turn.running.revision
        known = (revision, *(r for r in turn.state.known if r != revision))[:_KNOWN_LIMIT]
        turn.set(primary=revision, known=known)
        turn.set_cursor(settled=True, since_ms=turn.clock)
        turn.event("PrimaryReady", f"the primary runs {revision} and is ready; its traffic comes back")
    return _shift_back(turn)


def _primary_ready(turn: Turn) -> bool:
    ready = turn.ready("primary", turn.running.revision)
    deadline = turn.cursor.since_ms + turn.program.deadline_ms
    if ready is None or not (ready.ready or ready.failed or turn.clock >= deadline):
        reason = f": {ready.reason}" if ready and ready.reason else ""
        turn.because(f"waiting for the primary to be ready{reason}")
        turn.wake_at(deadline)
        return False
    if ready.ready:
        return True
    why = ready.reason or "no reason given"
    late = "" if ready.failed else f" within {duration(turn.program.deadline_ms)}"
    _fail(turn, f"the primary did not become ready{late}: {why}")
    return False


def _fail(turn: Turn, why: str) -> None:
    run = turn.running
    if turn.inputs.revision == run.revision:
        turn.reroute(_ALL_TO_CANARY)
        reason = f"{why}; all traffic is on the canary, the only healthy copy"
    else:
        turn.reroute(HOME)
        reason = f"{why}; the target has moved on from {run.revision}, so the traffic stays with the primary"
    turn.set_run(outcome=Outcome.PROMOTION_FAILED, reason=reason, ended_ms=turn.now, stage=Stage.OVER)
    turn.enter(Phase.FAILED, reason)
    turn.tell("PromotionFailed", f"promotion of {run.revision} failed: {reason}", "error", ("retry",))
    handle(turn, "finished")


def _shift_back(turn: Turn) -> bool:
    """Take the next share of traffic back, when it is time. A target that has moved on gives all of it back at once."""
    routing, cursor = turn.state.routing, turn.cursor
    op = _promote_op(turn)
    if op.step is not None and turn.inputs.revision == turn.running.revision and routing.weight > op.step:
        if turn.inputs.routing != routing and cursor.due_ms is not None:
            return False
        if cursor.due_ms is not None and turn.clock < cursor.due_ms:
            turn.wake_at(cursor.due_ms)
            return False
        back = Routing(weight=max(0.0, routing.weight - op.step))
        turn.reroute(back)
        turn.set_cursor(due_ms=turn.clock + (op.every_ms or 0))
        turn.event("TrafficReturning", f"canary weight {back.weight:g}%")
        turn.wake_at(turn.cursor.due_ms or turn.clock)
        return False
    if cursor.due_ms is not None and turn.clock < cursor.due_ms and turn.inputs.revision == turn.running.revision:
        turn.wake_at(cursor.due_ms)
        return False
    turn.reroute(HOME)
    turn.enter(Phase.FINALISING, "all traffic returns to the primary")
    turn.event("TrafficReturned", "all traffic to the primary")
    return True


def _promote_op(turn: Turn) -> PromoteOp:
    pc, code = turn.cursor.pc, turn.program.code
    op = code[pc] if pc < len(code) else None
    return op if isinstance(op, PromoteOp) else PromoteOp()


def finalising(turn: Turn) -> bool:
    """The routing says: all to the primary. When the data plane does so, the rollout has succeeded."""
    if turn.inputs.routing != HOME:
        turn.because("waiting for the data plane to return all traffic to the primary")
        return False
    run = turn.running
    turn.run = changed(
        run,
        outcome=Outcome.PROMOTED,
        ended_ms=turn.now,
        stage=Stage.DRAIN,
        drained_ms=turn.clock + turn.program.scale_down_delay_ms,
    )
    turn.enter(Phase.SUCCEEDED, "")
    turn.tell("Promoted", f"{run.revision} is promoted")
    handle(turn, "promoted")
    handle(turn, "finished")
    return True
