"""What `plan` says of a policy is what the simulator then sees: soonest, latest, weights, exposure, load."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dsl.ir import (
    AllOf,
    Analysis,
    BranchOp,
    CallCheck,
    CallOp,
    Check,
    Compare,
    Const,
    GateCheck,
    GivenEvent,
    GivenMetric,
    Guardrail,
    HoldOp,
    Limit,
    PauseOp,
    Program,
    PromoteOp,
    RollbackOp,
    RouteOp,
    ScaleOp,
    Tolerance,
    Unit,
    WaitOp,
    Webhook,
    Window,
)
from interpreter.durations import duration
from interpreter.plan import plan
from interpreter.plan_exposure import exposures, worst
from interpreter.plan_load import loads
from interpreter.plan_table import data, text
from interpreter.simulator.scenario import healthy
from interpreter.simulator.simulation import simulate
from interpreter.simulator.timeline import Story
from tests.interpreter.simulator.programs import (
    CANARY,
    MINUTE,
    SUCCESS,
    analysis,
    measure,
    no_regression,
    program,
    ramp,
    require,
)

HOUR = 60 * MINUTE
UNHURT = Compare(">=", measure("success_rate"), Const(0.5, Unit.PERCENT))

POLICIES = {
    "canary": CANARY,
    "warm-up": program(*ramp(10, 20), PromoteOp(), main=analysis(SUCCESS, warm_up_ms=150_000)),
    "durations": program(
        RouteOp(weight=5),
        HoldOp(duration_ms=10 * MINUTE, analysis="main"),
        RouteOp(weight=50),
        HoldOp(duration_ms=90_000, analysis="main"),
        PauseOp(duration_ms=3 * MINUTE),
        HoldOp(checks=1, analysis="main", at_once=True),
        PromoteOp(),
    ),
    "back in steps": program(*ramp(50), PromoteOp(20, MINUTE)),
    "back in even steps": program(*ramp(50), PromoteOp(25, MINUTE)),
    "guarded": replace(
        program(*ramp(10, 50), PromoteOp()),
        guardrails={"production": Guardrail((Limit("traffic", ">", 25, 30 * MINUTE),))},
    ),
    "two arms": program(
        BranchOp(4, UNHURT, "success_rate >= 50%"),
        RouteOp(weight=10),
        HoldOp(checks=2, analysis="main"),
        BranchOp(6),
        RouteOp(weight=50),
        HoldOp(checks=9, analysis="main"),
        PromoteOp(),
    ),
}


def as_soon_as_can_be(found: Program) -> Story:
    story = simulate(found, healthy(found, approve_after_ms=0)._replace(ready_after_ms=0))
    assert isinstance(story, Story)
    return story


@pytest.mark.parametrize("name", POLICIES)
def test_the_soonest_promotion_is_the_one_that_comes_when_all_is_well(name: str) -> None:
    found = plan(POLICIES[name])
    story = as_soon_as_can_be(POLICIES[name])
    assert story.outcome == "promoted"
    assert found.promotion is not None
    assert found.promotion.soonest == story.ended_ms


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize(
    "tolerate", [Tolerance(4), Tolerance(3, "consecutive"), Tolerance(3, "window", 5), Tolerance(1)]
)
def test_no_tolerated_failures_make_it_later_than_the_latest(name: str, tolerate: Tolerance) -> None:
    """The unluckiest run there is: as many failures as are tolerated, as early as they are."""
    found = POLICIES[name]
    judged = {"main": replace(found.analyses["main"], tolerate=tolerate)}
    found = replace(found, analyses=judged, deadline_ms=1)
    latest = plan(found).promotion
    assert latest is not None
    assert latest.latest is not None
    for good, bad in ((1, 1), (1, 2), (3, 2)):
        spell = (good + bad) * MINUTE
        givens = tuple(
            GivenMetric(measure("success_rate"), 0.6, begin, bad * MINUTE) for begin in range(30_000, HOUR, spell)
        )
        story = simulate(found, healthy(found)._replace(givens=givens, ready_after_ms=0))
        assert isinstance(story, Story)
        if story.outcome == "promoted":
            assert (story.ended_ms or 0) <= latest.latest


def test_tolerated_failures_of_the_whole_rollout_count_once() -> None:
    promotion = plan(replace(CANARY, deadline_ms=0)).promotion
    assert promotion is not None
    assert (promotion.soonest, promotion.latest) == (5 * MINUTE, 7 * MINUTE)


def test_tolerated_failures_in_a_row_count_at_every_check() -> None:
    found = replace(CANARY, deadline_ms=0, analyses={"main": Analysis(MINUTE, (SUCCESS,), Tolerance(3, "consecutive"))})
    promotion = plan(found).promotion
    assert promotion is not None
    assert promotion.latest == 15 * MINUTE


def test_waits_with_a_limit_count_and_waits_without_are_named() -> None:
    within = program(WaitOp(who="managers", within_ms=4 * HOUR), *ramp(10), PromoteOp())
    without = program(WaitOp(who="managers"), WaitOp(gate="signoff"), *ramp(10), PromoteOp())
    limited, unlimited = plan(replace(within, deadline_ms=0)), plan(without)
    assert limited.promotion is not None
    assert limited.promotion.latest == 4 * HOUR + 3 * MINUTE
    assert unlimited.promotion is not None
    assert unlimited.promotion.latest is None
    assert unlimited.endless == ("approval from managers (step 1)", "gate `signoff` (step 2)")
    assert "no limit" in text(unlimited)


def test_a_window_is_waited_for_from_its_end_to_its_start() -> None:
    office = Window((0, 1, 2, 3, 4), 9 * 60, 17 * 60)
    found = replace(program(PauseOp(window="office"), PromoteOp()), windows={"office": office}, deadline_ms=0)
    promotion = plan(found).promotion
    assert promotion is not None
    assert promotion.latest == 64 * HOUR, "from Friday at five to Monday at nine"


def test_a_guardrail_that_wants_an_approval_has_no_limit() -> None:
    found = plan(replace(CANARY, guardrails={"production": Guardrail(approval_before_promote=True)}))
    assert found.endless == ("approval, which guardrail `production` requires (step 11)",)


def test_a_policy_that_never_promotes() -> None:
    found = plan(program(*ramp(10), RollbackOp("only a trial")))
    assert found.promotion is None
    assert "never" in text(found)


def test_both_arms_of_an_if_are_in_the_table() -> None:
    found = plan(POLICIES["two arms"])
    assert [step.arm for step in found.steps] == ["", "then", "", "", "else", "", ""]
    assert [step.depth for step in found.steps] == [0, 1, 1, 1, 1, 1, 0]
    assert found.steps[-1].starts.soonest == 2 * MINUTE
    lines = text(found).splitlines()
    assert any(line.strip() == "else" for line in lines)
    weights = found.steps[-1].weight
    assert (weights.low, weights.high) == (10, 50)


def test_what_can_end_a_step_is_said() -> None:
    abort = Check("abort", AllOf((UNHURT,)), "success_rate < 50%")
    found = plan(
        program(
            CallOp("load_test", MINUTE, "main"),
            ScaleOp(share=25),
            *ramp(10),
            WaitOp(who="managers", within_ms=HOUR),
            PromoteOp(),
            main=analysis(SUCCESS, abort, GateCheck("signoff")),
        )
    )
    assert [step.ended_by for step in found.steps] == [
        ("3 refusals",),
        ("canary not ready in time",),
        (),
        ("3 failed checks",),
        ("no approval from managers in time",),
        ("primary not ready in time",),
    ]
    assert found.steps[3].aborted_by == ("success_rate < 50%", "gate `signoff` opens")
    assert "aborts     success_rate < 50%\naborts     gate `signoff` opens\n" in text(found)


def test_a_branch_that_cannot_be_decided_is_within_the_plan() -> None:
    found = program(BranchOp(1, UNHURT, "success_rate >= 50%", MINUTE, "main"), *ramp(10), PromoteOp())
    found = replace(found, deadline_ms=1)
    promotion = plan(found).promotion
    assert promotion is not None
    silent = GivenMetric(measure("success_rate"), None, 0, 2 * MINUTE)
    story = simulate(found, healthy(found)._replace(givens=(silent,), ready_after_ms=0))
    assert isinstance(story, Story)
    assert promotion.latest == (story.ended_ms or 0) + 2, "and a millisecond for each deadline"


# --- exposure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("warm_up_ms", [0, 150_000])
def test_a_breach_is_over_within_the_time_that_is_promised(count: int, warm_up_ms: int) -> None:
    main = analysis(SUCCESS, tolerate=count, warm_up_ms=warm_up_ms)
    found = program(*ramp(10, 50, checks=3), PromoteOp(), main=main)
    promised = worst(plan(found))
    assert promised is not None
    assert promised.notice.ms is not None
    for raised_ms in range(0, 12 * MINUTE, 30_000):
        given = GivenMetric(measure("success_rate"), 0.2, raised_ms)
        story = simulate(found, healthy(found)._replace(givens=(given,), ready_after_ms=0))
        assert isinstance(story, Story)
        if story.outcome == "rolled_back" and story.ended_ms is not None:
            assert story.ended_ms - raised_ms <= promised.notice.ms


def test_exposure_is_weight_by_time() -> None:
    found = worst(plan(CANARY))
    assert found is not None
    assert (found.step, found.share, found.notice.ms, found.hit_ms) == (9, 50, 3 * MINUTE, 90_000)


def test_a_long_query_window_sees_a_breach_late() -> None:
    slow = require(measure("success_rate", window_ms=5 * MINUTE), ">=", Const(0.99, Unit.PERCENT))
    found = worst(plan(program(*ramp(10), PromoteOp(), main=analysis(slow, tolerate=1))))
    assert found is not None
    assert found.notice.ms == 5 * MINUTE


def test_a_pause_adds_its_time_and_one_that_nobody_ends_is_the_worst() -> None:
    paused = program(RouteOp(weight=20), PauseOp(duration_ms=HOUR), HoldOp(checks=1, analysis="main"), PromoteOp())
    assert [one.notice.ms for one in exposures(plan(paused))] == [HOUR + 3 * MINUTE, 3 * MINUTE]
    watched_by_nobody = replace(
        program(RouteOp(weight=20), WaitOp(who="managers"), *ramp(50), PromoteOp()), analysis=None
    )
    found = worst(plan(watched_by_nobody))
    assert found is not None
    assert (found.step, found.hit_ms) == (1, None)
    assert "until somebody notices" in text(plan(watched_by_nobody))


def test_evidence_takes_the_time_that_it_takes() -> None:
    only = plan(program(*ramp(10), PromoteOp(), main=analysis(no_regression())))
    both = plan(program(*ramp(10), PromoteOp(), main=analysis(SUCCESS, no_regression())))
    assert "at worst 10% of requests until the evidence is enough" in text(only)
    assert "at worst 10% of requests for 3m" in text(both)
    assert "evidence   `a condition` stops nothing until it has seen enough" in text(both)


def test_a_canary_out_of_sight_exposes_nobody() -> None:
    assert worst(plan(program(HoldOp(checks=5, analysis="main"), PromoteOp()))) is None


# --- load -------------------------------------------------------------------------------------------------------


def test_queries_and_calls_an_hour() -> None:
    main = analysis(SUCCESS, no_regression(), CallCheck("load_test"), GateCheck("signoff"), every_ms=30_000)
    (load,) = loads(plan(program(*ramp(10), PromoteOp(), main=main)))
    assert (load.queries, load.calls) == (2 * 2 * 120, 2 * 120), "bad and total of two arms, each half minute"


def test_the_simulator_asks_no_more_than_the_plan_says() -> None:
    calls = replace(CANARY, analyses={"main": analysis(SUCCESS, CallCheck("load_test"))})
    calls = replace(calls, webhooks={"load_test": Webhook("http://loadtester.test/")})
    (load,) = loads(plan(calls))
    assert load.calls == 60


# --- words ------------------------------------------------------------------------------------------------------


def test_the_table_and_its_json() -> None:
    found = plan(CANARY)
    shown = text(found)
    assert "step" in shown.splitlines()[2]
    assert "promotion  after 5m at the soonest, after 27m at the latest" in shown
    assert "exposure   at worst 50% of requests for 3m, as much as all requests for 1m30s (step 10)" in shown
    whole = json.loads(json.dumps(data(found)))
    assert whole["promotion"] == {"soonest_ms": 5 * MINUTE, "latest_ms": 27 * MINUTE}
    assert len(whole["steps"]) == 11
    assert whole["worst_exposure"]["step"] == 9


@pytest.mark.parametrize(
    ("milliseconds", "words"), [(0, "0s"), (1, "1ms"), (90_000, "1m30s"), (90_061_001, "1d1h1m1s1ms"), (-60_000, "-1m")]
)
def test_durations_are_written_as_the_language_writes_them(milliseconds: int, words: str) -> None:
    assert duration(milliseconds) == words


def test_a_canary_that_follows_its_traffic_is_waited_for_at_each_raise() -> None:
    found = plan(program(ScaleOp(match_traffic=True), *ramp(10, 20), PromoteOp()))
    assert found.promotion is not None
    assert found.promotion.latest == 5 * CANARY.deadline_ms + 2 * MINUTE + 2 * MINUTE
    assert found.steps[1].ended_by == ("canary not ready in time",)


def test_an_event_of_the_scenario_can_make_it_the_latest() -> None:
    """A primary that comes up only just in time is within the plan."""
    late = GivenEvent("primary not_ready", None, 0, 5 * MINUTE + CANARY.deadline_ms - 1000)
    story = simulate(CANARY, healthy(CANARY)._replace(givens=(late,)))
    assert isinstance(story, Story)
    assert story.outcome == "promoted"
    promotion = plan(CANARY).promotion
    assert promotion is not None
    assert (story.ended_ms or 0) <= (promotion.latest or 0)
