"""`hold`, and the holding part of `shift … for`, `ramp`, `mirror … for` and `analyse`.

A hold of N checks is over at the N-th check that passes. A hold of a time D makes a check every interval, at least one,
and is over when D has passed since it began and as many checks have passed as fit into D; each check that did not pass
moves its beginning on by one interval. So time alone never ends it: a clock that jumps ahead skips no check.
"""

from __future__ import annotations

from dsl.ir import Analysis, HoldOp
from interpreter.checks import first_due, take_check
from interpreter.state import Stage, Verdict
from interpreter.turn import Turn

_MINUTE_MS = 60_000


def step(turn: Turn, op: HoldOp) -> int | None:
    if op.analysis is None:
        return _timed(turn, (op.duration_ms or 0) + (op.checks or 0) * _MINUTE_MS)
    analysis = turn.program.analyses[op.analysis]
    if turn.cursor.due_ms is None:
        _begin(turn, op, analysis)
    if not _over(turn, op):
        _check(turn, op, analysis)
        if turn.running.stage is not Stage.RUNNING or not _over(turn, op):
            return None
    return turn.cursor.pc + 1


def _begin(turn: Turn, op: HoldOp, analysis: Analysis) -> None:
    due = first_due(turn, analysis, at_once=op.at_once, first_ms=op.duration_ms)
    needed = op.checks if op.duration_ms is None else _fitting(turn, op.duration_ms, due, analysis.every_ms)
    turn.set_cursor(due_ms=due, needed=max(1, needed or 1))


def _fitting(turn: Turn, duration_ms: int, due: int, every: int) -> int:
    """How many checks fit into the hold, the first one at `due`."""
    return (turn.cursor.since_ms + duration_ms - due) // every + 1


def _check(turn: Turn, op: HoldOp, analysis: Analysis) -> None:
    if turn.cursor.passed >= turn.cursor.needed:  # the checks are made; the rest of the time has still to pass
        turn.wake_at(turn.cursor.since_ms + (op.duration_ms or 0))
        return
    verdict = take_check(turn, analysis)
    if verdict is None or turn.running.stage is not Stage.RUNNING:
        return
    if verdict is Verdict.PASS:
        turn.set_cursor(passed=turn.cursor.passed + 1)
    elif op.duration_ms is not None:
        turn.set_cursor(since_ms=turn.cursor.since_ms + analysis.every_ms)
    turn.because("")
    if not _over(turn, op):
        _check(turn, op, analysis)  # for its time to wake


def _over(turn: Turn, op: HoldOp) -> bool:
    cursor = turn.cursor
    done = cursor.due_ms is not None and cursor.tick is None and cursor.passed >= cursor.needed
    return done and (op.duration_ms is None or turn.clock >= cursor.since_ms + op.duration_ms)


def _timed(turn: Turn, duration_ms: int) -> int | None:
    until = turn.cursor.since_ms + duration_ms
    if turn.clock >= until:
        return turn.cursor.pc + 1
    turn.wake_at(until)
    return None
