"""`if … { … } else { … }`: go on, or jump ahead.

A condition that cannot be known (no data, or the provider could not be asked) counts as a failed check and is asked
again.
"""

from __future__ import annotations

from dsl.ir import BranchOp, Condition, Tolerance
from interpreter.analysis.judge import condition_questions, decide
from interpreter.checks import count_check
from interpreter.state import Tick
from interpreter.turn import Turn


def step(turn: Turn, op: BranchOp) -> int | None:
    if op.condition is None:
        return op.target
    cursor = turn.cursor
    if cursor.due_ms is not None and turn.clock < cursor.due_ms:
        turn.wake_at(cursor.due_ms)
        return None
    tick = cursor.tick
    if tick is None:
        tick = Tick(turn.running.iterations, turn.clock, turn.clock, turn.now)
        turn.set_cursor(tick=tick)
    if not turn.ask_all(condition_questions(turn.program, op.condition, tick.at_ms)):
        return None
    return _take(turn, op, op.condition, tick)


def _take(turn: Turn, op: BranchOp, condition: Condition, tick: Tick) -> int | None:
    holds, why, values = decide(turn.program, condition, tick.at_ms, turn.inputs.answers)
    seen = ", ".join(f"{name} is {value}" for name, value in values)
    if holds is None:
        due = tick.began_ms + op.every_ms
        turn.set_cursor(tick=None, due_ms=due)
        turn.wake_at(due)
        tolerate = turn.program.analyses[op.analysis].tolerate if op.analysis else Tolerance(1)
        count_check(turn, tolerate, passed=False, why=f"`if {op.text}` cannot be decided: {why}")
        return None
    turn.event("BranchTaken", f"`if {op.text}` is {'true' if holds else 'false'}" + (f": {seen}" if seen else ""))
    return turn.cursor.pc + 1 if holds else op.target
