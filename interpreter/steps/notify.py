"""`notify oncall "…"`: queue a message and go on. Nothing waits for its delivery."""

from __future__ import annotations

from dsl.ir import NotifyOp
from interpreter.turn import Turn

_DEFAULT = "{{ rollout }}: {{ revision }} is at {{ weight }}"


def step(turn: Turn, op: NotifyOp) -> int | None:
    turn.notify(op.channel, op.message or _DEFAULT)
    return turn.cursor.pc + 1
