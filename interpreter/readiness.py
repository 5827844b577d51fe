"""Waiting for the canary to become ready, within its deadline, and ending with a message when it does not."""

from __future__ import annotations

from interpreter.durations import duration
from interpreter.ending import roll_back
from interpreter.turn import Turn


def await_ready(turn: Turn, *, since_ms: int) -> bool:
    """Whether the canary is ready. One that cannot become ready, or has not by the deadline, is rolled back."""
    revision = turn.running.revision
    ready = turn.ready("canary", revision)
    deadline = since_ms + turn.program.deadline_ms
    if ready is None:
        turn.wake_at(deadline)
        return False
    if ready.ready:
        turn.because("")
        return True
    why = ready.reason or "no reason given"
    if ready.failed:
        roll_back(turn, f"the canary cannot become ready: {why}")
    elif turn.clock >= deadline:
        roll_back(turn, f"the canary was not ready within {duration(turn.program.deadline_ms)}: {why}")
    else:
        turn.because(f"waiting for the canary to be ready: {why}")
        turn.wake_at(deadline)
    return False


def has_failed(turn: Turn) -> bool:
    """Whether the canary, which was ready once, has failed for good; it is then rolled back."""
    ready = turn.ready("canary", turn.running.revision)
    if ready is None or ready.ready or not ready.failed:
        return False
    roll_back(turn, f"the canary failed: {ready.reason or 'no reason given'}")
    return True
