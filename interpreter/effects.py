"""The order of effects within one pass: what makes a crash harmless. Pure.

Traffic is taken off the canary before the state is written, and put on it only after, so that a crash between any two
effects leaves no more traffic on the canary than the last written state allows (interpreter.md §4). Every runtime does
these effects one by one, in this order; what they do is up to it.

Writes are what a rollout costs, so nothing is written that a restart would find out by itself. The passing of time is
not. Why a rollout waits is written once it has stood for a while: a workload that comes up says something else every
second. Events are not kept for a restart: the record of the run has each of them, and a crash in the moment between
the two loses one line of `kubectl describe`, where a kept one would cost every rollout two writes.
"""

from __future__ import annotations

from dataclasses import dataclass

from interpreter.actions import Action, EventAction
from interpreter.desired import Desired, Routing
from interpreter.frozen import changed
from interpreter.phases import AT_REST
from interpreter.routing import reduced
from interpreter.state import State, Step

REASON_MS = 10_000
"""How long a new reason to wait stands before it is written for its own sake."""


@dataclass(frozen=True, slots=True)
class Reroute:
    """Make the data plane do this."""

    routing: Routing


@dataclass(frozen=True, slots=True)
class Persist:
    """Write the state where a restart finds it."""

    state: State


@dataclass(frozen=True, slots=True)
class Arrange:
    """Bring workloads to the desired picture: revisions, scale, baseline; or release everything."""

    desired: Desired


@dataclass(frozen=True, slots=True)
class Perform:
    """Do a once-only thing and keep its result for the next pass."""

    action: Action


Effect = Reroute | Persist | Arrange | Perform


def effects(previous: State, step: Step, seen: Routing | None) -> tuple[Effect, ...]:
    """The effects of one pass, in order.

    `previous` is the state last written; `seen` is the routing that the data plane has, None if that is not known.
    """
    wanted = step.desired.routing if step.desired.primary_up else seen
    todo: list[Effect] = []
    if seen is not None and wanted is not None:
        safe = reduced(seen, wanted)
        if safe != seen:
            todo.append(Reroute(safe))
            seen = safe
    kept = durable(step.state)
    if _differs(previous, kept):
        todo.append(Persist(kept))
    if wanted is not None and seen != wanted:
        todo.append(Reroute(wanted))
    todo.append(Arrange(step.desired))
    todo.extend(Perform(action) for action in step.actions)
    return tuple(todo)


def durable(state: State) -> State:
    """What of a state is written: all but the events that are on their way."""
    if not any(isinstance(action, EventAction) for action in state.outbox):
        return state
    return changed(state, outbox=tuple(action for action in state.outbox if not isinstance(action, EventAction)))


def unwritten_for_ms(previous: State, state: State) -> int | None:
    """How long from now nothing of `state` needs to be written for its own sake; None if all of it has been. To have a
    reason at all, or none any more, is news at once."""
    if previous.reason == state.reason:
        return None
    if not (previous.reason and state.reason):
        return 0
    return max(0, REASON_MS - (state.clock_ms - previous.clock_ms))


def _differs(previous: State, state: State) -> bool:
    """Whether anything has changed that is worth a write.

    Nor is it, while a run is under way, that something has been sent: it is noted with the next write, and a crash
    before that repeats it, once, as a crash before any other note would.
    """
    reason = state.reason if unwritten_for_ms(previous, state) == 0 else previous.reason
    now = changed(state, clock_ms=previous.clock_ms, wall_ms=previous.wall_ms, reason=reason)
    if now == previous:
        return False
    if state.phase in AT_REST or len(now.outbox) >= len(previous.outbox):
        return True
    sent_only = all(action in previous.outbox for action in now.outbox)
    return not sent_only or changed(now, outbox=previous.outbox) != previous
