"""Replays: the real counting of failed checks, the thinned canary, and what becomes of many rollouts."""

from __future__ import annotations

import math
from random import Random

import pytest
from scipy import stats

from interpreter.backtest.moments import Span
from interpreter.backtest.replay import once, over_and_over, starts
from interpreter.backtest.tally import at_least, tally
from interpreter.questions import Answer, Events, Histogram, MetricQuestion, Value
from tests.interpreter.backtest.past import BEGIN, MINUTE, past, program

WITHIN = Span(BEGIN, BEGIN + 600 * MINUTE)


def bursty(question: MetricQuestion) -> Answer:
    """The primary's errors have bursts; there is no canary, so nobody asks for one."""
    assert question.arm == "primary"
    match question.metric:
        case "requests":
            chance = Random(question.at_ms)
            share = 0.03 if question.at_ms // (60 * MINUTE) % 3 == 0 else 0.004
            return Events(sum(chance.random() < share for _ in range(600)), 600)
        case "duration":
            return Histogram(((0.1, 300.0), (0.2, 600.0), (math.inf, 600.0)))
        case _:
            return Value(7.0)


def test_bursts_of_both_arms_are_no_regression_and_break_a_threshold() -> None:
    policy = program("require no_regression(requests); require requests.rate <= 2%; observe no_slower(duration)")
    replays = over_and_over(policy, past(policy, bursty), WITHIN, 30 * MINUTE, seed=3)
    found = tally(policy, replays)
    assert found.rollouts == 20
    assert dict(found.by_check).keys() == {"requests.rate <= 2%"}
    assert 5 < len(found.alarms) < 15
    assert found.promised == 0
    assert found.bound == 0.01


def test_a_canary_has_the_weights_share_of_the_requests() -> None:
    policy = program("require no_regression(requests)")
    (replay,) = over_and_over(policy, past(policy, bursty), Span(BEGIN, BEGIN + 30 * MINUTE), 60 * MINUTE, seed=3)
    totals: dict[float, list[float]] = {}
    weights = {check.at_ms: check.weight for m in replay.story.moments if (check := m.check) is not None}
    for question, answer in replay.seen:
        if question.arm == "canary" and isinstance(answer, Events):
            totals.setdefault(weights[question.at_ms], []).append(answer.total / 600)
    assert sorted(totals) == [10, 30, 50]
    for weight, seen in totals.items():
        assert sum(seen) / len(seen) == pytest.approx(weight / 100, abs=0.03)


def test_a_baseline_takes_its_part() -> None:
    policy = program("require no_regression(requests)", more="baseline")
    (replay,) = over_and_over(policy, past(policy, bursty), Span(BEGIN, BEGIN + 30 * MINUTE), 60 * MINUTE, seed=3)
    arms = {question.arm for question, _ in replay.seen}
    assert arms == {"canary", "baseline"}
    assert replay.story.outcome == "promoted"


def test_as_it_was_nothing_is_drawn() -> None:
    policy = program("require no_regression(requests)")
    replay = once(policy, past(policy, lambda question: Events(3, 500 if question.arm == "canary" else 700)), WITHIN)
    assert {answer for question, answer in replay.seen if question.arm == "canary"} == {Events(3, 500)}
    assert replay.ended_ms == BEGIN + 15 * MINUTE


def test_rollouts_begin_whole_steps_apart() -> None:
    assert list(starts(Span(5, 5 + 4 * MINUTE), 90_000, MINUTE)) == [5, 5 + 2 * MINUTE]


@pytest.mark.parametrize(("count", "of", "share"), [(0, 10, 0.01), (1, 56, 0.01), (4, 56, 0.01), (2, 2, 0.5)])
def test_the_chance_of_so_many(count: int, of: int, share: float) -> None:
    assert at_least(count, of, share) == pytest.approx(stats.binom(of, share).sf(count - 1), rel=1e-9)
