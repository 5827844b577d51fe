"""Protects that each setting of `kayenta(…)` reaches the judge: with it the verdict is another than without it."""

from __future__ import annotations

import pytest

from dsl.ir import Check, Statistical
from interpreter.analysis import kayenta
from interpreter.analysis.judge import Judgement
from interpreter.analysis.series import KEPT_POINTS, rules_of
from interpreter.desired import Routing
from interpreter.questions import Answer, ErrorAnswer, NoDataAnswer, Value
from interpreter.state import Verdict
from tests.dsl.meaning.small import codes, policy
from tests.interpreter.analysis.checks import MINUTE, PRIMARY, looks, measure, observe, program, require

PASS, FAIL, ABORT, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.ABORT, Verdict.INCONCLUSIVE
HALF = Routing(weight=50)
NOTHING, BROKEN = NoDataAnswer("nothing there"), ErrorAnswer("no route")
TENS = (10.0, 11.0, 12.0, 13.0, 14.0)

Setting = float | str
Series = tuple[float | Answer, ...]


def check(metric: str = "depth", **settings: Setting) -> Check:
    """A check that judges from five points on, with these settings."""
    params = {"min_points": 5.0, **{name: one for name, one in settings.items() if isinstance(one, float)}}
    options = {name: one for name, one in settings.items() if isinstance(one, str)}
    return require(Statistical("kayenta", metric, MINUTE, PRIMARY, params, options, measure(metric)))


def judged(condition: Check, canary: Series, other: Series) -> Judgement:
    """The last judgement of two series."""

    def answer(point: float | Answer) -> Answer:
        return Value(point) if isinstance(point, float) else point

    metric = condition.condition.metric  # type: ignore[union-attr]
    givens = [
        {(metric, "canary"): answer(mine), (metric, "primary"): answer(theirs)}
        for mine, theirs in zip(canary, other, strict=True)
    ]
    *_, last = looks(program(condition), iter(givens), HALF)
    return last


def times(factor: float, series: tuple[float, ...] = TENS) -> tuple[float, ...]:
    return tuple(factor * point for point in series)


SPIKED = (10.0, 10.1, 10.2, 10.3, 10.4, 10.1, 10.2, 10.3, 10.2, 10.3, 10.2, 900.0)
FLAT = (10.0, 10.2, 10.1, 10.4, 10.3, 10.2, 10.1, 10.2, 10.3, 10.3, 10.1, 10.2)


@pytest.mark.parametrize(
    ("canary", "other", "settings", "without", "having"),
    [
        (times(2), TENS, {"direction": "decrease"}, FAIL, PASS),
        (times(2), TENS, {"tolerance": 0.99}, FAIL, PASS),
        ((10.0, 11.0, 12.0, 13.0, 20.0), (5.0, 6.0, 7.0, 8.0, 12.0), {"confidence": 0.6}, PASS, FAIL),
        (times(2), TENS, {"allowed_increase": 3.0}, FAIL, PASS),
        (TENS, times(2), {"allowed_decrease": 0.4}, FAIL, PASS),
        (times(2), TENS, {"effect": "cles", "allowed_increase": 1.5}, FAIL, PASS),
        (times(2), TENS, {"critical": "true"}, FAIL, ABORT),
        (times(2), TENS, {"critical": "true", "critical_increase": 3.0}, FAIL, FAIL),
        (times(2), TENS, {"critical": "true", "critical_increase": 1.9}, FAIL, ABORT),
        (TENS, times(2), {"critical": "true", "critical_decrease": 0.4}, FAIL, FAIL),
        (TENS, times(2), {"critical": "true", "critical_decrease": 0.6}, FAIL, ABORT),
        (times(2), TENS, {"min_points": 6.0}, FAIL, INCONCLUSIVE),
        ((NOTHING,) * 5, TENS, {"nan": "replace", "direction": "increase"}, FAIL, PASS),
        (TENS, (NOTHING,) * 5, {"nan": "replace", "direction": "decrease"}, FAIL, PASS),
        ((BROKEN,) * 5, TENS, {"nan": "replace"}, Verdict.ERROR, Verdict.ERROR),
    ],
)
def test_a_setting_changes_the_verdict(
    canary: Series, other: Series, settings: dict[str, Setting], without: Verdict, having: Verdict
) -> None:
    assert judged(check(), canary, other).verdict is without
    assert judged(check(**settings), canary, other).verdict is having


def test_a_setting_of_critical_without_a_limit_that_is_reached_says_so() -> None:
    settings: dict[str, Setting] = {"critical": "true", "critical_increase": 3.0}
    assert judged(check(**settings), times(2), TENS).results[0].detail.startswith("high, 2")
    assert judged(check(critical="true"), times(2), TENS).results[0].detail.startswith("high and critical, 2")


def test_outliers_are_removed_where_that_is_asked_for() -> None:
    """A spike lifts the mean, and with it the effect; the fences of a wider factor let it in."""
    canary = (*times(1.5, FLAT[:-1]), 900.0)
    kept: dict[str, Setting] = {"allowed_increase": 2.0}
    assert judged(check(**kept), canary, FLAT).verdict is FAIL
    assert judged(check(**kept, outliers="remove"), canary, FLAT).verdict is PASS
    assert judged(check(**kept, outliers="remove", outlier_factor=9000.0), canary, FLAT).verdict is FAIL


@pytest.mark.parametrize("policy_", ["pass", "skip", "hold"])
def test_must_have_data_fails_where_the_metric_would_not(policy_: str) -> None:
    metric, nothing = f"depth_{policy_}", (NOTHING,) * 5
    assert judged(check(metric), nothing, TENS).verdict is not FAIL
    assert judged(check(metric, must_have_data="true"), nothing, TENS).verdict is FAIL
    assert judged(check(metric, must_have_data="true"), (BROKEN,) * 5, TENS).verdict is Verdict.ERROR
    assert judged(check(metric, must_have_data="true"), (*TENS, NOTHING), (*TENS, 10.0)).verdict is not FAIL


def test_what_is_observed_condemns_nothing() -> None:
    seen = observe(check(critical="true").condition)
    judgement = judged(seen, times(2), TENS)
    assert (judgement.verdict, judgement.results[0].verdict) == (PASS, ABORT)


def test_nothing_said_is_what_kayenta_does() -> None:
    assert rules_of({}, {}) == kayenta.Rules()


def test_no_policy_waits_for_more_points_than_are_kept() -> None:
    line = "every 1m; require kayenta(latency, min_points: {})"
    assert codes(policy(checks=line.format(KEPT_POINTS))) == []
    assert codes(policy(checks=line.format(KEPT_POINTS + 1))) == ["RW205"]
