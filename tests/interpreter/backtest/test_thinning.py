"""The canary drawn out of the primary: the parts add up, the share is right, the spread is a binomial's."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import pytest
from scipy import stats

from dsl.ir import Unit
from interpreter.backtest.thinning import PROBED, Split, binomial, part, split_of, thinned
from interpreter.desired import Routing
from interpreter.questions import Answer, ErrorAnswer, Events, Histogram, MetricQuestion, NoDataAnswer, Value


def asked(arm: str, at_ms: int = 0) -> MetricQuestion:
    return MetricQuestion("requests", arm, 60_000, at_ms)  # type: ignore[arg-type]


def arms(whole: Answer, split: Split, at_ms: int = 0) -> tuple[Answer, Answer]:
    canary, primary = (thinned(asked(arm, at_ms), Unit.EVENTS, whole, split, "7") for arm in ("canary", "primary"))
    return canary, primary


@pytest.mark.parametrize(("tries", "share"), [(1, 0.3), (40, 0.05), (500, 0.9), (1500, 0.1), (9000, 0.4)])
def test_draws_are_binomial(tries: int, share: float) -> None:
    """Held against SciPy's distribution with Pearson's chi-squared test over cells that expect ten or more."""
    chance = Random(11)
    drawn = [binomial(tries, share, chance) for _ in range(4000)]
    law = stats.binom(tries, share)
    edges = sorted({int(law.ppf(q)) for q in (0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.98)})
    cells = [-1, *edges, tries] if edges[-1] < tries else [-1, *edges]
    expected = [4000 * (law.cdf(b) - law.cdf(a)) for a, b in pairwise(cells)]
    observed = [sum(a < each <= b for each in drawn) for a, b in pairwise(cells)]
    kept = [(o, e) for o, e in zip(observed, expected, strict=True) if e >= 10]
    assert sum(o for o, _ in kept) >= 3900
    off = sum((o - e) ** 2 / e for o, e in kept)
    assert stats.chi2(len(kept)).sf(off) > 1e-4


@pytest.mark.parametrize(("tries", "share", "found"), [(0, 0.5, 0), (7, 0.0, 0), (7, 1.0, 7), (-1, 0.5, 0)])
def test_there_is_nothing_to_draw(tries: int, share: float, found: int) -> None:
    assert binomial(tries, share, Random(1)) == found


def test_both_arms_together_are_what_was_there() -> None:
    whole = Events(bad=13.4, total=1000.7)
    for at_ms in range(50):
        canary, primary = arms(whole, Split(0.2, 0.0), at_ms)
        assert isinstance(canary, Events)
        assert isinstance(primary, Events)
        assert canary.bad + primary.bad == pytest.approx(13.4)
        assert canary.total + primary.total == pytest.approx(1000.7)
        assert 0 <= canary.bad <= canary.total


def test_mirrored_requests_are_seen_twice() -> None:
    canary, primary = arms(Events(0, 1000), Split(0.0, 1.0))
    assert canary == primary == Events(0, 1000)


def test_three_arms_together_are_what_was_there() -> None:
    split = Split(0.1, 0.0, 0.1)
    parts = [thinned(asked(arm), Unit.EVENTS, Events(40, 900), split, "1") for arm in ("canary", "primary", "baseline")]
    assert sum(each.total for each in parts if isinstance(each, Events)) == 900
    assert all(isinstance(each, Events) and each.total > 50 for each in parts)


def test_a_histogram_stays_one() -> None:
    whole = Histogram(((0.1, 400.0), (0.5, 399.5), (1.0, 620.0), (math.inf, 700.0)))
    split = Split(0.3, 0.0)
    canary, primary = (thinned(asked(arm), Unit.HISTOGRAM, whole, split, "7") for arm in ("canary", "primary"))
    assert isinstance(canary, Histogram)
    assert isinstance(primary, Histogram)
    counts = [count for _, count in canary.buckets]
    assert counts == sorted(counts)
    assert [bound for bound, _ in canary.buckets] == [0.1, 0.5, 1.0, math.inf]
    assert canary.buckets[-1][1] + primary.buckets[-1][1] == pytest.approx(700.0)
    assert 150 < canary.buckets[-1][1] < 270


def test_counts_below_one_are_not_lost() -> None:
    found = [part(0.4, 0.25, Random(seed)) for seed in range(4000)]
    assert set(found) == {0.0, 0.4}
    assert sum(found) / len(found) == pytest.approx(0.1, rel=0.1)


def test_a_number_is_the_primarys_own_and_a_rate_is_shared() -> None:
    split = Split(0.25, 0.0)
    assert thinned(asked("canary"), Unit.MILLISECONDS, Value(80), split, "1") == Value(80)
    assert thinned(asked("canary"), Unit.RATE, Value(80), split, "1") == Value(20)
    assert thinned(asked("primary"), Unit.RATE, Value(80), split, "1") == Value(60)


@pytest.mark.parametrize("nothing", [NoDataAnswer("gone"), ErrorAnswer("several series")])
def test_what_was_not_there_is_not_made_up(nothing: Answer) -> None:
    assert arms(nothing, Split(0.5, 0.0)) == (nothing, nothing)


def test_an_arm_without_requests_has_no_data() -> None:
    assert isinstance(arms(Events(1, 10), Split(1.0, 0.0))[1], NoDataAnswer)


def test_the_same_seed_draws_the_same_in_any_order() -> None:
    split = Split(0.5, 0.0)
    forth = [arms(Events(500, 1000), split, at_ms) for at_ms in range(5)]
    assert [arms(Events(500, 1000), split, at_ms) for at_ms in (4, 3, 2, 1, 0)] == forth[::-1]
    assert thinned(asked("canary"), Unit.EVENTS, Events(500, 1000), split, "8") != forth[0][0]


def test_the_routing_decides_on_the_split() -> None:
    assert split_of(Routing(weight=20), baseline=False) == pytest.approx((0.2, 0.0, 0.0))
    assert split_of(Routing(mirror=30), baseline=False) == pytest.approx((0.0, 0.3, 0.0))
    assert split_of(Routing(), baseline=False) == pytest.approx((0.0, PROBED, 0.0))
    assert split_of(Routing(weight=20), baseline=True) == pytest.approx((0.2, 0.0, 0.2))
    assert split_of(Routing(weight=80), baseline=True) == pytest.approx((0.8, 0.0, 0.2))
