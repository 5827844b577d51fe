"""`rollback "reason"`: end here."""

from __future__ import annotations

from dsl.ir import RollbackOp
from interpreter.ending import roll_back
from interpreter.turn import Turn


def step(turn: Turn, op: RollbackOp) -> int | None:
    roll_back(turn, op.reason or "the policy ends in a rollback")
    return None
