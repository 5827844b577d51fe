"""What is expected of a rollout next, and by when: the next check, the answer that a wait is for, the end of a hold."""

from __future__ import annotations

from collections.abc import Iterator

from dsl.ir import HoldOp, PauseOp, Program, WaitOp
from interpreter.desired import Instant
from interpreter.durations import duration
from interpreter.phases import AT_REST
from interpreter.state import Phase
from rollway.cluster.shown import Shown
from rollway.cluster.table import length

_LATE_MS = 60_000
"""A look that is later than this has not been made, whatever the interpreter has written."""


def coming(one: Shown, program: Program | None, now: Instant) -> list[str]:
    """Each thing in words, the soonest first; nothing for a rollout at rest."""
    if one.phase in [phase.value for phase in AT_REST] or one.place is None or one.suspended:
        return []
    return [*_look(one, program, now), *_end(one, program, now)]


def _op(one: Shown, program: Program | None) -> object:
    pc = one.place.pc if one.place is not None else -1
    return program.code[pc] if program is not None and 0 <= pc < len(program.code) else None


def _look(one: Shown, program: Program | None, now: Instant) -> Iterator[str]:
    """The next look that the interpreter makes of itself."""
    due = one.run.due if one.run is not None else None
    if due is None or one.phase != Phase.PROGRESSING.value:
        return
    op = _op(one, program)
    what = f"gate `{op.gate}` is asked" if isinstance(op, WaitOp) and op.gate else "next check"
    if isinstance(op, WaitOp) and op.gate is None:
        return
    if due > now:
        yield f"{what} in {length(due - now)}"
    elif now - due > _LATE_MS:
        yield f"{what} was due {length(now - due)} ago: is the controller at work?"
    else:
        yield f"{what} now"


def _end(one: Shown, program: Program | None, now: Instant) -> Iterator[str]:
    """What ends the step of itself, and when."""
    since = one.place.since if one.place is not None else None
    match _op(one, program):
        case WaitOp(within_ms=int(within), otherwise=otherwise) if since is not None:
            then = "it is rolled back" if otherwise == "rollback" else "it goes on"
            left = since + within - now
            yield f"without an answer {then} {f'in {length(left)}' if left > 0 else 'now'} ({duration(within)} in all)"
        case WaitOp(gate=None):
            yield "without an answer it waits for ever"
        case HoldOp(duration_ms=int(held)) if since is not None and since + held > now:
            yield f"this step ends in {length(since + held - now)} at the soonest"
        case PauseOp(duration_ms=int(held)) if since is not None and since + held > now:
            yield f"this step ends in {length(since + held - now)}"
