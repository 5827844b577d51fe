"""Counts drawn by chance have the right means and spreads, add up over windows, and tell nothing that was not there."""

from __future__ import annotations

import math
from random import Random
from statistics import mean, variance

import pytest

from interpreter.desired import Routing
from interpreter.questions import Answer, Events, Histogram, MetricQuestion, NoDataAnswer, Value
from interpreter.simulator.crowd import START, Crowd, Latencies, Level, Requests, Traffic
from interpreter.simulator.draws import NORMAL, PROMETHEUS_BOUNDS, count, lognormal_shares, stretched

MINUTE = 60_000
SHARES = lognormal_shares(0.1, 0.32, PROMETHEUS_BOUNDS)
TRAFFIC = Traffic(
    100,
    {"requests": Requests(100, 0.01), "duration": Latencies(100, PROMETHEUS_BOUNDS, SHARES), "cpu": Level(0.5)},
    {"requests": Requests(100, 0.5), "duration": Latencies(100, PROMETHEUS_BOUNDS, SHARES), "cpu": Level(0.7)},
)


def asked(crowd: Crowd, metric: str, arm: str, window_ms: int, at_ms: int | None = None) -> Answer:
    end = crowd.now if at_ms is None else at_ms
    return crowd.answer(MetricQuestion(metric, arm, window_ms, START + end))  # type: ignore[arg-type]


def events(answer: Answer) -> Events:
    assert isinstance(answer, Events)
    return answer


@pytest.mark.parametrize("expected", [0.01, 0.5, 3.0, 80.0, NORMAL - 1, NORMAL + 1, 1e6])
def test_counts_are_poisson(expected: float) -> None:
    """Mean and variance within five standard errors."""
    chance, number = Random(1), 4000
    drawn = [count(expected, chance) for _ in range(number)]
    assert abs(mean(drawn) - expected) <= 5 * math.sqrt(expected / number)
    spread = math.sqrt((2 * expected**2 + expected) / number)
    assert abs(variance(drawn) - expected) <= 5 * spread


def test_nothing_comes_of_nothing() -> None:
    assert count(0.0, Random(1)) == 0


def test_latencies_have_the_median_and_the_percentile_that_were_asked_for() -> None:
    shares = lognormal_shares(0.1, 0.5, (0.1, 0.5, 1.0))
    assert sum(shares[:1]) == pytest.approx(0.5)
    assert sum(shares[:2]) == pytest.approx(0.99)
    assert sum(shares) == pytest.approx(1)


def test_slower_requests_read_off_their_buckets_are_the_true_ones() -> None:
    slower = stretched(SHARES, PROMETHEUS_BOUNDS, 1.1)
    truth = lognormal_shares(0.11, 0.352, PROMETHEUS_BOUNDS)
    assert slower == pytest.approx(truth, abs=1e-6)
    assert stretched(SHARES, PROMETHEUS_BOUNDS, 1.0) == pytest.approx(SHARES, abs=1e-6)
    assert stretched((0.2, 0.8), (0.1,), 2.0) == pytest.approx((0.2, 0.8))


def test_the_arms_get_what_the_routing_gives_them_and_are_as_bad_as_they_are() -> None:
    crowd = Crowd(TRAFFIC, Random(1))
    crowd.route(Routing(weight=20))
    crowd.go_on(100 * MINUTE)
    canary, primary = (events(asked(crowd, "requests", arm, 100 * MINUTE)) for arm in ("canary", "primary"))
    assert canary.total == pytest.approx(120_000, rel=0.02)
    assert primary.total == pytest.approx(480_000, rel=0.02)
    assert canary.bad / canary.total == pytest.approx(0.5, rel=0.02)
    assert primary.bad / primary.total == pytest.approx(0.01, rel=0.1)
    assert crowd.to_canary == pytest.approx(120_000)


def test_a_baseline_gets_as_much_as_the_canary_out_of_the_primarys_part() -> None:
    crowd = Crowd(TRAFFIC._replace(baseline=True), Random(1))
    crowd.route(Routing(weight=20))
    crowd.go_on(100 * MINUTE)
    found = [events(asked(crowd, "requests", arm, 100 * MINUTE)).total for arm in ("canary", "baseline", "primary")]
    assert found == pytest.approx([120_000, 120_000, 360_000], rel=0.02)


def test_copies_and_matching_requests_reach_the_canary() -> None:
    for routing in (Routing(mirror=10), Routing(matches=((),))):
        crowd = Crowd(TRAFFIC, Random(1))
        crowd.route(routing)
        crowd.go_on(10 * MINUTE)
        assert crowd.to_canary == pytest.approx(6_000)


def test_windows_that_overlap_share_what_they_have_in_common() -> None:
    crowd = Crowd(TRAFFIC, Random(1))
    crowd.route(Routing(weight=50))
    for minute in range(1, 6):
        crowd.go_on(minute * MINUTE, (30_000,))
    whole = events(asked(crowd, "requests", "canary", 5 * MINUTE))
    parts = [events(asked(crowd, "requests", "canary", MINUTE, minute * MINUTE)) for minute in range(1, 6)]
    assert sum(part.total for part in parts) == whole.total
    halves = [events(asked(crowd, "requests", "canary", 30_000, at)).bad for at in (5 * MINUTE, 5 * MINUTE - 30_000)]
    assert sum(halves) == parts[-1].bad
    assert all(half == int(half) for half in halves)


def test_a_window_that_ends_within_a_piece_gets_its_part() -> None:
    crowd = Crowd(TRAFFIC, Random(1))
    crowd.route(Routing(weight=50))
    crowd.go_on(MINUTE)
    whole = events(asked(crowd, "requests", "canary", MINUTE))
    assert events(asked(crowd, "requests", "canary", 15_000)).total == pytest.approx(whole.total / 4)


def test_before_the_rollout_there_was_the_primary_with_all_of_the_traffic() -> None:
    crowd = Crowd(TRAFFIC, Random(1))
    crowd.route(Routing(weight=50))
    crowd.go_on(MINUTE)
    before = events(asked(crowd, "requests", "primary", MINUTE, -30 * MINUTE))
    assert before.total == pytest.approx(6_000, rel=0.1)
    assert before == asked(crowd, "requests", "primary", MINUTE, -30 * MINUTE)
    assert asked(crowd, "requests", "canary", MINUTE, -30 * MINUTE) == NoDataAnswer("no requests")
    across = events(asked(crowd, "requests", "primary", 3 * MINUTE))
    assert across.total == pytest.approx(3_000 + 12_000, rel=0.1)


def test_an_arm_without_traffic_has_no_data_and_a_dark_canary_a_load_test() -> None:
    crowd = Crowd(TRAFFIC, Random(1))
    crowd.go_on(MINUTE)
    assert events(asked(crowd, "requests", "canary", MINUTE)).total == pytest.approx(300, rel=0.3)
    crowd.route(Routing(weight=100))
    crowd.go_on(2 * MINUTE)
    assert isinstance(asked(crowd, "requests", "primary", MINUTE), NoDataAnswer)


def test_histograms_are_cumulative_and_plain_numbers_stand_still() -> None:
    crowd = Crowd(TRAFFIC, Random(1))
    crowd.route(Routing(weight=50))
    crowd.go_on(MINUTE)
    found = asked(crowd, "duration", "canary", MINUTE)
    assert isinstance(found, Histogram)
    counts = [each for _, each in found.buckets]
    assert counts == sorted(counts)
    assert [bound for bound, _ in found.buckets] == [*PROMETHEUS_BOUNDS, math.inf]
    assert [asked(crowd, "cpu", arm, MINUTE) for arm in ("primary", "canary")] == [Value(0.5), Value(0.7)]
