"""Protects what must hold in every life of a rollout, whatever happens in whatever order.

Hypothesis invents policies and what befalls them; after every pass: no more traffic than the policy's steps allow,
raised only after a passed check, home when the run has ended, and words for everything that is waited for.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dsl import ir
from interpreter.desired import Routing
from interpreter.phases import CHANGES
from interpreter.questions import Readiness
from interpreter.state import Outcome, Phase, Verdict
from tests.interpreter.machine.rig import HOLD, MINUTE, Rig, program

WEIGHTS = st.sampled_from([1.0, 5.0, 20.0, 50.0])

STEP = st.one_of(
    WEIGHTS.map(lambda w: (ir.RouteOp(weight=w), HOLD)),
    WEIGHTS.map(lambda w: (ir.RouteOp(mirror=w), HOLD)),
    st.just((ir.PauseOp(duration_ms=90_000),)),
    st.just((ir.HoldOp(duration_ms=150_000, analysis="slo"),)),
    st.just((ir.WaitOp(within_ms=600_000),)),
    st.just((ir.WaitOp(gate="gate", within_ms=600_000, otherwise="continue"),)),
    st.just((ir.CallOp("hook", MINUTE, "slo"),)),
    st.just((ir.ScaleOp(share=25),)),
)

HAPPENING = st.one_of(
    st.tuples(st.just("time"), st.sampled_from([1, 10, 60, 61, 300, 3600, -3600])),
    st.tuples(st.just("errors"), st.sampled_from([0.0, 0.005, 0.02, 1.0, None])),
    st.tuples(st.just("ready"), st.sampled_from(["yes", "no", "never"])),
    st.tuples(st.just("revision"), st.sampled_from(["v1", "v2", "v3", None])),
    st.tuples(st.just("signal"), st.sampled_from(["approve", "abort", "promote", "retry", "pause", "resume"])),
    st.tuples(st.just("gate"), st.booleans()),
    st.tuples(st.just("crash"), st.integers(1, 12)),
    st.tuples(st.just("suspend"), st.booleans()),
    st.tuples(st.just("edit"), st.sampled_from([0.0, 100.0])),
)


def befall(rig: Rig, what: str, value: Any) -> None:
    match what:
        case "time" if value < 0:
            rig.now += value * 1000
        case "time":
            rig.go(value)
        case "errors":
            rig.silent.clear()
            rig.error_rate = lambda arm: value
        case "ready":
            rig.ready = lambda q: Readiness(value == "yes", "because", failed=value == "never")
        case "revision":
            rig.revision = value
        case "signal":
            run = rig.state.run
            rig.signal(value, run.revision if run else "v2", id=str(len(rig.signals)))
        case "gate":
            rig.gates["gate"] = value
        case "crash":
            rig.crash_after = rig.effects_done + value
        case "suspend":
            rig.suspended = value
        case "edit":
            rig.routing = Routing(weight=value)
    rig.settle()


def check(rig: Rig, top: float, before: Phase) -> None:
    state, run = rig.state, rig.state.run
    assert rig.routing is not None or state.phase is Phase.INITIALIZING
    failed_promotion = run is not None and run.outcome is Outcome.PROMOTION_FAILED
    assert state.routing.weight <= (100 if failed_promotion or state.phase is Phase.PROMOTING else top)
    if run is not None and run.outcome is not None and not failed_promotion and state.phase is not Phase.PROMOTING:
        assert state.routing == Routing()
    if (
        rig.step is not None
        and rig.step.wake_at_ms is None
        and state.phase not in (Phase.SUCCEEDED, Phase.INITIALIZED, Phase.TERMINATED, Phase.FAILED)
    ):
        assert state.reason or rig.step.questions or state.outbox, f"{state.phase} waits for nothing that it names"
    assert before in CHANGES


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(STEP, min_size=1, max_size=5),
    happenings=st.lists(HAPPENING, max_size=14),
    step=st.sampled_from([None, 20.0]),
)
def test_whatever_happens(steps: list[tuple[Any, ...]], happenings: list[tuple[str, Any]], step: float | None) -> None:
    code = [op for group in steps for op in group]
    top = max((op.weight for op in code if isinstance(op, ir.RouteOp) and op.weight), default=0.0)
    hook = {"hook": ir.Webhook("http://hook")}
    policy = program(
        *code,
        ir.PromoteOp(step, 30_000 if step else None),
        webhooks=hook,
        gates={"gate": hook["hook"]},
        deadline_ms=120_000,
    )
    rig = Rig(policy).begin()
    for what, value in happenings:
        before = rig.state.phase
        befall(rig, what, value)
        check(rig, top, before)


@settings(max_examples=60, deadline=None)
@given(weights=st.lists(WEIGHTS, min_size=2, max_size=4), bad_from=st.integers(0, 6))
def test_traffic_is_raised_only_after_a_check_that_passed(weights: list[float], bad_from: int) -> None:
    code = [op for w in weights for op in (ir.RouteOp(weight=w), HOLD)]
    rig = Rig(program(*code, ir.PromoteOp())).begin()
    rig.error_rate = lambda arm: 1.0 if rig.run.iterations >= bad_from else 0.0
    raised = rig.routes[-1][1]
    for _ in range(10):
        rig.go(60)
        weight = rig.routes[-1][1]
        if weight > raised and rig.is_in(Phase.PROGRESSING):
            assert rig.run.last_check.verdict is Verdict.PASS
        raised = weight
    assert rig.is_in(Phase.SUCCEEDED if bad_from >= len(weights) else Phase.FAILED)


@settings(max_examples=60, deadline=None)
@given(happenings=st.lists(HAPPENING, max_size=10))
def test_it_always_ends_or_waits_for_somebody(happenings: list[tuple[str, Any]]) -> None:
    """With the world healed and an abort, any rollout comes to rest with all traffic on one healthy copy."""
    rig = Rig(program(ir.RouteOp(weight=20), HOLD, ir.WaitOp(), ir.PromoteOp(), deadline_ms=120_000)).begin()
    for what, value in happenings:
        befall(rig, what, value)
    rig.suspended, rig.crash_after = False, None
    befall(rig, "ready", "yes")
    befall(rig, "errors", 0.0)
    if rig.revision is None:
        befall(rig, "revision", "v2")
    rig.go(300)
    befall(rig, "signal", "resume")
    befall(rig, "signal", "abort")
    rig.go(300)
    assert rig.state.phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.INITIALIZED)
    assert rig.state.routing.weight in (0, 100)
