"""`shift`, `mirror`, `route`, `sticky`: change the routing.

More traffic is given to a canary only if it is ready at that moment, and no guardrail forbids it yet. With `scale
canary to match traffic` the canary is scaled up before it gets the traffic. Where there is a baseline, a share of the
traffic waits for that too: what is to be compared begins together. Done when the data plane says that it has the
routing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from dsl.ir import RouteOp
from interpreter.desired import Routing
from interpreter.durations import duration
from interpreter.ending import roll_back
from interpreter.guardrails import refuses_route
from interpreter.routing import reduced
from interpreter.turn import Turn

_ALL = 100.0


def step(turn: Turn, op: RouteOp) -> int | None:
    wanted = changed(turn.state.routing, op)
    if (wanted != turn.state.routing or turn.state.caution is not None) and not _may(turn, wanted):
        return None
    if turn.inputs.routing != wanted:
        _await_data_plane(turn)
        return None
    turn.set_run(raised_ms=turn.clock)
    turn.log("Routed", f"canary weight {wanted.weight:g}%")
    return turn.cursor.pc + 1


def _await_data_plane(turn: Turn) -> None:
    """A data plane that never takes the routing (it cannot mirror, say) must not hold the rollout for ever."""
    deadline = turn.cursor.since_ms + turn.program.deadline_ms
    if turn.clock >= deadline:
        roll_back(turn, f"the data plane did not take the new routing within {duration(turn.program.deadline_ms)}")
        return
    turn.because("waiting for the data plane to take the new routing")
    turn.wake_at(deadline)


def changed(routing: Routing, op: RouteOp) -> Routing:
    """The routing with what the instruction says put in."""
    return Routing(
        weight=routing.weight if op.weight is None else op.weight,
        mirror=routing.mirror if op.mirror is None else op.mirror,
        matches=routing.matches if op.matches is None else op.matches,
        sticky=routing.sticky if op.sticky is None else op.sticky,
    )


def _may(turn: Turn, wanted: Routing) -> bool:
    """Set the routing, if it may be set now."""
    held = turn.state.caution or turn.state.routing
    if reduced(held, wanted) != wanted and not _raise_allowed(turn, wanted):
        return False
    turn.reroute(wanted)
    turn.set_cursor(since_ms=turn.clock)
    turn.event("TrafficRouted", _words(wanted))
    return True


def _raise_allowed(turn: Turn, wanted: Routing) -> bool:
    refusal = refuses_route(turn, wanted.weight, wanted.mirror)
    if refusal is not None:
        why, until = refusal
        if until is None:
            roll_back(turn, f"{why}; the step asked for {wanted.weight:g}%")
        else:
            turn.because(f"traffic stays: {why}")
            turn.wake_at(until)
        return False
    scale = turn.state.canary_scale
    if scale.mode == "traffic" and wanted.weight > scale.value:
        turn.set(canary_scale=replace(scale, value=wanted.weight))
    if not _is_ready(turn, "canary", turn.running.revision):
        return False
    compared = turn.program.baseline and 0 < wanted.weight < _ALL and turn.state.primary is not None
    return not compared or _is_ready(turn, "baseline", turn.state.primary or "")


def _is_ready(turn: Turn, role: Literal["canary", "baseline"], revision: str) -> bool:
    """A workload that is not ready, or was and is not any more, is given its deadline, from now on."""
    ready = turn.ready(role, revision)
    if ready is None or ready.ready:
        return ready is not None
    why = f"the {role} is not ready: {ready.reason or 'no reason given'}"
    turn.because(f"traffic stays: {why}")
    due = turn.cursor.due_ms
    if due is None:
        due = turn.clock + turn.program.deadline_ms
        turn.set_cursor(due_ms=due)
        if role == "canary":  # a baseline may simply take longer to come up
            turn.event("CanaryNotReady", f"traffic stays: {why}", warning=True)
    if turn.clock >= due:
        roll_back(turn, f"{why}, and has not been for {duration(turn.program.deadline_ms)}")
    else:
        turn.wake_at(due)
    return False


def _words(routing: Routing) -> str:
    parts = [f"canary weight {routing.weight:g}%"]
    if routing.mirror:
        parts.append(f"{routing.mirror:g}% of requests mirrored")
    if routing.matches:
        parts.append("matching requests to the canary")
    if routing.sticky:
        parts.append(f"sticky by cookie `{routing.sticky.cookie}`")
    return ", ".join(parts)
