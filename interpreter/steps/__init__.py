"""One instruction, one file. Each has a function `step(turn, op) -> int | None`: the index of the instruction to go on
with, or None to stay (for something is being waited for, or the run has ended). It is called at every `advance` for as
long as the run stands at that instruction, and must be repeatable: what it remembers is in `Run.cursor`.

A new instruction is a new dataclass in `dsl.ir`, a new file here, and a line in `STEPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from interpreter.steps import branch, call, hold, notify, pause, promote, rollback, route, scale, wait
from interpreter.turn import Turn

STEPS: Mapping[str, Callable[[Turn, Any], int | None]] = {
    "route": route.step,
    "hold": hold.step,
    "pause": pause.step,
    "call": call.step,
    "wait": wait.step,
    "scale": scale.step,
    "notify": notify.step,
    "branch": branch.step,
    "promote": promote.step,
    "rollback": rollback.step,
}
