"""What people ask for by hand: approve, abort, promote, retry, pause, resume.

A signal speaks of one revision. One that speaks of another revision than the one under way is never acted on, and is
said to be ignored, once: a late click cannot approve a revision that nobody looked at. Signals stand (in the cluster
they are annotations), so each has an id, and is acted on once.
"""

from __future__ import annotations

from typing import Literal

from interpreter.state import Signal, Stage
from interpreter.turn import Turn

_SEEN_LIMIT = 50


def identity(signal: Signal) -> str:
    """What tells a signal from the same one given again."""
    step = "" if signal.step is None else signal.step
    return signal.id or f"{signal.verb}:{signal.revision}:{step}:{signal.who}"


def take(turn: Turn, verb: Literal["approve", "abort", "promote", "retry", "pause", "resume"]) -> Signal | None:
    """The first standing signal of this kind that speaks of this run and has not been acted on; it then has been."""
    for signal in turn.inputs.signals:
        if signal.verb == verb and _is_for_us(turn, signal) and identity(signal) not in turn.state.signals_seen:
            _mark(turn, signal)
            return signal
    return None


def ignore_strangers(turn: Turn) -> None:
    """Say once of each signal for another revision that it was not acted on."""
    run = turn.run
    for signal in turn.inputs.signals:
        if identity(signal) in turn.state.signals_seen or (run and signal.revision == run.revision):
            continue
        _mark(turn, signal)
        under_way = f"{run.revision} is under way" if run and run.stage is Stage.RUNNING else "no rollout is under way"
        message = f"ignored `{signal.verb}` for revision {signal.revision}{by(signal)}: {under_way}"
        turn.event("SignalIgnored", message, warning=True)


def by(signal: Signal) -> str:
    """` by anna`, or nothing."""
    return f" by {signal.who}" if signal.who else ""


def _is_for_us(turn: Turn, signal: Signal) -> bool:
    run = turn.run
    return run is not None and signal.revision == run.revision and signal.step in (None, run.cursor.pc)


def _mark(turn: Turn, signal: Signal) -> None:
    turn.set(signals_seen=(*turn.state.signals_seen, identity(signal))[-_SEEN_LIMIT:])
