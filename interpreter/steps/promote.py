"""`promote`: when everything that must come first has come, begin the promotion (`interpreter.promotion` does the
rest)."""

from __future__ import annotations

from dsl.ir import PromoteOp
from interpreter.ending import handle
from interpreter.guardrails import approval_missing, promotion_gates
from interpreter.promotion import begin
from interpreter.routing import HOME
from interpreter.state import Phase, Stage
from interpreter.steps.wait import approved, gate_is_open, keep_watching
from interpreter.turn import Turn
from interpreter.windows import is_open, opens_at

_GATE_EVERY_MS = 10_000


def step(turn: Turn, _: PromoteOp) -> int | None:
    missing = _missing(turn)
    if missing is not None:
        if missing:
            _announce(turn, missing)
        if turn.state.routing != HOME:
            keep_watching(turn)
        return None
    if turn.running.stage is Stage.RUNNING:
        begin(turn, "every step has passed")
    return None


def _missing(turn: Turn) -> str | None:
    """What the promotion waits for, in words; empty while that is being found out; None when nothing is missing."""
    guardrail = approval_missing(turn)
    if guardrail is not None and not approved(turn):
        return f"waiting for approval, which guardrail `{guardrail}` requires"
    for name in turn.program.only_in:
        window = turn.program.windows[name]
        if not is_open(window, turn.now):
            opening = opens_at(window, turn.now)
            if opening is not None:
                turn.wake_at_wall(opening)
            return f"waiting for the window `{name}` to open"
    gates = promotion_gates(turn)
    while turn.cursor.passed < len(gates):
        gate = gates[turn.cursor.passed]
        if not gate_is_open(turn, gate, _GATE_EVERY_MS):
            return turn.state.reason if turn.cursor.attempt else ""
        turn.set_cursor(passed=turn.cursor.passed + 1)
    ready = turn.ready("canary", turn.running.revision)
    if ready is None:
        return ""
    return None if ready.ready else f"waiting for the canary to be ready: {ready.reason}"


def _announce(turn: Turn, reason: str) -> None:
    turn.enter(Phase.WAITING_PROMOTION, reason)
    if not turn.cursor.settled:
        turn.set_cursor(settled=True)
        asks = ("approve" if approval_missing(turn) is not None else "promote", "abort")
        turn.tell("WaitingForPromotion", reason, "warn", asks)
        handle(turn, "pause", asks)
