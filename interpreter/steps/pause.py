"""`pause 10m`, `wait until office_hours`: stay, without analysis."""

from __future__ import annotations

from dsl.ir import PauseOp
from interpreter.ending import handle
from interpreter.turn import Turn
from interpreter.windows import is_open, opens_at


def step(turn: Turn, op: PauseOp) -> int | None:
    if op.window is not None:
        return _until_open(turn, op.window)
    until = turn.cursor.since_ms + (op.duration_ms or 0)
    if turn.clock >= until:
        return turn.cursor.pc + 1
    _announce(turn, "pausing, as the policy says")
    turn.wake_at(until)
    return None


def _until_open(turn: Turn, name: str) -> int | None:
    window = turn.program.windows[name]
    if is_open(window, turn.now):
        return turn.cursor.pc + 1
    _announce(turn, f"waiting for the window `{name}` to open")
    opening = opens_at(window, turn.now)
    if opening is not None:
        turn.wake_at_wall(opening)
    return None


def _announce(turn: Turn, reason: str) -> None:
    turn.because(reason)
    if not turn.cursor.settled:
        turn.set_cursor(settled=True)
        turn.event("Paused", reason)
        handle(turn, "pause")
