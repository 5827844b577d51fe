"""Protects that what a data plane refuses is found at whatever step it would come up, and nowhere else."""

from __future__ import annotations

from typing import Any

from dsl.ir import BranchOp, Compare, Const, MatchTest, Measure, PromoteOp, RouteOp, Span
from dsl.ir.conditions import Arm
from interpreter.cluster.rehearsal import refusals
from interpreter.desired import Routing
from interpreter.traffic.provider import Site, TrafficError
from tests.interpreter.machine.rig import program

UNKNOWN = Compare("<", Measure("m", Arm.CANARY, 60_000), Const(1.0))
HEADER = ((MatchTest("header", "x", "==", "a"),),)


class Picky:
    """A provider that refuses some routings, and remembers what it was asked for."""

    name = "picky"

    def __init__(self, *refused: Routing) -> None:
        self.refused = refused
        self.asked: list[Routing] = []

    def render(self, _site: Site, routing: Routing, _existing: Any) -> tuple[()]:
        self.asked.append(routing)
        if routing in self.refused:
            raise TrafficError("no")
        return ()


def rehearsed(provider: Any, *code: Any, spans: tuple[Span, ...] = ()) -> tuple[str, ...]:
    made = program(*code, spans=spans)
    return refusals(provider, Site(made, "web", "web-primary", "web-canary", 80), {})


def test_every_routing_is_asked_for_as_the_steps_before_it_left_it() -> None:
    provider = Picky()
    code = (RouteOp(weight=20), RouteOp(matches=HEADER), RouteOp(weight=40, mirror=10), PromoteOp())
    assert rehearsed(provider, *code) == ()
    assert provider.asked == [Routing(20), Routing(20, matches=HEADER), Routing(40, 10, HEADER)]


def test_both_arms_of_an_if_are_walked_and_what_follows_comes_of_each() -> None:
    provider = Picky()
    code = (
        BranchOp(3, UNKNOWN),
        RouteOp(weight=10),
        BranchOp(4),
        RouteOp(weight=30),
        RouteOp(mirror=5),
        PromoteOp(),
    )
    rehearsed(provider, *code)
    assert provider.asked == [Routing(10), Routing(30), Routing(10, 5), Routing(30, 5)]


def test_a_refusal_names_the_step_once() -> None:
    span = Span("web.rollout", 7, 3, 7, 9, "shift to 40%")
    provider = Picky(Routing(40), Routing(40, 5))
    code = (RouteOp(weight=40), RouteOp(mirror=5), PromoteOp())
    assert rehearsed(provider, *code, spans=(span, span, span)) == ("line 7, `shift to 40%`: no",)
    assert rehearsed(provider, *code) == ("step 1: no",)


def test_what_no_run_comes_to_is_not_asked_for() -> None:
    provider = Picky(Routing(90))
    assert rehearsed(provider, PromoteOp(), RouteOp(weight=90)) == ()
