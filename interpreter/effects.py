"""The order of effects within one pass: what makes a crash harmless. Pure.

Traffic is taken off the canary before the state is written, and put on it only after, so that a crash between any two
effects leaves no more traffic on the canary than the last written state allows (interpreter.md §4). Every runtime does
these effects one by one, in this order; what they do is up to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from interpreter.frozen import changed
from interpreter.phases import AT_REST
from interpreter.routing import reduced
from interpreter.state import Action, Desired, Routing, State, Step


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
    if _differs(previous, step.state):
        todo.append(Persist(step.state))
    if wanted is not None and seen != wanted:
        todo.append(Reroute(wanted))
    todo.append(Arrange(step.desired))
    todo.extend(Perform(action) for action in step.actions)
    return tuple(todo)


def _differs(previous: State, state: State) -> bool:
    """Whether anything has changed that is worth a write.

    The passing of time alone is not. Nor is, while a run is under way, that something has been sent: it is noted with
    the next write, and a crash before that repeats it, once, as a crash before any other note would.
    """
    now = changed(state, clock_ms=previous.clock_ms, wall_ms=previous.wall_ms)
    if now == previous:
        return False
    if state.phase in AT_REST or len(now.outbox) >= len(previous.outbox):
        return True
    sent_only = all(action in previous.outbox for action in now.outbox)
    return not sent_only or changed(now, outbox=previous.outbox) != previous
