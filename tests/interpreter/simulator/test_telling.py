"""A timeline says what happened, when, at which weight, with the values seen, in the same bytes every time."""

from __future__ import annotations

import json
from dataclasses import replace

from dsl import ir
from dsl.ir import GivenEvent, GivenMetric, Measure, PromoteOp, Span, WaitOp
from interpreter.simulator.scenario import Scenario, healthy
from interpreter.simulator.simulation import simulate
from interpreter.simulator.telling import around, bar, data, text
from interpreter.simulator.timeline import Story
from interpreter.simulator.verdict import run_test
from tests.interpreter.simulator.programs import CANARY, CAREFUL, MINUTE, measure, program, ramp

RAMP = Span("canary.rollout", 9, 5, 9, 30, "ramp 10% to 50% by 10%")
WRITTEN = replace(CANARY, spans=(*[RAMP] * 10, Span("canary.rollout", 10, 5, 10, 12, "promote")))
PLACE = Span("canary.rollout", 20, 3, 20, 30, "")


def story(found: ir.Program, *givens: GivenMetric | GivenEvent) -> Story:
    told = simulate(found, healthy(found)._replace(givens=givens))
    assert isinstance(told, Story)
    return told


def breach(after_ms: int) -> GivenMetric:
    return GivenMetric(measure("success_rate"), 0.8, after_ms)


def case(
    *expectations: ir.ExpectOutcome | ir.ExpectBound, givens: tuple[GivenMetric | GivenEvent, ...] = ()
) -> ir.TestCase:
    return ir.TestCase("a test", "checkout", givens, expectations, PLACE)


def outcome(what: str, within_ms: int | None = None) -> ir.ExpectOutcome:
    return ir.ExpectOutcome(what, within_ms, f"expect {what}", PLACE)  # type: ignore[arg-type]


def bound(subject: str, cmp: str, value: float) -> ir.ExpectBound:
    return ir.ExpectBound(subject, cmp, value, f"expect {subject} {cmp} {value:g}", PLACE)  # type: ignore[arg-type]


def instead(found: ir.Program, test: ir.TestCase) -> list[str]:
    return [failure.instead for failure in run_test(found, test).failures]


def test_a_story_from_its_beginning_to_its_end() -> None:
    shown = text(story(WRITTEN, breach(90_000))).splitlines()
    assert shown[:13] == [
        "checkout in shop: healthy, from Mon 10:00 UTC",
        "chosen: requests.rate = 0.05%",
        "",
        "   0s  ··········    0%  * new revision",
        "   0s  ··········    0%    v2: the rollout begins",
        "  20s  ··········    0%    the canary runs v2 and is ready",
        "  20s  █·········   10%  > 1/11 ramp 10% to 50% by 10%",
        "1m20s  █·········   10%  ✓ check passes: success_rate 99.95%",
        "1m20s  ██········   20%  > 3/11 ramp 10% to 50% by 10%",
        "1m30s  ██········   20%  * success_rate = 80%",
        "2m20s  ██········   20%  ✗ check fails: `success_rate >= 99%`: success_rate is 80%",
        "3m20s  ██········   20%  ✗ check fails: `success_rate >= 99%`: success_rate is 80%",
        "4m20s  ██········   20%  ✗ check fails: `success_rate >= 99%`: success_rate is 80%",
    ]
    assert shown[13].startswith("4m20s  ··········    0%  ! rolled back v2: 3 failed checks")


def test_the_check_that_decided_is_drawn_at_the_end() -> None:
    shown = text(story(WRITTEN, breach(90_000)))
    picture = shown[shown.index("\ncheck fails at step 4 of 11, 4m20s into the rollout, canary at 20%") :].splitlines()
    assert [line.strip() for line in picture[2:5]] == ["success_rate >= 99%", "|", "80%"]


def test_a_promotion_ends_with_its_time_and_no_picture() -> None:
    assert text(story(WRITTEN)).endswith("\n\npromoted after 5m40s\n")


def test_passing_checks_of_one_step_are_one_line() -> None:
    held = program(*ramp(10, checks=5), PromoteOp())
    assert "1m20s  █·········   10%  ✓ check passes (5 checks, to 5m20s): success_rate 99.95%" in text(story(held))


def test_checks_that_could_not_be_made_are_one_line_too() -> None:
    shown = text(story(WRITTEN, GivenEvent("provider_down", None, 30_000, 2 * MINUTE)))
    assert "1m20s  █·········   10%  ? check could not be made (2 checks, to 2m20s): `success_rate >= 99%`: " in shown


def test_every_event_of_a_scenario_is_announced() -> None:
    givens = (
        GivenEvent("provider_down", None, 30_000, 10_000),
        GivenEvent("webhook refuses", "load_test", 31_000),
        GivenEvent("gate closes", "signoff", 32_000),
        GivenEvent("no_data", "duration", 33_000),
        GivenEvent("canary not_ready", None, 34_000),
        GivenMetric(Measure("cache_hits", ir.Arm.PRIMARY, 0), None, 35_000),
        GivenEvent("interpreter_restart", None, 36_000),
        GivenEvent("new_revision", None, 37_000),
    )
    shown = text(story(CANARY, *givens))
    for words in (
        "30s  █·········   10%  * the metric provider is down",
        "31s  █·········   10%  * webhook `load_test` refuses",
        "32s  █·········   10%  * gate `signoff` shuts",
        "33s  █·········   10%  * no data of `duration`",
        "34s  █·········   10%  * the canary is not ready",
        "35s  █·········   10%  * no data of `cache_hits of primary`",
        "36s  █·········   10%  * the interpreter restarts",
        "* new revision v3",
    ):
        assert words in shown


def test_a_bar_shows_any_share_at_all() -> None:
    assert [bar(weight) for weight in (0, 0.5, 50, 100)] == ["·" * 10, "█" + "·" * 9, "█" * 5 + "·" * 5, "█" * 10]


def test_json_has_every_check_by_itself() -> None:
    whole = json.loads(json.dumps(data(story(WRITTEN, breach(90_000)))))
    assert (whole["outcome"], whole["weights"], whole["ended_ms"]) == ("rolled_back", [0, 10, 20, 0], 260_000)
    checks = [moment for moment in whole["timeline"] if moment["kind"] == "check"]
    assert [check["text"] for check in checks] == ["pass", "fail", "fail", "fail"]
    assert checks[1]["results"][0]["values"] == {"success_rate": "80%"}


def test_the_timeline_around_a_moment() -> None:
    whole = story(WRITTEN, breach(90_000))
    shown = around(whole, 60_000, many=4)
    assert shown[0].endswith("v2: the rollout begins") or shown[0] == "…"
    assert any("ramp" in line for line in shown)
    assert len([line for line in shown if "%  " in line]) == 4


# --- expectations -----------------------------------------------------------------------------------------------


def test_expectations_that_hold() -> None:
    good = case(outcome("promoted", 6 * MINUTE), bound("traffic", "<=", 50), bound("failed_checks", "==", 0))
    assert run_test(WRITTEN, good).passed
    bad = case(outcome("rolled_back", 5 * MINUTE), bound("traffic", "<=", 20), givens=(breach(90_000),))
    assert run_test(WRITTEN, bad).passed


def test_an_expectation_that_does_not_hold_says_what_happened_instead() -> None:
    assert instead(WRITTEN, case(outcome("rolled_back"))) == ["it was promoted after 5m40s"]
    assert instead(WRITTEN, case(outcome("promoted", 5 * MINUTE))) == ["it was promoted, but only after 5m40s"]
    (late,) = instead(WRITTEN, case(outcome("promoted"), givens=(breach(0),)))
    assert late.startswith("it was rolled back after 3m20s: 3 failed checks")


def test_bounds_hold_at_every_moment() -> None:
    assert instead(WRITTEN, case(bound("traffic", "<=", 30))) == ["traffic was 40% at 3m20s"]
    tolerated = (GivenMetric(measure("success_rate"), 0.8, 90_000, MINUTE),)
    assert instead(WRITTEN, case(bound("failed_checks", "==", 0), givens=tolerated)) == ["failed_checks was 1 at 2m20s"]
    assert instead(WRITTEN, case(bound("mirror", ">", 0))) == ["mirror was 0% at 0s"]


def test_waiting_is_an_end_or_a_moment() -> None:
    endless = program(*ramp(10), WaitOp(who="managers"), PromoteOp())
    assert run_test(endless, case(outcome("waiting"))).passed
    assert run_test(endless, case(outcome("waiting", 2 * MINUTE))).passed
    assert instead(endless, case(outcome("waiting", MINUTE))) == ["it came to wait only after 1m20s"]
    assert run_test(CAREFUL, case(outcome("waiting", 5 * MINUTE), outcome("rolled_back"))).passed
    assert not run_test(CAREFUL, case(outcome("waiting"))).passed
    assert instead(endless, case(outcome("promoted"))) == [
        "it was waiting since 1m20s: waiting for approval from managers"
    ]


def test_a_scenario_that_cannot_be_is_a_failure_with_a_reason() -> None:
    impossible = case(outcome("promoted"), givens=(GivenMetric(measure("success_rate"), 1.5),))
    tested = run_test(WRITTEN, impossible)
    assert tested.story is None
    assert tested.failures[0].instead == "`success_rate` cannot be 150%: it goes from 0% to 100%"


def test_nothing_is_approved_in_a_test_that_does_not_say_so() -> None:
    assert isinstance(told := simulate(CAREFUL, Scenario()), Story)
    assert told.outcome == "rolled_back"
