"""`run acceptance`: call a webhook until it accepts. Each refusal is a failed check, and the call is made again
later."""

from __future__ import annotations

from dsl.ir import CallOp, Tolerance
from interpreter.checks import count_check
from interpreter.turn import Turn

_NO_TOLERANCE = Tolerance(1)


def step(turn: Turn, op: CallOp) -> int | None:
    cursor = turn.cursor
    if cursor.due_ms is not None and turn.clock < cursor.due_ms:
        turn.wake_at(cursor.due_ms)
        return None
    result = turn.call(op.webhook, turn.call_key("run", cursor.attempt), awaited=True)
    if result is None:
        turn.because(f"waiting for the webhook `{op.webhook}`")
        return None
    turn.because("")
    turn.drop_calls()
    if result.ok:
        turn.event("WebhookAccepted", f"webhook `{op.webhook}` accepted")
        return cursor.pc + 1
    turn.set_cursor(attempt=cursor.attempt + 1, due_ms=turn.clock + op.every_ms)
    turn.wake_at(turn.clock + op.every_ms)
    tolerate = turn.program.analyses[op.analysis].tolerate if op.analysis else _NO_TOLERANCE
    count_check(turn, tolerate, passed=False, why=f"webhook `{op.webhook}` refused: {result.detail}")
    return None
