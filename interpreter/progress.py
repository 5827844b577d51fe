"""The phases in which the Program runs: what may interrupt it, and the loop over its instructions."""

from __future__ import annotations

from interpreter.ending import revert, roll_back, supersede
from interpreter.guardrails import forbids_skip
from interpreter.promotion import begin as begin_promotion
from interpreter.promotion import promote_index
from interpreter.readiness import await_ready, has_failed
from interpreter.routing import HOME
from interpreter.signals import because, by, record, take
from interpreter.state import Phase
from interpreter.steps import STEPS
from interpreter.turn import Turn

_RUNNING = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)


def progressing(turn: Turn) -> bool:
    """Go on as far as can be gone now. True when the rollout went on to another phase."""
    if _interrupted(turn):
        return turn.state.phase not in _RUNNING
    while turn.state.phase in _RUNNING:
        pc = turn.cursor.pc
        if pc < 0:
            following = _bring_up(turn)
        elif pc < len(turn.program.code):
            op = turn.program.code[pc]
            following = STEPS[op.op](turn, op)
        else:
            roll_back(turn, "the policy ends without a promotion")
            following = None
        if following is None:
            break
        turn.go_to(following)
    return turn.state.phase not in _RUNNING


def _interrupted(turn: Turn) -> bool:
    """Whether something other than the next instruction is to be seen to now."""
    run, revision = turn.running, turn.inputs.revision
    if revision is None:
        roll_back(turn, f"{turn.program.target.kind} `{turn.program.target.name}` is gone")
        return True
    if revision == turn.state.primary:
        revert(turn)
        return True
    if revision != run.revision:
        supersede(turn, revision)
        return True
    signal = take(turn, "abort")
    if signal is not None:
        roll_back(turn, f"aborted{by(signal)}{because(signal)}")
        return True
    if run.cursor.pc >= 0 and has_failed(turn):
        return True
    return _paused(turn) or _promoted_by_hand(turn)


def _paused(turn: Turn) -> bool:
    if turn.running.paused:
        signal = take(turn, "resume")
        if signal is None:
            if not turn.state.reason:  # it was suspended meanwhile, and that was said instead
                turn.because("paused by hand")
            return True
        turn.set_run(paused=False)
        turn.because("")
        turn.tell("Resumed", f"resumed{by(signal)}")
        return False
    signal = take(turn, "pause")
    if signal is None:
        return False
    turn.set_run(paused=True)
    turn.because(f"paused{by(signal)}")
    turn.tell("Paused", f"paused{by(signal)} at {turn.state.routing.weight:g}%", "warn", ("resume", "abort"))
    return True


def _promoted_by_hand(turn: Turn) -> bool:
    if turn.cursor.pc < 0:
        return False
    signal = take(turn, "promote")
    if signal is None:
        return False
    turn.drop_calls()
    record(turn, signal, "promote")
    begin_promotion(turn, f"promoted by hand{by(signal)}{because(signal)}")
    return True


def _bring_up(turn: Turn) -> int | None:
    """Before the first instruction: the traffic is home, and the canary is ready."""
    if turn.inputs.routing != HOME:
        turn.because("waiting for the data plane to send all traffic to the primary")
        return None
    if not await_ready(turn, since_ms=turn.cursor.since_ms):
        return None
    turn.event("CanaryReady", f"the canary runs {turn.running.revision} and is ready")
    return _first(turn)


def _first(turn: Turn) -> int:
    """The first instruction; the promotion, where the policy lets this revision skip its analysis."""
    skip = turn.program.skip_analysis
    known = turn.running.revision in turn.state.known[: skip.known_within]
    if not (skip.always or known):
        return 0
    guardrail = forbids_skip(turn)
    if guardrail is not None:
        turn.event("SkipRefused", f"analysis is not skipped: guardrail `{guardrail}` forbids it", warning=True)
        return 0
    why = "this revision was promoted before" if known else "the policy skips analysis"
    turn.tell("AnalysisSkipped", f"{turn.running.revision} goes straight to promotion: {why}")
    return promote_index(turn, 0)
