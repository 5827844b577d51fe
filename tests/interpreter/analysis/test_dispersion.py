"""Errors in bursts: how they are measured, and what they take from the evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from dsl.ir import Arm, Statistical
from interpreter.analysis.dispersion import ENOUGH, HISTORY, Spread, divisor
from interpreter.analysis.judge import Judgement, history_questions, judge, questions
from interpreter.desired import Routing
from interpreter.questions import Answer, ErrorAnswer, Events, MetricQuestion, NoDataAnswer
from tests.interpreter.analysis.checks import MINUTE, NO_REGRESSION, program, require

AUTO = replace(NO_REGRESSION, options={"dispersion": "auto"})
WORSE = {"canary": Events(12, 300), "primary": Events(57, 5700), "baseline": Events(3, 300)}
START = 100 * MINUTE
FIVE = Routing(weight=5)
Evidence = Mapping[str, Mapping[str, float | list[float]]]


def burst(at_ms: int) -> Answer:
    """A window of the primary: on average 1% of its requests fail, none in two of three windows."""
    return Events(180 if at_ms // MINUTE % 3 == 0 else 0, 6000)


def calm(at_ms: int) -> Answer:
    return Events(60 + (at_ms // MINUTE % 3 - 1) * 7, 6000)


def look(
    check: Statistical,
    past: object = calm,
    evidence: Evidence | None = None,
    at_ms: int = START,
    *,
    baseline: bool = False,
) -> tuple[Judgement, list[MetricQuestion]]:
    """One check, and what was asked of the time before it."""
    policy = program(require(check), baseline=baseline)
    analysis = policy.analyses["main"]
    earlier = history_questions(policy, analysis, at_ms, evidence or {})
    answers = {question.key: WORSE[question.arm] for question in questions(policy, analysis, at_ms)}
    answers |= {question.key: past(question.at_ms) for question in earlier}  # type: ignore[operator]
    found = judge(policy, analysis, at_ms, answers, evidence or {}, routing=FIVE)
    return found, list(earlier)


def state(found: Judgement) -> Mapping[str, float | list[float]]:
    (kept,) = (kept for key, kept in found.evidence.items() if key.startswith("no_regression"))
    return kept


def log_e(found: Judgement) -> float:
    value = state(found)["log_e"]
    assert isinstance(value, float)
    return value


def test_the_correlation_is_that_of_pearsons_chi_squared() -> None:
    counts = [(5, 600), (9, 500), (0, 700), (14, 650)] * 3
    spread = Spread()
    for bad, total in counts:
        spread = spread.plus(Events(bad, total))
    rate, mean = 28 / 2450, 2450 / 4
    assert len(counts) > ENOUGH
    chi_squared = sum((bad - total * rate) ** 2 / (total * rate * (1 - rate)) for bad, total in counts)
    assert spread.correlation == pytest.approx((chi_squared / 11 - 1) / (mean - 1))


@pytest.mark.parametrize(
    "windows",
    [[], [(5, 600)], [(0, 600)] * 5, [(600, 600)] * 5, [(6, 600)] * 5, [(5, 600), (0, 0)], [(0, 1), (1, 1), (0, 1)]],
)
def test_where_nothing_can_be_known_events_are_taken_as_independent(windows: list[tuple[float, float]]) -> None:
    spread = Spread()
    for bad, total in windows:
        spread = spread.plus(Events(bad, total))
    assert spread.correlation == 0


def test_windows_that_are_missing_are_taken_to_vary_by_chance() -> None:
    spread = Spread()
    for bad in (4, 20):
        spread = spread.plus(Events(bad, 600))
    chi_squared = 2 * 8**2 / (600 * 0.02 * 0.98)
    assert spread.correlation == pytest.approx((chi_squared - 1) / ENOUGH / 599)


def test_more_bad_events_than_events_are_put_right() -> None:
    assert Spread().plus(Events(7, 5)) == Spread().plus(Events(5, 5))


def test_how_much_more_counts_vary() -> None:
    assert divisor(0.01, 600, 600) == pytest.approx(6.99)
    assert divisor(0.01, 300, 5700) == pytest.approx(0.95 * 3.99 + 0.05 * 57.99)
    assert divisor(0.0, 300, 5700) == 1
    assert divisor(0.5, 0.1, 0.1) == 1
    assert divisor(0.5, 10, 0) == 1


def test_the_first_look_asks_for_thirty_windows_before_it_and_no_later_one_does() -> None:
    found, earlier = look(AUTO)
    assert earlier == [
        MetricQuestion("requests", "primary", MINUTE, START - index * MINUTE) for index in range(1, HISTORY + 1)
    ]
    kept = json.loads(json.dumps(found.evidence))
    assert look(AUTO, evidence=kept, at_ms=START + MINUTE)[1] == []
    assert look(NO_REGRESSION)[1] == []


def test_before_the_rollout_there_was_no_baseline() -> None:
    _, earlier = look(replace(AUTO, against=Arm.BASELINE), baseline=True)
    assert {question.arm for question in earlier} == {"primary"}


def test_bursts_before_the_rollout_take_from_its_evidence() -> None:
    calmly, burstily = look(AUTO)[0], look(AUTO, burst)[0]
    assert log_e(calmly) == log_e(look(NO_REGRESSION)[0]) == pytest.approx(5.665183, abs=1e-6)
    assert 0 < log_e(burstily) < 0.4
    assert "errors come in bursts" in burstily.results[0].detail
    assert "bursts" not in calmly.results[0].detail


def test_what_is_known_of_bursts_lasts() -> None:
    evidence: Evidence = {}
    for index in range(4):
        found = look(AUTO, burst, evidence, START + index * MINUTE)[0]
        evidence = json.loads(json.dumps(found.evidence))
    assert state(found)["history"] == HISTORY
    assert state(found)["spread"][0] == HISTORY + 4  # type: ignore[index]
    assert log_e(found) < 2


@pytest.mark.parametrize("gone", [NoDataAnswer(), ErrorAnswer("rate limited"), Events(0, 0)])
def test_a_history_that_is_not_to_be_had_is_said_and_holds_nothing_up(gone: Answer) -> None:
    found, _ = look(AUTO, lambda at_ms: gone if at_ms < START - 5 * MINUTE else calm(at_ms))
    assert "only 5 windows of requests before this rollout" in found.results[0].detail
    assert found.verdict == look(NO_REGRESSION)[0].verdict
    assert log_e(found) == log_e(look(NO_REGRESSION)[0])
    assert (
        history_questions(program(require(AUTO)), program(require(AUTO)).analyses["main"], START, found.evidence) == ()
    )


def test_history_is_kept_where_the_first_look_finds_no_canary() -> None:
    policy = program(require(AUTO))
    analysis = policy.analyses["main"]
    answers: dict[str, Answer] = {question.key: NoDataAnswer() for question in questions(policy, analysis, START)}
    answers |= {question.key: burst(question.at_ms) for question in history_questions(policy, analysis, START, {})}
    evidence = judge(policy, analysis, START, answers, {}, routing=FIVE).evidence
    assert history_questions(policy, analysis, START + MINUTE, evidence) == ()
    assert log_e(look(AUTO, burst, evidence, START + MINUTE)[0]) == log_e(look(AUTO, burst)[0])


def test_a_window_says_nothing_of_itself_but_of_those_after_it() -> None:
    """What is known of bursts must be known before a window is seen: else the division is a choice."""
    evidence: Evidence = {}
    seen = []
    for index, bad in enumerate((0, 180, 0, 180)):
        policy = program(require(NO_REGRESSION))
        at_ms = START + index * MINUTE
        answers: dict[str, Answer] = {
            question.key: Events(12, 300) if question.arm == "canary" else Events(bad, 6000)
            for question in questions(policy, policy.analyses["main"], at_ms)
        }
        found = judge(policy, policy.analyses["main"], at_ms, answers, evidence, routing=FIVE)
        evidence = found.evidence
        seen.append(found.results[0].detail)
    assert ["bursts" in detail for detail in seen] == [False, False, True, True]


def test_a_stated_dispersion_is_taken() -> None:
    stated = replace(NO_REGRESSION, params={"confidence": 0.99, "dispersion": 0.01})
    found, earlier = look(stated)
    assert earlier == []
    assert 0 < log_e(found) < 1.5
    assert "spread" not in state(found)
    none = look(replace(stated, params={"confidence": 0.99, "dispersion": 0.0}))[0]
    assert log_e(none) == pytest.approx(5.665183, abs=1e-6)
