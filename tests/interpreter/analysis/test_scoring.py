"""Protects what a judgement comes to: which score passes, what condemns, what waits, and what people are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from dsl.ir import Arm, Check, Judgement, JudgementGroup, Metric, NoData, Program, Statistical, Unit
from interpreter.analysis import judge
from interpreter.analysis.statistical import tests_in as metrics_in
from interpreter.desired import Routing
from interpreter.questions import Answer, ErrorAnswer, NoDataAnswer, Value
from interpreter.state import CheckResult, Verdict
from tests.interpreter.analysis.checks import MINUTE, NO_REGRESSION, looks, measure, observe, program, require

PASS, FAIL, ABORT = Verdict.PASS, Verdict.FAIL, Verdict.ABORT
ERROR, INCONCLUSIVE = Verdict.ERROR, Verdict.INCONCLUSIVE
HALF = Routing(weight=50)
NOTHING, BROKEN = NoDataAnswer("nothing there"), ErrorAnswer("no route")
TENS = (10.0, 11.0, 12.0, 13.0, 14.0)
TWICE = tuple(2 * point for point in TENS)

Series = tuple[float | Answer, ...]
Given = Mapping[str, tuple[Series, Series]]


def kayenta(metric: str, points: float = 5, options: Mapping[str, str] | None = None) -> Statistical:
    words = {"direction": "increase", **(options or {})}
    return Statistical("kayenta", metric, MINUTE, Arm.PRIMARY, {"min_points": points}, words, measure(metric))


def group(name: str, *tests: Statistical, weight: float | None = None) -> JudgementGroup:
    return JudgementGroup(name, tests, weight)


def alone(name: str, **options: str) -> JudgementGroup:
    return group(name, kayenta(name, options=options))


def policy(*checks: Check) -> Program:
    found = program(*checks)
    more = {name: Metric(Unit.COUNT, no_data=NoData.FAIL) for name in ("a", "b", "c", "d")}
    return replace(found, metrics={**found.metrics, **more})


def answered(point: float | Answer) -> Answer:
    return Value(point) if isinstance(point, float) else point


def judgements(checks: tuple[Check, ...], given: Given) -> list[judge.Judgement]:
    """One look a minute at these series, the canary's and the primary's; the evidence goes through JSON in between."""
    ticks = len(next(iter(given.values()))[0])
    answers: list[Mapping[tuple[str, str] | str, Answer]] = [
        {
            (metric, arm): answered(series[tick])
            for metric, both in given.items()
            for arm, series in zip(("canary", "primary"), both, strict=True)
        }
        for tick in range(ticks)
    ]
    return list(looks(policy(*checks), iter(answers), HALF))


def last(judgement: Judgement, **given: tuple[Series, Series]) -> tuple[Verdict, CheckResult]:
    *_, found = judgements((require(judgement),), given)
    return found.verdict, found.results[0]


HEALTHY, SICK = (TENS, TENS), (TWICE, TENS)


# --- the score --------------------------------------------------------------------------------------------------


def test_a_healthy_canary_passes_and_every_number_is_shown() -> None:
    judgement = Judgement((group("g", kayenta("a"), kayenta("b"), weight=60), alone("c")))
    verdict, result = last(judgement, a=HEALTHY, b=HEALTHY, c=HEALTHY)
    assert verdict is PASS
    assert dict(result.values) == {
        "score": "100", "g": "100 at weight 60", "a": "pass", "b": "pass", "c": "pass at weight 40",
    }  # fmt: skip
    assert result.detail == "the score is 100, and 95 passes"


def test_below_marginal_it_fails_and_names_what_made_it_so() -> None:
    judgement = Judgement((group("g", kayenta("a"), kayenta("b"), weight=60), alone("c")))
    verdict, result = last(judgement, a=SICK, b=HEALTHY, c=HEALTHY)
    assert verdict is FAIL
    assert dict(result.values)["score"] == "70"
    assert dict(result.values)["g"] == "50 at weight 60"
    assert result.detail == "the score is 70, less than 75; `a`: high, 2 times the other arm's mean"


@pytest.mark.parametrize(
    ("passing", "marginal", "expected"),
    [
        (95.0, 75.0, FAIL),
        (95.0, 70.0, INCONCLUSIVE),
        (70.0, 70.0, PASS),
        (70.01, 70.0, INCONCLUSIVE),
        (95.0, 70.01, FAIL),
    ],
)
def test_both_marks_are_inclusive(passing: float, marginal: float, expected: Verdict) -> None:
    groups = (group("g", kayenta("a"), kayenta("b"), weight=60), alone("c"))
    verdict, result = last(Judgement(groups, passing, marginal), a=SICK, b=HEALTHY, c=HEALTHY)
    assert verdict is result.verdict is expected
    assert "the score is 70" in result.detail
    assert ("marginal" in result.detail) is (expected is INCONCLUSIVE)


def test_groups_without_a_weight_share_what_is_left() -> None:
    judgement = Judgement((alone("a"), alone("b"), group("g", kayenta("c"), weight=50)))
    _, result = last(judgement, a=SICK, b=HEALTHY, c=HEALTHY)
    assert dict(result.values)["score"] == "75"
    assert dict(result.values)["a"] == "high at weight 25"


def test_what_is_muted_is_shown_and_not_scored() -> None:
    judgement = Judgement((alone("a"), alone("b", muted="true", critical="true")))
    verdict, result = last(judgement, a=HEALTHY, b=SICK)
    assert verdict is PASS
    assert result.values == (("score", "100"), ("a", "pass at weight 100"), ("b", "high and critical (muted)"))


@pytest.mark.parametrize("answer", [NOTHING, BROKEN])
def test_what_is_muted_may_be_silent_or_broken(answer: Answer) -> None:
    judgement = Judgement((alone("a"), alone("b", muted="true")))
    verdict, result = last(judgement, a=HEALTHY, b=((answer,) * 5, TENS))
    assert verdict is PASS
    assert dict(result.values)["b"] == f"{'no data' if answer is NOTHING else '`b`: no route'} (muted)"


# --- what condemns ----------------------------------------------------------------------------------------------


def test_a_critical_metric_condemns_whatever_the_others_are() -> None:
    judgement = Judgement(
        (group("g", *(kayenta(name) for name in "abc"), kayenta("d", options={"critical": "true"})),), 10, 5
    )
    verdict, result = last(judgement, a=HEALTHY, b=HEALTHY, c=HEALTHY, d=SICK)
    assert verdict is ABORT
    assert dict(result.values)["score"] == "0"
    assert result.detail == "a critical metric did not pass: `d`: high, 2 times the other arm's mean"


def test_a_critical_metric_does_not_wait_for_others_that_have_too_few_points() -> None:
    slow = group("slow", kayenta("b", points=50))
    verdict, result = last(Judgement((alone("a", critical="true"), slow)), a=SICK, b=HEALTHY)
    assert verdict is ABORT
    assert "a critical metric did not pass: `a`" in result.detail
    assert "score" not in dict(result.values)


def test_a_critical_metric_that_passes_condemns_nothing() -> None:
    judgement = Judgement((group("g", kayenta("a", options={"critical": "true"}), kayenta("b")),))
    assert last(judgement, a=HEALTHY, b=SICK)[0] is FAIL


def test_an_observed_judgement_has_no_effect() -> None:
    judgement = Judgement((alone("a", critical="true"),))
    *_, found = judgements((observe(judgement),), {"a": SICK})
    assert (found.verdict, found.results[0].verdict) == (PASS, ABORT)


# --- what waits -------------------------------------------------------------------------------------------------


def test_too_few_points_wait_and_say_how_many_there_are() -> None:
    judgement = Judgement((alone("a"), group("g", kayenta("b", points=50), kayenta("c", points=50))))
    found = judgements((require(judgement),), {"a": SICK, "b": HEALTHY, "c": HEALTHY})
    assert [one.verdict for one in found] == [INCONCLUSIVE] * 5
    assert found[1].results[0].detail == (
        "not scored yet: `a` has 2 of 5 points of each arm; `b`, `c` have 2 of 50 points of each arm"
    )
    assert found[-1].results[0].detail == "not scored yet: `b`, `c` have 5 of 50 points of each arm"
    assert dict(found[-1].results[0].values)["a"] == "high"


def test_without_a_word_of_it_it_takes_fifty() -> None:
    judgement = Judgement((group("a", replace(kayenta("a"), params={})),))
    found = judgements((require(judgement),), {"a": (TWICE * 10, TENS * 10)})
    assert [one.verdict for one in found] == [INCONCLUSIVE] * 49 + [FAIL]


def test_a_provider_that_cannot_be_asked_is_an_error_and_costs_no_points() -> None:
    judgement = Judgement((alone("a"), alone("b")))
    canary: Series = (*TENS, BROKEN, 12.0)
    found = judgements((require(judgement),), {"a": (canary, (*TENS, 1.0, 12.0)), "b": ((*TENS, 1.0, 1.0),) * 2})
    assert [one.verdict for one in found][4:] == [PASS, ERROR, PASS]
    assert found[5].results[0].detail == "`a`: no route"


# --- silence ----------------------------------------------------------------------------------------------------


def test_a_metric_without_any_data_is_left_out_once_that_is_sure() -> None:
    """Of one in three; its metric says `no_data fail`, which is about checks that stand alone."""
    judgement = Judgement(tuple(map(alone, "abc")))
    found = judgements((require(judgement),), {"a": HEALTHY, "b": HEALTHY, "c": ((NOTHING,) * 5, TENS)})
    assert [one.verdict for one in found] == [INCONCLUSIVE] * 4 + [PASS]
    assert dict(found[-1].results[0].values)["c"] == "no data at weight 33.33"


def test_half_of_the_metrics_without_data_score_nothing() -> None:
    verdict, result = last(Judgement((alone("a"), alone("b"))), a=HEALTHY, b=((NOTHING,) * 5, TENS))
    assert verdict is FAIL
    assert result.detail == "the score is 0, for half of the metrics or more have no data: `b`"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, PASS),
        ({"must_have_data": "true"}, FAIL),
        ({"critical": "true"}, ABORT),
        ({"nan": "replace"}, PASS),
    ],
)
def test_what_no_data_means(options: dict[str, str], expected: Verdict) -> None:
    judgement = Judgement((alone("a"), alone("b"), alone("c", **options)))
    assert last(judgement, a=HEALTHY, b=HEALTHY, c=((NOTHING,) * 5, TENS))[0] is expected


def test_a_metric_that_falls_silent_is_not_judged_by_its_past_for_long() -> None:
    judgement = Judgement((alone("a"), alone("b"), group("c", kayenta("c", points=8))))
    points: tuple[float, ...] = (10.0,) * 22
    canary: Series = (*points[:8], *(NOTHING,) * 8, *points[:6])
    found = judgements((require(judgement),), {"a": (points, points), "b": (points, points), "c": (canary, points)})
    details = [one.results[0].detail for one in found]
    verdicts = [one.verdict for one in found]
    assert verdicts[7:12] == [PASS] * 5
    assert verdicts[12:15] == [INCONCLUSIVE] * 3
    assert details[12] == "not scored yet: `c` has no data in 5 windows in a row"
    assert dict(found[15].results[0].values)["c"] == "no data at weight 33.33"
    assert verdicts[15] is PASS
    assert details[16] == "not scored yet: `c` has 1 of 8 points of each arm"


# --- beside others ----------------------------------------------------------------------------------------------


def test_several_stand_side_by_side_and_share_the_evidence_of_what_they_share() -> None:
    first, second = Judgement((alone("a"), alone("b"))), Judgement((alone("a"),))
    *_, found = judgements((require(first), require(second), require(kayenta("b"))), {"a": HEALTHY, "b": SICK})
    assert [result.verdict for result in found.results] == [FAIL, PASS, FAIL]
    assert len(found.evidence) == 2


def test_it_takes_no_part_of_the_budget() -> None:
    judgement = Judgement((alone("a"), alone("b")))
    both = policy(require(NO_REGRESSION), require(judgement))
    (test, *_) = judge._prepared(both, both.analyses["main"]).tests
    assert test.alpha == pytest.approx(0.01)
    assert [one.metric for one in metrics_in(judgement)] == ["a", "b"]
