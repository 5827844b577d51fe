"""What people ask for by hand: approve, abort, promote, retry, pause, resume.

A signal speaks of one revision. One that speaks of another revision than the one under way is never acted on, and is
said to be ignored, once: a late click cannot approve a revision that nobody looked at. Signals stand (in the cluster
they are annotations), so each has an id, and is acted on once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from interpreter.state import Approval, Phase, Signal, Stage
from interpreter.turn import Turn

_SEEN_LIMIT = 50
_BEFORE = frozenset({Phase.WAITING})
_UNDER_WAY = frozenset({Phase.PROGRESSING, Phase.WAITING_PROMOTION})

ACCEPTED_IN: Mapping[str, frozenset[Phase]] = {
    "approve": _UNDER_WAY,
    "promote": _BEFORE | _UNDER_WAY,
    "abort": _BEFORE | _UNDER_WAY,
    "pause": _BEFORE | _UNDER_WAY,
    "resume": _BEFORE | _UNDER_WAY,
    "retry": frozenset({Phase.FAILED}),
}
"""In which phases each verb makes sense. One that comes earlier than its moment within them is kept until then."""


def identity(signal: Signal) -> str:
    """What tells a signal from the same one given again."""
    step = "" if signal.step is None else signal.step
    return signal.id or f"{signal.verb}:{signal.revision}:{step}:{signal.who}"


def forget_taken_back(turn: Turn) -> None:
    """A signal that has been acted on and no longer stands is forgotten, so that the same can be given once more."""
    if turn.state.signals_seen:
        standing = {identity(signal) for signal in turn.inputs.signals}
        still = tuple(seen for seen in turn.state.signals_seen if seen in standing)
        if still != turn.state.signals_seen:
            turn.set(signals_seen=still)


def take(turn: Turn, verb: Literal["approve", "abort", "promote", "retry", "pause", "resume"]) -> Signal | None:
    """The first standing signal of this kind that speaks of this run and has not been acted on; it then has been."""
    if not turn.inputs.signals:
        return None
    for signal in turn.inputs.signals:
        if signal.verb == verb and _is_for_us(turn, signal) and identity(signal) not in turn.state.signals_seen:
            _mark(turn, signal)
            return signal
    return None


def ignore_strangers(turn: Turn) -> None:
    """Say once of each signal that cannot be acted on that it was not: it speaks of another revision, or comes too late
    or too early. Left standing it would be acted on at another time than the one it was meant for."""
    for signal in turn.inputs.signals:
        if identity(signal) not in turn.state.signals_seen:
            why = _misfit(turn, signal)
            if why is not None:
                _mark(turn, signal)
                message = f"ignored `{signal.verb}` for revision {signal.revision}{by(signal)}: {why}"
                turn.event("SignalIgnored", message, warning=True)


def _misfit(turn: Turn, signal: Signal) -> str | None:
    run, phase = turn.run, turn.state.phase
    under_way = run is not None and run.stage is Stage.RUNNING
    if run is None or signal.revision != run.revision:
        return f"{run.revision} is under way" if run and under_way else "no rollout of it is under way"
    if phase not in ACCEPTED_IN[signal.verb]:
        return f"the rollout is in phase {phase}"
    if signal.step is not None and under_way and signal.step < run.cursor.pc:
        return f"step {signal.step + 1} is over"
    return None


def by(signal: Signal) -> str:
    """` by anna (page)`, as far as it is known."""
    return (f" by {signal.who}" if signal.who else "") + (f" ({signal.via})" if signal.via else "")


def because(signal: Signal) -> str:
    """`: CHG-1`, or nothing."""
    return f": {signal.reason}" if signal.reason else ""


def record(turn: Turn, signal: Signal, verb: Literal["approve", "promote"]) -> None:
    """Keep who said yes, in the run's own record."""
    approval = Approval(
        signal.who or "somebody", turn.now, turn.cursor.pc, signal.via or "annotation", signal.reason, verb
    )
    turn.set_run(approvals=(*turn.running.approvals, approval))


def _is_for_us(turn: Turn, signal: Signal) -> bool:
    run = turn.run
    return run is not None and signal.revision == run.revision and signal.step in (None, run.cursor.pc)


def _mark(turn: Turn, signal: Signal) -> None:
    turn.set(signals_seen=(*turn.state.signals_seen, identity(signal))[-_SEEN_LIMIT:])
