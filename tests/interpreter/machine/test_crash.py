"""Protects crash safety: the process may die between any two effects, and nothing that was decided is lost.

The kill points are not listed: the run without a crash says how many effects there are, and each is tried, in policies
that between them use every instruction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dsl import ir
from interpreter.desired import Routing
from interpreter.questions import NoDataAnswer, Readiness
from interpreter.state import Phase, State
from interpreter.state_json import decode
from tests.interpreter.machine.rig import HEALTH, HOLD, METRICS, MINUTE, SLO, Rig, program, ramp

HOOK = {"hook": ir.Webhook("http://hook")}
CHANNELS = {"audit": ir.Channel("webhook", "http://audit")}
EVERYTHING = program(
    ir.CallOp("hook", MINUTE, "slo"),
    ir.RouteOp(mirror=20),
    HOLD,
    ir.RouteOp(mirror=0, matches=((ir.MatchTest("header", "x", "exists"),),)),
    ir.ScaleOp(share=25),
    ir.PauseOp(duration_ms=30_000),
    ir.NotifyOp("audit", "half way"),
    ir.RouteOp(weight=10, sticky=ir.StickySpec("s", 1000)),
    ir.HoldOp(duration_ms=90_000, analysis="slo"),
    ir.WaitOp(gate="signoff"),
    ir.RouteOp(weight=40),
    HOLD,
    ir.PromoteOp(20, 30_000),
    slo=replace(SLO, checks=(HEALTH, ir.CallCheck("hook"), ir.GateCheck("panic")), tolerate=ir.Tolerance(2)),
    webhooks=HOOK,
    gates={"signoff": HOOK["hook"], "panic": HOOK["hook"]},
    channels=CHANNELS,
    notify=("audit",),
    handlers={"start": (ir.NotifyOp("audit"),), "promoted": (ir.CallOp("hook", MINUTE),)},
)


def healthy(rig: Rig) -> None:
    rig.gates.update(signoff=True, panic=False)


def failing(rig: Rig) -> None:
    healthy(rig)
    rig.error_rate = lambda arm: 0.5 if rig.state.routing.weight >= 10 else 0.0


def panicking(rig: Rig) -> None:
    healthy(rig)
    rig.gates["panic"] = True


def slow_to_wake(rig: Rig) -> None:
    """After a start nothing is ready for five seconds: the workloads died with the process that ran them."""
    healthy(rig)
    rig.looks_every_ms = 2500
    rig.ready = lambda question: Readiness(rig.now - rig.born >= 5000, "starting")


def slow_and_failing(rig: Rig) -> None:
    slow_to_wake(rig)
    failing(rig)


POLICIES: dict[str, tuple[ir.Program, Callable[[Rig], None]]] = {
    "everything": (EVERYTHING, healthy),
    "everything, failing": (EVERYTHING, failing),
    "everything, panicking": (EVERYTHING, panicking),
    "ramp": (ramp(10, 20), healthy),
    "ramp, slow to wake": (ramp(10, 20), slow_to_wake),
    "ramp, slow to wake, failing": (ramp(10, 20), slow_and_failing),
    "ramp with a slow end": (ramp(10, scale_down_delay_ms=20_000), failing),
}


def run(policy: ir.Program, scenario: Callable[[Rig], None], crash_after: int | None) -> Rig:
    rig = Rig(policy)
    rig.crash_after = crash_after
    scenario(rig)
    rig.begin()
    for _ in range(9):
        rig.go(100)
    return rig


def end(state: State) -> object:
    run = state.run
    assert run is not None
    return state.phase, state.primary, state.routing, run.outcome, run.iterations, run.failed_checks, run.stage


@pytest.mark.parametrize("name", POLICIES)
def test_a_crash_after_any_effect_changes_nothing(name: str) -> None:
    policy, scenario = POLICIES[name]
    whole = run(policy, scenario, None)
    assert whole.effects_done > 30
    for crash_after in range(1, whole.effects_done + 1):
        rig = run(policy, scenario, crash_after)
        assert rig.weights == whole.weights, f"crash after effect {crash_after}"
        assert end(rig.state) == end(whole.state), f"crash after effect {crash_after}"
        assert rig.desired == whole.desired
        assert {call.key for call in rig.calls} == {call.key for call in whole.calls}
        sent = [message.key for message in rig.messages]
        assert max((sent.count(key) for key in set(sent)), default=0) <= 2, f"crash after effect {crash_after}"


def test_two_crashes_send_no_message_three_times() -> None:
    policy, scenario = POLICIES["everything"]
    for first in range(5, 60, 3):
        rig = Rig(policy)
        scenario(rig)
        rig.crash_after, rig.crash_again = first, True
        rig.begin().go(900)
        sent = [message.key for message in rig.messages]
        assert max(sent.count(key) for key in set(sent)) <= 2


def test_traffic_found_lower_stays_so_until_a_step_decides() -> None:
    rig = Rig(ramp(10, 20, 40)).begin().go(60)
    rig.routing, rig.restarted, rig.results = Routing(weight=3), True, {}
    rig.go(59)
    assert rig.event("TrafficFoundLower").message == "canary weight 3% stays until the next step"
    assert rig.routing == Routing(weight=3)
    rig.go(1)
    assert rig.routing == Routing(weight=40)


def test_a_canary_that_lost_its_traffic_and_cannot_be_judged_does_not_wait_for_ever() -> None:
    """The decision to take the traffic away was lost with the process, and so was what it was made from."""
    rig = Rig(ramp(10, 20, metrics={**METRICS, "requests": replace(METRICS["requests"], no_data=ir.NoData.HOLD)}))
    rig.begin()
    rig.routing, rig.restarted, rig.results = Routing(), True, {}
    rig.metric = lambda question: NoDataAnswer()
    rig.go(180)
    assert (rig.is_in(Phase.FAILED), rig.routing) == (True, Routing())
    assert "traffic was found taken off the canary" in rig.run.reason


def test_traffic_is_never_raised_before_the_state_that_raises_it_is_written() -> None:
    rig = Rig(ramp(10, 20)).begin()
    reroute = rig.rerouting

    def watch(routing: Routing) -> None:
        assert rig.routing is not None
        assert routing.weight <= max(rig.routing.weight, decode(rig.persisted).routing.weight)
        reroute(routing)

    rig.rerouting = watch
    rig.go(300)
    assert rig.weights == [0, 10, 20, 0]
