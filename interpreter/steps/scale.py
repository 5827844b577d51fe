"""`scale canary to …`: how many canaries run. Done when they are ready; not ready in time is a rollback."""

from __future__ import annotations

from dsl.ir import ScaleOp
from interpreter.desired import CanaryScale
from interpreter.readiness import await_ready
from interpreter.turn import Turn


def step(turn: Turn, op: ScaleOp) -> int | None:
    if not turn.cursor.settled:
        scale = _scale(turn, op)
        turn.set(canary_scale=scale)
        turn.set_cursor(settled=True)
        turn.event("CanaryScaled", f"canary scaled to {_words(scale)}")
    return turn.cursor.pc + 1 if await_ready(turn, since_ms=turn.cursor.since_ms) else None


def _scale(turn: Turn, op: ScaleOp) -> CanaryScale:
    if op.match_traffic:
        return CanaryScale("traffic", turn.state.routing.weight)
    if op.share is not None:
        return CanaryScale("share", op.share)
    return CanaryScale("replicas", op.replicas or 0)


def _words(scale: CanaryScale) -> str:
    match scale.mode:
        case "share":
            return f"{scale.value:g}% of the primary"
        case "replicas":
            return f"{scale.value:g} replicas"
        case _:
            return "match its traffic"
