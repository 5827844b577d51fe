"""Scenarios end as they must: healthy ones promoted, bad ones rolled back, and a killed interpreter changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsl.ir import (
    CallCheck,
    Const,
    GateCheck,
    GivenEvent,
    GivenMetric,
    Guardrail,
    HoldOp,
    NoData,
    PauseOp,
    Program,
    PromoteOp,
    RollbackOp,
    RouteOp,
    ScaleOp,
    WaitOp,
    Window,
)
from interpreter.simulator.scenario import Scenario, healthy, start_of, usual_start
from interpreter.simulator.simulation import simulate
from interpreter.simulator.timeline import Story
from interpreter.windows import is_open
from tests.interpreter.simulator.programs import (
    CANARY,
    CAREFUL,
    METRICS,
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


def run(found: Program, *givens: GivenMetric | GivenEvent, **more: object) -> Story:
    story = simulate(found, healthy(found)._replace(givens=givens, **more))  # type: ignore[arg-type]
    assert isinstance(story, Story), story
    return story


def event(what: str, after_ms: int = 0, subject: str | None = None, lasting_ms: int | None = None) -> GivenEvent:
    return GivenEvent(what, subject, after_ms, lasting_ms)


def failing(after_ms: int = 0, lasting_ms: int | None = None) -> GivenMetric:
    return GivenMetric(measure("success_rate"), 0.8, after_ms, lasting_ms)


def test_a_healthy_canary_is_promoted_through_its_weights() -> None:
    story = run(CANARY)
    assert story.outcome == "promoted"
    assert story.weights == (0, 10, 20, 30, 40, 50, 0)
    assert story.ended_ms == 20_000 + 5 * MINUTE + 20_000, "ready, five checks, and the primary ready again"


def test_a_breach_is_rolled_back_after_the_tolerated_checks() -> None:
    story = run(CANARY, failing(after_ms=2 * MINUTE))
    assert story.outcome == "rolled_back"
    assert story.ended_ms == 20_000 + 4 * MINUTE
    assert max(story.weights) == 20


def test_a_breach_that_passes_is_tolerated() -> None:
    story = run(CANARY, failing(2 * MINUTE, lasting_ms=MINUTE))
    assert story.outcome == "promoted"
    assert story.state.run is not None
    assert story.state.run.failed_checks == 1


def test_statistical_checks_pass_while_the_arms_are_alike_and_see_a_regression() -> None:
    found = program(*ramp(10, 50, checks=5), PromoteOp(), main=analysis(no_regression()))
    assert run(found).outcome == "promoted"
    assert run(found, failing(MINUTE)).outcome == "rolled_back"


def test_no_data_and_a_silent_provider_stop_the_rollout() -> None:
    assert run(CANARY, event("no_data", MINUTE)).outcome == "rolled_back"
    assert run(CANARY, event("no_data", MINUTE, "requests")).outcome == "rolled_back"
    assert run(CANARY, event("provider_down", MINUTE)).outcome == "rolled_back"
    assert run(CANARY, event("provider_down", MINUTE, lasting_ms=2 * MINUTE)).outcome == "promoted"


def test_one_metric_without_data_leaves_the_others() -> None:
    assert run(CANARY, event("no_data", MINUTE, "duration")).outcome == "promoted"


def test_a_metric_that_waits_for_data_for_ever_is_told_to_run_still() -> None:
    patient = replace(CANARY, metrics={**METRICS, "requests": replace(METRICS["requests"], no_data=NoData.HOLD)})
    assert run(patient, event("no_data", MINUTE)).outcome == "running"


def test_a_webhook_that_refuses() -> None:
    assert run(CAREFUL, event("webhook refuses", 0, "load_test")).outcome == "rolled_back"
    assert run(CAREFUL, event("webhook refuses", 0, "another")).outcome == "promoted"
    at_checks = program(*ramp(10), PromoteOp(), main=analysis(SUCCESS, CallCheck("load_test")))
    assert run(at_checks, event("webhook refuses", 0, "load_test")).outcome == "rolled_back"


def test_approval_comes_when_it_is_said_to() -> None:
    silent = Scenario(start_ms=usual_start(CAREFUL))
    assert isinstance(story := simulate(CAREFUL, silent), Story)
    assert story.outcome == "rolled_back"
    assert "no approval" in story.reason
    approved = simulate(CAREFUL, silent._replace(givens=(event("approval", 30 * MINUTE),)))
    assert isinstance(approved, Story)
    assert approved.outcome == "promoted"
    assert approved.ended_ms is not None
    assert 30 * MINUTE < approved.ended_ms < 33 * MINUTE


def test_an_approval_of_an_older_revision_does_not_count() -> None:
    story = run(CAREFUL, event("approval", MINUTE), event("new_revision", 2 * MINUTE), approve_after_ms=None)
    assert story.outcome == "rolled_back"
    assert any(moment.text.startswith("ignored `approve` for revision v2") for moment in story.moments)


def test_without_approval_or_limit_it_waits() -> None:
    found = program(WaitOp(who="release managers"), *ramp(10), PromoteOp())
    story = run(found, approve_after_ms=None)
    assert story.outcome == "waiting"
    assert story.passes < 100, "nothing polls"


def test_gates() -> None:
    found = program(WaitOp(gate="signoff", within_ms=HOUR), *ramp(10), PromoteOp())
    assert run(found).outcome == "promoted"
    assert run(found, event("gate closes", 0, "signoff")).outcome == "rolled_back"
    late = run(found, event("gate opens", 30 * MINUTE, "signoff"))
    assert late.outcome == "promoted"
    assert late.ended_ms is not None
    assert late.ended_ms > 30 * MINUTE, "it was shut before it opened"
    shut_again = run(found, event("gate opens", 30 * MINUTE, "signoff", lasting_ms=MINUTE))
    assert shut_again.outcome == "promoted"


def test_a_shut_gate_without_limit_is_waited_for_without_a_million_questions() -> None:
    found = program(WaitOp(gate="signoff"), *ramp(10), PromoteOp())
    story = run(found, event("gate closes", 0, "signoff"))
    assert story.outcome == "waiting"
    assert story.passes < 1000


def test_a_gate_that_aborts_is_shut_until_somebody_opens_it() -> None:
    found = program(*ramp(10, 20), PromoteOp(), main=analysis(SUCCESS, GateCheck("signoff")))
    assert run(found).outcome == "promoted"
    assert run(found, event("gate opens", MINUTE, "signoff")).outcome == "rolled_back"


def test_abort_and_not_ready() -> None:
    assert run(CANARY, event("abort", 2 * MINUTE)).ended_ms == 2 * MINUTE
    never = run(CANARY, event("canary not_ready"))
    assert (never.outcome, never.weights) == ("rolled_back", (0,))
    assert never.ended_ms == CANARY.deadline_ms
    slow = run(CANARY, event("canary not_ready", lasting_ms=5 * MINUTE))
    assert slow.outcome == "promoted"


def test_a_primary_that_does_not_come_up_leaves_the_traffic_on_the_canary() -> None:
    story = run(CANARY, event("primary not_ready", MINUTE))
    assert story.outcome == "promotion_failed"
    assert story.weights[-1] == 100


def test_a_new_revision_starts_again_from_the_first_step() -> None:
    story = run(CANARY, event("new_revision", 3 * MINUTE))
    assert story.outcome == "promoted"
    assert story.weights == (0, 10, 20, 30, 0, 10, 20, 30, 40, 50, 0)
    assert story.state.primary == "v3"


def test_a_policy_may_end_in_a_rollback() -> None:
    assert run(program(*ramp(10), RollbackOp("only a trial"))).outcome == "rolled_back"


def test_windows_are_open_at_the_start_that_is_chosen() -> None:
    office = Window((0, 1, 2, 3, 4), 9 * 60, 16 * 60 + 30, "Europe/Berlin")
    night = Window((0, 1, 2, 3, 4, 5, 6), 15 * 60, 5 * 60, "Europe/Berlin")
    found = replace(CANARY, windows={"office": office, "night": night}, only_in=("office",))
    start = usual_start(found)
    assert is_open(office, start)
    assert is_open(night, start)
    apart = replace(found, windows={"office": office, "night": replace(night, start=20 * 60, stop=5 * 60)})
    assert is_open(office, usual_start(apart)), "the window that rules the start decides"


def test_a_start_outside_the_window_waits_for_it() -> None:
    office = Window((0, 1, 2, 3, 4), 9 * 60, 16 * 60, "Europe/Berlin")
    found = replace(CANARY, windows={"office": office}, only_in=("office",))
    story = run(found, start_ms=start_of("sat 03:00", found))
    assert story.outcome == "promoted"
    assert story.ended_ms is not None
    assert story.ended_ms > 54 * HOUR
    assert run(replace(CANARY, windows={"w": office}, code=(PauseOp(window="w"), *CANARY.code))).outcome == "promoted"


@pytest.mark.parametrize("text", ["sat 03:00", "Saturday 03:00", "2024-01-06T03:00", "2024-01-06 03:00"])
def test_a_start_may_be_written_in_several_ways(text: str) -> None:
    assert start_of(text, CANARY) == 1_704_510_000_000


@pytest.mark.parametrize("text", ["", "soon", "sat", "sat 25:00", "someday 10:00"])
def test_a_start_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any will do: the command says it in its own words
        start_of(text, CANARY)


def test_guardrails_that_want_an_approval_get_one() -> None:
    found = replace(CANARY, guardrails={"production": Guardrail(approval_before_promote=True)})
    assert run(found).outcome == "promoted"
    assert run(found, approve_after_ms=None).outcome == "waiting"


# --- restarts and crashes ---------------------------------------------------------------------------------------

FULL = program(
    ScaleOp(share=25),
    RouteOp(mirror=20),
    HoldOp(checks=1, analysis="main"),
    RouteOp(mirror=0),
    *ramp(10, 40),
    WaitOp(who="somebody"),
    PromoteOp(20, MINUTE),
    main=analysis(SUCCESS, CallCheck("load_test"), no_regression(), tolerate=2),
)


def test_more_canaries_take_their_time_to_come_up() -> None:
    scaled = replace(CANARY, code=(ScaleOp(share=25), *CANARY.code))
    assert (run(scaled).ended_ms or 0) - (run(CANARY).ended_ms or 0) == 20_000


def test_an_announced_restart_changes_nothing() -> None:
    whole = run(FULL)
    for at in range(0, 7 * MINUTE, 30_000):
        story = run(FULL, event("interpreter_restart", at))
        assert (story.outcome, story.weights) == ("promoted", whole.weights)


@pytest.mark.parametrize("givens", [(), (failing(2 * MINUTE),), (event("new_revision", 2 * MINUTE),)])
def test_a_crash_behind_any_effect_changes_neither_weights_nor_end(
    givens: tuple[GivenMetric | GivenEvent, ...],
) -> None:
    """A webhook may be called again, with the same key; no call is lost."""
    whole = run(FULL, *givens)
    assert len(set(whole.calls)) == len(whole.calls)
    repeated = 0
    for crash_after in range(1, whole.effects + 1):
        story = simulate(FULL, whole.scenario, crash_after=crash_after)
        assert isinstance(story, Story)
        assert (story.outcome, story.weights, story.ended_ms) == (whole.outcome, whole.weights, whole.ended_ms)
        assert set(story.calls) == set(whole.calls)
        repeated += len(story.calls) - len(whole.calls)
    assert 0 < repeated <= len(whole.calls) * 2


def test_a_crash_while_answers_are_out_only_costs_time() -> None:
    whole = run(FULL, failing(2 * MINUTE), answer_delay_ms=3_000)
    for crash_after in range(1, whole.effects + 1):
        story = simulate(FULL, whole.scenario, crash_after=crash_after)
        assert isinstance(story, Story)
        assert (story.outcome, story.weights) == (whole.outcome, whole.weights)
        assert 0 <= (story.ended_ms or 0) - (whole.ended_ms or 0) <= 3_000


def test_answers_that_take_their_time_are_waited_for() -> None:
    slow = run(CANARY, answer_delay_ms=5_000)
    assert slow.outcome == "promoted"
    assert slow.ended_ms is not None
    assert slow.ended_ms > (run(CANARY).ended_ms or 0)


def test_a_contradiction_in_the_scenario_is_said() -> None:
    problem = simulate(CANARY, Scenario(givens=(GivenMetric(measure("success_rate"), 3.0),)))
    assert not isinstance(problem, Story)
    assert "cannot be 300%" in problem.text


def test_values_chosen_for_what_nobody_stated_are_told() -> None:
    found = program(*ramp(10), PromoteOp(), main=analysis(SUCCESS, require(measure("queue_depth"), "<=", Const(100))))
    assert [tuple(each) for each in run(found).chosen] == [("requests.rate", "0.05%"), ("queue_depth", "50")]
    stated = run(found, GivenMetric(measure("queue_depth"), 3.0))
    assert [each.what for each in stated.chosen] == ["requests.rate"]
