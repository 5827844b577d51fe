"""Whole rollouts, driven in real time, whose metric server dies, hangs and lies over HTTP: for its fault nothing is
rolled back before `provider_errors` says so, nothing is promoted without evidence, and the reason names it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from dsl import ir
from interpreter.actions import Action, ActionResult, EventAction
from interpreter.desired import Desired, Instant, Routing
from interpreter.driver import Driver
from interpreter.providers import provider
from interpreter.providers.metrics import Metrics
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import RenderedQuery
from interpreter.questions import Answer, GateAnswer, MetricQuestion, Question, Readiness, ReadyQuestion
from interpreter.state import Inputs, Outcome, Phase, State
from tests.interpreter.machine.rig import METRICS, SLO, program
from tests.interpreter.providers.lies import LARGE, QUICK, SLOW, Lie
from tests.interpreter.providers.server import Answer as Said
from tests.interpreter.providers.server import Server, number

PATIENCE_S = 30
LIMIT_S = 1.5
ERRORS, TOLERATED, NEEDED = 3, 2, 3
QUICKLY = replace(SLO, every_ms=15, tolerate=ir.Tolerance(TOLERATED), provider_errors=ERRORS)
TOLD = {
    name: {**QUICK, **SLOW, **LARGE}[name]
    for name in (
        "HTML with 200",
        "its error with 200",
        "null",
        "cut off",
        "cut off in JSON, and well framed",
        "reset",
        "closed",
        "redirect elsewhere",
        "429 for ever",
        "401",
        "infinity",
        "true",
        "every name twice",
        "silent",
        "a byte now and then",
        "10 GB",
        "a gzip bomb",
    )
}


class World:
    """A runtime in memory whose questions about metrics go to a server; `checks` counts them."""

    def __init__(self, server: Server) -> None:
        metric = replace(METRICS["requests"], server=server.url)
        hold = ir.HoldOp(checks=NEEDED, analysis="slo")
        metrics = {**METRICS, "requests": metric}
        self.program = program(ir.RouteOp(weight=10), hold, ir.PromoteOp(), slo=QUICKLY, metrics=metrics)
        self.prometheus = Prometheus()
        self.metrics = Metrics(self.program, {"prometheus": self.prometheus}, timeout=LIMIT_S)
        self.revision = "v1"
        self.routing: Routing | None = None
        self.weights: list[float] = []
        self.events: list[EventAction] = []
        self.checks = 0
        self.before: Callable[[int], None] = lambda check: None

    def now(self) -> Instant:
        return time.time_ns() // 1_000_000

    async def observe(self) -> Inputs:
        return Inputs(self.revision, self.routing)

    async def ask(self, question: Question) -> Answer:
        if isinstance(question, ReadyQuestion):
            return Readiness(True)
        if not isinstance(question, MetricQuestion):
            return GateAnswer(True)
        self.checks += 1
        self.before(self.checks)
        return await self.metrics.answer(question)

    async def reroute(self, routing: Routing) -> None:
        self.routing = routing
        self.weights.append(routing.weight)

    async def persist(self, state: State) -> None:
        del state

    async def arrange(self, desired: Desired) -> None:
        del desired

    async def perform(self, action: Action) -> ActionResult:
        if isinstance(action, EventAction):
            self.events.append(action)
        return ActionResult(True)

    def reasons(self, reason: str) -> list[str]:
        return [event.message for event in self.events if event.reason == reason]


@pytest.fixture
async def world(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(provider, "LONGEST_WAIT_S", 0.001)
    made = World(server)
    server.answers = [number("1")]
    await made.prometheus.measure(RenderedQuery("warm", 0, 1000, server.url))  # the list of authorities is read
    yield made
    await made.metrics.close()


def healthy(server: Server) -> None:
    server.by_query = {"bad": number("0"), "total": number("1000")}


def failing(server: Server) -> None:
    server.by_query = {"bad": number("900"), "total": number("1000")}


def lying(server: Server, lie: Lie) -> None:
    true = number("0").partition(b"\r\n\r\n")[2].replace(b'"0"', b'"7"')

    async def said(writer: asyncio.StreamWriter) -> None:
        await lie(true, writer)

    server.by_query = {"bad": said, "total": said}


def over(state: State) -> bool:
    return state.run is not None and state.run.outcome is not None and state.phase in (Phase.SUCCEEDED, Phase.FAILED)


async def roll_out(world: World) -> State:
    driver = Driver(world.program, world, State())
    async with asyncio.timeout(PATIENCE_S):
        await driver.run(lambda state: state.phase is Phase.INITIALIZED)
        world.revision = "v2"
        return await driver.run(lambda state: over(state) and not state.outbox)


async def test_the_truth_is_promoted(world: World, server: Server) -> None:
    healthy(server)
    state = await roll_out(world)
    assert state.run is not None
    assert (state.run.outcome, world.checks, world.weights) == (Outcome.PROMOTED, NEEDED, [0, 10, 0])


@pytest.mark.parametrize("lie", TOLD.values(), ids=TOLD.keys())
async def test_a_server_that_lies_for_good_is_named_and_held_to_be_at_fault_late(
    world: World, server: Server, lie: Lie
) -> None:
    lying(server, lie)
    state = await roll_out(world)
    assert state.run is not None
    assert state.run.outcome is Outcome.ROLLED_BACK
    assert world.checks == ERRORS - 1 + TOLERATED
    assert len(world.reasons("CheckNotMade")) == ERRORS - 1
    assert "checks in a row could not be made" in state.run.reason
    assert "prometheus" in state.run.reason
    assert server.url.removeprefix("http://") in state.run.reason
    assert world.weights == [0, 10, 0]


@pytest.mark.parametrize("name", sorted(set(TOLD) - {"429 for ever"}))
async def test_a_server_that_comes_to_its_senses_is_forgiven(world: World, server: Server, name: str) -> None:
    """Its lies count neither for the canary nor against it: as many good checks are needed as without them."""

    def change(check: int) -> None:
        if check == ERRORS:
            healthy(server)

    lying(server, TOLD[name])
    world.before = change
    state = await roll_out(world)
    assert state.run is not None
    assert (state.run.outcome, state.run.failed_checks) == (Outcome.PROMOTED, 0)
    assert world.checks == ERRORS - 1 + NEEDED
    assert len(world.reasons("CheckNotMade")) == ERRORS - 1


@pytest.mark.parametrize("name", ["closed", "HTML with 200", "null", "silent"])
async def test_one_that_changes_in_the_middle_promotes_nothing_without_the_evidence(
    world: World, server: Server, name: str
) -> None:
    """It dies, is taken out by a gateway's page, or changes its schema, one check before the last that is needed."""

    def change(check: int) -> None:
        if check == NEEDED:
            lying(server, TOLD[name])

    healthy(server)
    world.before = change
    state = await roll_out(world)
    assert state.run is not None
    assert state.run.outcome is Outcome.ROLLED_BACK
    assert world.checks == NEEDED - 1 + ERRORS - 1 + TOLERATED
    assert "checks in a row could not be made" in state.run.reason


async def test_a_bad_canary_is_found_between_two_lies(world: World, server: Server) -> None:
    """Errors in a row are counted, and a measurement ends the row; what it says of the canary counts."""

    def change(check: int) -> None:
        if check % 2:
            lying(server, TOLD["HTML with 200"])
        else:
            failing(server)

    world.before = change
    state = await roll_out(world)
    assert state.run is not None
    assert state.run.outcome is Outcome.ROLLED_BACK
    assert "could not be made" not in state.run.reason
    assert (world.checks, state.run.failed_checks) == (2 * TOLERATED, TOLERATED)


@pytest.mark.parametrize("late", ["good", "bad"])
async def test_a_late_answer_is_of_no_later_check(world: World, server: Server, late: str) -> None:
    """The first check's answer comes when the second has been asked; what it said would turn the rollout round."""
    held = asyncio.Event()
    numbers = {"good": ("0", "900"), "bad": ("900", "0")}[late]

    def saying(text: str) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
        async def said(writer: asyncio.StreamWriter) -> None:
            await held.wait()
            writer.write(number(text))
            await writer.drain()

        return said

    def change(check: int) -> None:
        if check == 2:
            now: dict[str, Said] = {"bad": number(numbers[1]), "total": number("1000")}
            server.by_query = now
            held.set()

    server.by_query = {"bad": saying(numbers[0]), "total": saying("1000")}
    world.before = change
    state = await roll_out(world)
    assert state.run is not None
    expected = Outcome.PROMOTED if late == "bad" else Outcome.ROLLED_BACK
    assert state.run.outcome is expected
    assert state.run.failed_checks == (0 if late == "bad" else TOLERATED)
    assert len(world.reasons("CheckNotMade")) == 1
