"""`shift`, `mirror`, `route`, `sticky`: change the routing.

More traffic is given to a canary only if it is ready at that moment, and no guardrail forbids it yet. With `scale
canary to match traffic` the canary is scaled up before it gets the traffic. Done when the data plane says that it has
the routing.
"""

from __future__ import annotations

from dataclasses import replace

from dsl.ir import RouteOp
from interpreter.ending import roll_back
from interpreter.guardrails import refuses_route
from interpreter.routing import reduced
from interpreter.state import Routing
from interpreter.turn import Turn


def step(turn: Turn, op: RouteOp) -> int | None:
    wanted = changed(turn.state.routing, op)
    if wanted != turn.state.routing and not _may(turn, wanted):
        return None
    if turn.inputs.routing != wanted:
        return _await_data_plane(turn)
    turn.set_run(raised_ms=turn.clock)
    turn.log("Routed", f"canary weight {wanted.weight:g}%")
    return turn.cursor.pc + 1


def _await_data_plane(turn: Turn) -> None:
    """A data plane that never takes the routing (it cannot mirror, say) must not hold the rollout for ever."""
    deadline = turn.cursor.since_ms + turn.program.deadline_ms
    if turn.clock >= deadline:
        roll_back(turn, f"the data plane did not take the new routing within {turn.program.deadline_ms // 1000}s")
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
    if reduced(turn.state.routing, wanted) != wanted and not _raise_allowed(turn, wanted):
        return False
    turn.set(routing=wanted)
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
    ready = turn.ready("canary", turn.running.revision)
    if ready is None or not ready.ready:
        turn.because(f"traffic stays: the canary is not ready: {ready.reason}" if ready else "asking for the canary")
        return False
    return True


def _words(routing: Routing) -> str:
    parts = [f"canary weight {routing.weight:g}%"]
    if routing.mirror:
        parts.append(f"{routing.mirror:g}% of requests mirrored")
    if routing.matches:
        parts.append("matching requests to the canary")
    if routing.sticky:
        parts.append(f"sticky by cookie `{routing.sticky.cookie}`")
    return ", ".join(parts)

