"""Protects the driver: real time, real tasks; whatever hangs or breaks stands in nobody's way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from dsl import ir
from interpreter.actions import Action, ActionResult, NotifyAction
from interpreter.desired import Desired, Instant, Routing
from interpreter.driver import Driver
from interpreter.questions import Answer, Events, GateAnswer, MetricQuestion, Question, Readiness, ReadyQuestion
from interpreter.state import Inputs, Outcome, Phase, Signal, State
from interpreter.state_json import decode, encode
from tests.interpreter.machine.rig import SLO, program

PATIENCE = 20
QUICK = replace(SLO, every_ms=20, tolerate=ir.Tolerance(2))
HOLD = ir.HoldOp(checks=2, analysis="slo")
POLICY = program(ir.RouteOp(weight=10), HOLD, ir.PromoteOp(), slo=QUICK)


class Memory:
    """A runtime in memory; `asking` and `doing` may be replaced by things that hang or break."""

    def __init__(self) -> None:
        self.revision = "v1"
        self.routing: Routing | None = None
        self.signals: tuple[Signal, ...] = ()
        self.written: list[str] = []
        self.weights: list[float] = []
        self.asking: Callable[[Question], Awaitable[Answer]] = self._healthy
        self.doing: Callable[[Action], Awaitable[ActionResult]] = self._fine
        self.was_asked = asyncio.Event()

    def now(self) -> Instant:
        return time.time_ns() // 1_000_000

    async def observe(self) -> Inputs:
        return Inputs(self.revision, self.routing, signals=self.signals)

    async def ask(self, question: Question) -> Answer:
        if isinstance(question, ReadyQuestion):
            return Readiness(True)
        self.was_asked.set()
        return await self.asking(question)

    async def reroute(self, routing: Routing) -> None:
        self.routing = routing
        self.weights.append(routing.weight)

    async def persist(self, state: State) -> None:
        self.written.append(encode(state))

    async def arrange(self, desired: Desired) -> None:
        del desired

    async def perform(self, action: Action) -> ActionResult:
        return await self.doing(action)

    async def _healthy(self, question: Question) -> Answer:
        return Events(0, 1000) if isinstance(question, MetricQuestion) else GateAnswer(True)

    async def _fine(self, action: Action) -> ActionResult:
        del action
        return ActionResult(True)


async def hang(_: object) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError


async def hang_doing(_: object) -> ActionResult:
    await asyncio.Event().wait()
    raise AssertionError


def ended(state: State) -> bool:
    return state.run is not None and state.run.outcome is not None and state.phase in (Phase.SUCCEEDED, Phase.FAILED)


async def initialised(memory: Memory, policy: ir.Program = POLICY) -> Driver:
    driver = Driver(policy, memory, State())
    await asyncio.wait_for(driver.run(lambda state: state.phase is Phase.INITIALIZED), PATIENCE)
    memory.revision = "v2"
    return driver


async def test_a_rollout_runs_to_its_end() -> None:
    memory = Memory()
    driver = await initialised(memory)
    state = await asyncio.wait_for(driver.run(ended), PATIENCE)
    assert (state.phase, memory.weights) == (Phase.SUCCEEDED, [0, 10, 0])
    assert decode(memory.written[-1]).phase is Phase.SUCCEEDED


async def test_a_metric_server_that_hangs_does_not_delay_an_abort() -> None:
    memory = Memory()
    driver = await initialised(memory)
    memory.asking = hang
    task = asyncio.create_task(driver.run(ended))
    await asyncio.wait_for(memory.was_asked.wait(), PATIENCE)
    memory.signals = (Signal("abort", "v2"),)
    driver.wake()
    state = await asyncio.wait_for(task, PATIENCE)
    assert (state.phase, memory.weights[-1]) == (Phase.FAILED, 0)


async def test_webhooks_and_channels_that_hang_do_not_delay_a_rollback() -> None:
    channels = {"oncall": ir.Channel("slack", "x")}
    policy = replace(POLICY, handlers={"rollback": (ir.CallOp("page", 1000),)})
    policy = replace(policy, channels=channels, notify=("oncall",), webhooks={"page": ir.Webhook("x")})
    memory = Memory()
    driver = await initialised(memory, policy)
    memory.doing = hang_doing

    async def bad(question: Question) -> Answer:
        del question
        return Events(500, 1000)

    memory.asking = bad
    state = await asyncio.wait_for(driver.run(ended), PATIENCE)
    assert (state.phase, memory.weights[-1]) == (Phase.FAILED, 0)
    assert any(isinstance(action, NotifyAction) for action in state.outbox)


async def test_a_provider_that_breaks_is_an_error_of_the_check() -> None:
    memory = Memory()
    driver = await initialised(memory)

    async def broken(question: Question) -> Answer:
        del question
        raise RuntimeError("cannot parse the answer")

    memory.asking = broken
    state = await asyncio.wait_for(driver.run(ended), PATIENCE)
    assert state.run is not None
    assert state.run.outcome is Outcome.ROLLED_BACK
    assert "RuntimeError: cannot parse the answer" in state.run.reason
    assert "checks in a row could not be made" in state.run.reason


async def test_a_restart_goes_on_from_what_was_written() -> None:
    memory = Memory()
    driver = await initialised(memory)
    await asyncio.wait_for(driver.run(lambda state: state.routing.weight == 10), PATIENCE)
    again = Driver(POLICY, memory, decode(memory.written[-1]))
    state = await asyncio.wait_for(again.run(ended), PATIENCE)
    assert (state.phase, state.runs, memory.weights) == (Phase.SUCCEEDED, 1, [0, 10, 0])


async def test_an_idle_rollout_makes_no_pass_by_itself() -> None:
    memory = Memory()
    driver = await initialised(memory)
    await asyncio.wait_for(driver.run(lambda state: ended(state) and not state.outbox), PATIENCE)
    passes = 0

    async def counted() -> Inputs:
        nonlocal passes
        passes += 1
        return Inputs(memory.revision, memory.routing)

    memory.observe = counted  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(driver.run(lambda state: False), 0.5)
    assert passes == 1


async def test_workloads_that_cannot_be_arranged_hold_up_neither_checks_nor_messages_nor_a_rollback() -> None:
    """A pass whose arranging fails fails in the end, and whoever asked for it asks again; the rest was done."""
    policy = replace(POLICY, channels={"oncall": ir.Channel("slack", "x")}, notify=("oncall",))
    memory = Memory()
    driver = await initialised(memory, policy)
    sent: list[str] = []

    async def broken(desired: Desired) -> None:
        del desired
        raise RuntimeError("the autoscaler is gone")

    async def bad(question: Question) -> Answer:
        del question
        return Events(500, 1000)

    async def note(action: Action) -> ActionResult:
        sent.append(action.key)
        return ActionResult(True)

    memory.arrange, memory.asking, memory.doing = broken, bad, note  # type: ignore[method-assign]
    for _ in range(200):
        with pytest.raises(RuntimeError, match="autoscaler"):
            await driver.pass_once()
        if ended(driver.state):
            break
        await asyncio.sleep(0.01)
    assert ended(driver.state)
    assert memory.weights[-1] == 0
    assert any("oncall" in key for key in sent)
    await driver.close()


async def test_what_fails_before_the_state_is_written_keeps_all_else_from_being_done() -> None:
    memory = Memory()
    driver = await initialised(memory)

    async def full(state: State) -> None:
        del state
        raise OSError("no space left")

    memory.persist = full  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no space"):
        await driver.pass_once()
    assert memory.weights == [0]


async def test_who_is_woken_and_stopped_at_one_moment_stops() -> None:
    memory = Memory()
    driver = Driver(POLICY, memory, State())
    sleeping = asyncio.create_task(driver._sleep(memory.now() + 60_000))
    await asyncio.sleep(0)
    driver.wake()
    sleeping.cancel()
    await asyncio.wait((sleeping,))
    assert sleeping.cancelled()
