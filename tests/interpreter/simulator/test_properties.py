"""Whatever happens: traffic rises only on a passed check, a rollout ends or waits, and nothing is lost in JSON."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dsl.ir import (
    CallCheck,
    CallOp,
    GivenEvent,
    GivenMetric,
    HoldOp,
    Program,
    PromoteOp,
    RouteOp,
    Tolerance,
    WaitOp,
)
from interpreter.simulator.scenario import healthy
from interpreter.simulator.simulation import simulate
from interpreter.simulator.timeline import Story
from interpreter.state import Verdict
from interpreter.state_json import decode, encode
from tests.interpreter.simulator.programs import CANARY, CAREFUL, MINUTE, SUCCESS, analysis, measure, program, ramp

PROGRAMS: tuple[Program, ...] = (
    CANARY,
    CAREFUL,
    program(*ramp(5, 25, 50, checks=2), PromoteOp(20, MINUTE), main=analysis(SUCCESS, CallCheck("load_test"))),
    program(
        CallOp("load_test", MINUTE, "main"),
        RouteOp(mirror=30),
        HoldOp(duration_ms=3 * MINUTE, analysis="main"),
        RouteOp(mirror=0),
        *ramp(10, 20),
        WaitOp(gate="signoff", within_ms=30 * MINUTE, otherwise="continue"),
        PromoteOp(),
        main=replace(analysis(SUCCESS), tolerate=Tolerance(2, "consecutive")),
    ),
)

moments = st.integers(0, 15 * 60).map(lambda seconds: seconds * 1000)
spells = st.none() | st.integers(1, 10 * 60).map(lambda seconds: seconds * 1000)
rates = st.builds(
    GivenMetric, st.just(measure("success_rate")), st.sampled_from([0.2, 0.98, 0.995, 1.0, None]), moments, spells
)
events = st.builds(
    GivenEvent,
    st.sampled_from(
        [
            "no_data",
            "provider_down",
            "webhook refuses",
            "gate opens",
            "gate closes",
            "approval",
            "new_revision",
            "interpreter_restart",
            "canary not_ready",
            "primary not_ready",
            "abort",
        ]
    ),
    st.just(None),
    moments,
    spells,
)
gates = events.map(lambda one: replace(one, subject="signoff") if one.what.startswith("gate") else one)
worlds = st.lists(rates | gates, max_size=5).map(tuple)


def story(found: Program, givens: tuple[GivenMetric | GivenEvent, ...], crash_after: int | None, delay: int) -> Story:
    scenario = healthy(found)._replace(givens=givens, approve_after_ms=None, answer_delay_ms=delay)
    told = simulate(found, scenario, crash_after=crash_after)
    assert isinstance(told, Story)
    return told


def raises(told: Story) -> list[tuple[int, float, float]]:
    """The moments at which the canary's weight went up while the rollout ran: when, from and to which weight."""
    pairs = zip(told.levels, told.levels[1:], strict=False)
    return [(after.at_ms, before.traffic, after.traffic) for before, after in pairs if after.traffic > before.traffic]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PROGRAMS), worlds, st.none() | st.integers(1, 120), st.sampled_from([0, 2_000]))
def test_traffic_rises_only_on_a_passed_check(
    found: Program, givens: tuple[GivenMetric | GivenEvent, ...], crash_after: int | None, delay: int
) -> None:
    told = story(found, givens, crash_after, delay)
    first = min(op.weight for op in found.code if isinstance(op, RouteOp) and op.weight)
    for at_ms, before, after in raises(told):
        if before == 0 and after == first:
            continue
        if after == 100 and told.outcome == "promotion_failed":
            continue
        checks = [
            m.check for m in told.moments if m.check is not None and m.at_ms <= at_ms and m.check.weight == before
        ]
        assert checks, f"raised to {after}% at {at_ms} without a check at {before}%"
        assert checks[-1].verdict is Verdict.PASS


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PROGRAMS), worlds, st.none() | st.integers(1, 120), st.sampled_from([0, 2_000]))
def test_every_rollout_ends_or_says_what_it_waits_for(
    found: Program, givens: tuple[GivenMetric | GivenEvent, ...], crash_after: int | None, delay: int
) -> None:
    told = story(found, givens, crash_after, delay)
    assert told.outcome in ("promoted", "rolled_back", "promotion_failed") or told.reason
    if told.outcome in ("promoted", "rolled_back"):
        assert told.levels[-1].traffic == 0
        assert told.levels[-1].mirror == 0
    if told.outcome == "rolled_back":
        assert told.reason, "a rollback says why"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PROGRAMS), worlds)
def test_a_state_is_the_same_after_json(found: Program, givens: tuple[GivenMetric | GivenEvent, ...]) -> None:
    told = story(found, givens, None, 0)
    assert decode(encode(told.state)) == told.state


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(PROGRAMS), worlds)
def test_a_scenario_says_the_same_each_time(found: Program, givens: tuple[GivenMetric | GivenEvent, ...]) -> None:
    assert story(found, givens, None, 0) == story(found, givens, None, 0)
