"""What a check promises is what the design measured: false alarms, and the requests until a regression is noticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dsl.compiler import compile_source
from dsl.ir import Analysis, Check, Program, PromoteOp, Unit
from dsl.source import Source
from interpreter.outlook.chances import Chances, Expected, Prospect, Share, chances, counted, leaves, service
from interpreter.plan import plan
from interpreter.questions import Answer, Events, MetricQuestion
from interpreter.simulator.chances import Outcome, Run, course, runs
from interpreter.simulator.crowd import START, Crowd, Requests, Sources, Traffic
from tests.interpreter.outlook.policies import policy

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FLAGGERS = "require success_rate >= 99%"
OURS = "require no_regression(requests)"


def looked(program: Program, rps: float, errors: float, number: int, latency: float = 0.1) -> Chances:
    return chances(program, service(program, Expected(rps, errors, latency, 3.2 * latency)), number=number)


def only(found: Chances) -> Prospect:
    assert len(found.checks) == 1
    return found.checks[0].prospect


def drawn(program: Program, rps: float, primary: float, canary: float, number: int) -> list[Run]:
    """Rollouts with these shares of errors."""

    def arm(bad: float) -> Sources:
        return {name: Requests(rps, bad) for name in counted(program)}

    return list(runs(course(program), Traffic(rps, arm(primary), arm(canary)), number, "a test"))


def ended(made: list[Run]) -> float:
    return sum(run.outcome is Outcome.ENDED for run in made) / len(made)


# --- the figures of the design (analysis.md A4, A6) ---------------------------------------------------------------


def test_the_usual_threshold_aborts_nearly_every_healthy_release_of_a_small_service() -> None:
    assert only(looked(policy(FLAGGERS), 10, 0.005, 150)).healthy.value >= 0.9


def test_no_regression_aborts_hardly_any() -> None:
    seen = drawn(policy(OURS, tolerate="1 failures"), 10, 0.005, 0.005, 90)
    assert ended(seen) <= 0.0124


def test_a_rise_below_the_threshold_is_seen_by_no_regression_and_next_to_never_by_the_threshold() -> None:
    """The design has 0.3% for the threshold, with windows of exactly 300 requests. Here requests come by chance, and a
    window of 299 needs one bad request less."""
    assert ended(drawn(policy(FLAGGERS), 100, 0.0, 0.005, 200)) <= 0.15
    assert ended(drawn(policy(OURS), 100, 0.0, 0.005, 200)) >= 0.99


def test_so_many_requests_until_one_percent_that_became_two_is_noticed() -> None:
    made = drawn(policy(OURS, tolerate="1 failures"), 10, 0.01, 0.02, 120)
    requests = sorted(run.requests for run in made)
    assert ended(made) >= 0.99
    assert 1_400 <= requests[60] <= 2_000
    assert 3_000 <= requests[108] <= 4_500


def test_a_shift_of_all_latencies_by_a_tenth_is_noticed() -> None:
    seen = only(looked(policy("require no_slower(duration)", tolerate="1 failures"), 10, 0.01, 20)).slower
    assert seen is not None
    assert seen.half is not None
    assert seen.share.value >= 0.95
    assert seen.half.requests <= 2_100


# --- what is worked out -------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    program = policy(FLAGGERS, steps="ramp 10% to 50% by 10%")
    expected = service(program, Expected(10, 0.005, 0.1, 0.32))
    first, again = (chances(program, expected, number=200) for _ in range(2))
    assert first == again
    other = chances(program, expected, number=200, seed=5)
    assert other.checks != first.checks


def test_a_check_tells_only_what_it_looks_at() -> None:
    found = looked(
        policy("require success_rate >= 95%; require latency(0.99) <= 500ms", steps="shift to 50% for 3m"),
        50,
        0.001,
        20,
    )
    errors, latency = (one.prospect for one in found.checks)
    assert errors.errors is not None
    assert errors.slower is None
    assert latency.errors is None
    assert latency.slower is not None
    assert found.whole is not None
    assert found.whole.errors is not None
    assert found.whole.slower is not None


def test_one_check_among_several_is_judged_as_if_alone() -> None:
    """The hopeless one beside it takes nothing from its figures, and all of them together are hopeless."""
    steps = "ramp 10% to 50% by 10% every 3m"
    alone = looked(policy("require success_rate >= 90%", steps=steps), 100, 0.01, 60)
    both = looked(policy("require success_rate >= 90%; require success_rate >= 99.9%", steps=steps), 100, 0.01, 60)
    assert both.checks[0].prospect == alone.checks[0].prospect
    assert both.checks[1].prospect.healthy.value == 1
    assert both.whole is not None
    assert both.whole.healthy.value == 1


def test_the_budget_of_a_check_alone_is_the_one_that_it_has_in_the_policy() -> None:
    """Each of five sharers needs more evidence than one that has the whole budget: it notices later."""
    steps = "shift to 50% for 10m"
    many = "; ".join(f"require meets(requests, {objective}%)" for objective in (20, 30, 40, 45))
    rich = only(looked(policy(OURS, tolerate="1 failures", steps=steps), 100, 0.05, 12)).errors
    poor = (
        looked(policy(f"{OURS}; {many}", tolerate="1 failures", steps=steps), 100, 0.05, 12).checks[0].prospect.errors
    )
    assert rich is not None
    assert rich.half is not None
    assert poor is not None
    assert poor.half is not None
    assert poor.half.requests > rich.half.requests


@pytest.mark.parametrize(
    ("tolerate", "bad", "least", "most"),
    [
        ("4 failures", 0.5, 0.6, 1.0),
        ("4 consecutive failures", 0.5, 0.0, 0.1),
        ("4 failures in 5", 0.5, 0.0, 0.2),
        ("4 consecutive failures", 3.0, 0.9, 1.0),
        ("4 failures in 5", 2.0, 0.9, 1.0),
    ],
)
def test_failures_are_counted_as_the_policy_tolerates_them(
    tolerate: str, bad: float, least: float, most: float
) -> None:
    """With half a bad request a minute one look in eleven fails: four in an hour are usual, four in a row are not."""
    program = policy("require requests.bad <= 1", tolerate=tolerate, steps="shift to 50% for 1h")
    share = only(looked(program, 1, bad / 30, 40)).healthy.value
    assert least <= share <= most


def test_checks_of_plain_numbers_are_left_out_or_stand_at_a_healthy_value() -> None:
    metrics = 'metric queue returns count { prometheus "queue" }'
    checks = "require queue <= 100; require success_rate >= 95% or queue <= 5; require success_rate >= 95%"
    found = looked(policy(checks, metrics=metrics, steps="shift to 50% for 3m"), 50, 0.001, 10)
    assert found.left_out == ("queue <= 100",)
    assert [one.check.text for one in found.checks] == ["success_rate >= 95% or queue <= 5", "success_rate >= 95%"]
    assert any("`queue`" in taken for taken in found.assumptions)


def test_what_is_only_observed_is_not_asked_what_it_promises() -> None:
    found = looked(
        policy("require success_rate >= 95%; observe latency(0.5) <= 1ms", steps="shift to 50% for 2m"), 50, 0, 10
    )
    assert [one.check.text for one in found.checks] == ["success_rate >= 95%"]


def test_a_canary_that_gets_copies_or_matching_requests_is_judged_by_them() -> None:
    for steps in ("mirror 10% for 10m", 'route to canary when header "x" == "1"; hold 10m'):
        (seen,) = {one.prospect for one in looked(policy(FLAGGERS, steps=steps), 100, 0.0, 10).checks}
        assert seen.promoted is not None
        assert seen.promoted.requests == pytest.approx(100 * 0.1 * 600)


def test_an_unlucky_hold_takes_longer_and_a_look_without_requests_has_no_data() -> None:
    """A hold of ten checks is over when ten have passed, and its time when nothing but passing checks has filled it."""
    program = policy(FLAGGERS, tolerate="1000 failures", steps="shift to 1% for 10m30s")
    made = drawn(program, 1, 0.0, 0.0, 40)
    assert all(run.looks - run.blank == 10 for run in made)
    assert all(run.ms == run.looks * 60_000 + 30_000 for run in made)
    assert sum(run.blank for run in made) > 0.3 * sum(run.looks for run in made)


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.rollout")), ids=lambda path: path.stem)
def test_rollouts_that_nothing_holds_up_keep_the_soonest_times_of_the_plan(example: Path) -> None:
    """With so many requests, none of them bad or slow, that each check passes."""
    for found in compile_source(Source(str(example), example.read_text()), lint=False).rollouts:
        program = replace(found.program, analyses=without_plain_numbers(found.program))
        soonest = [
            step.starts.soonest for step in plan(program).steps if isinstance(program.code[step.place], PromoteOp)
        ]
        seen = looked(program, 1_000, 0.0, 10, latency=0.02)
        assert seen.whole is not None
        assert seen.whole.promoted is not None
        assert [seen.whole.promoted.ms] == soonest


def without_plain_numbers(program: Program) -> Mapping[str, Analysis]:
    """The analyses with the checks that count requests or latencies."""
    known = counted(program)
    return {
        name: replace(
            analysis,
            checks=tuple(
                check
                for check in analysis.checks
                if isinstance(check, Check) and any(leaf in known for leaf in leaves(program, check))
            ),
        )
        for name, analysis in program.analyses.items()
    }


def test_mounting_evidence_holds_the_next_raise() -> None:
    """Two looks are planned, and none fails without ending the rollout."""
    program = policy(OURS, tolerate="1 failures", steps="shift to 5% for 1m; shift to 50% for 1m")
    assert any(run.looks > 2 for run in drawn(program, 100, 0.01, 0.02, 40))


def test_what_gets_nowhere_is_given_up() -> None:
    program = policy("require certified(requests, 99.9%)", steps="shift to 1% for 2m")
    seen = only(looked(program, 1, 0.0, 4))
    assert seen.held == Share(4, 4)
    assert seen.promoted is None


def test_bursts_are_measured_on_windows_before_the_rollout(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dispersion: auto` asks for the primary's past once a rollout; it was healthy and had all of the traffic."""
    program = policy("require no_regression(requests, dispersion: auto)", steps="shift to 5% for 2m")
    earlier: list[Answer] = []
    answer = Crowd.answer

    def listening(crowd: Crowd, question: MetricQuestion) -> Answer:
        found = answer(crowd, question)
        if question.at_ms <= START:
            earlier.append(found)
        return found

    monkeypatch.setattr(Crowd, "answer", listening)
    drawn(program, 100, 0.001, 0.001, 3)
    assert len(earlier) == 3 * 30
    assert all(isinstance(each, Events) and 5_000 < each.total < 7_000 for each in earlier)


def test_the_interval_of_a_share_holds_the_truth() -> None:
    """Wilson's interval at 95%: values from his formula."""
    assert Share(0, 100).interval == pytest.approx((0, 0.0370), abs=1e-4)
    assert Share(50, 100).interval == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert Share(100, 100).interval == pytest.approx((0.9630, 1), abs=1e-4)


def test_metrics_of_counts_are_found_behind_derived_ones() -> None:
    program = policy("require success_rate >= 99%; require latency(0.99) <= 1s")
    assert {program.metrics[name].unit for name in counted(program)} == {Unit.EVENTS, Unit.HISTOGRAM}
