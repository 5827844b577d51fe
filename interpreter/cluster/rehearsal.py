"""Every routing that a policy can come to, rendered before any of it is wanted. Pure.

What a data plane can do at all, the linter knows. What this one can do with the objects as they are, a match that
clashes with one of the user's own, a rule that is gone, only rendering tells; and it is better told while all traffic
is on the primary than at the third step. All control flow is forward, so one walk over the instructions meets every
routing.
"""

from __future__ import annotations

from collections.abc import Iterator

from dsl import flow
from dsl.ir import Program, RouteOp
from interpreter.desired import Routing
from interpreter.objects import Objects
from interpreter.routing import HOME
from interpreter.steps.route import changed
from interpreter.traffic.provider import Site, TrafficError, TrafficProvider


def refusals(provider: TrafficProvider, site: Site, existing: Objects) -> tuple[str, ...]:
    """Why steps of the site's Program could not be carried out, each reason once, at the first step that has it."""
    found: dict[str, str] = {}
    for index, routing in _routings(site.program):
        try:
            provider.render(site, routing, existing)
        except TrafficError as error:
            found.setdefault(str(error), f"{_step(site.program, index)}: {error}")
    return tuple(found.values())


def _routings(program: Program) -> Iterator[tuple[int, Routing]]:
    """What each reachable `route` can make of the routing; matches and stickiness have no order, hence the lists."""
    before: list[list[Routing]] = [[] for _ in program.code]
    if before:
        before[0].append(HOME)
    for index, seen in enumerate(before):
        op = program.code[index]
        after = [changed(routing, op) for routing in seen] if isinstance(op, RouteOp) else seen
        if isinstance(op, RouteOp):
            yield from ((index, routing) for routing in after)
        for following in flow.successors(program, index):
            before[following] += [routing for routing in after if routing not in before[following]]


def _step(program: Program, index: int) -> str:
    if index < len(program.spans):
        span = program.spans[index]
        return f"line {span.line}, `{span.text}`"
    return f"step {index + 1}"
