"""Checks that keep evidence: what they decide, and that nothing but a fresh window can add to it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import repeat

import pytest

from dsl.ir import AllOf, Analysis, Check, NotOf, Statistical
from interpreter.analysis.judge import Judgement
from interpreter.analysis.sequential import log_mean, narrow_grid
from interpreter.desired import Routing
from interpreter.questions import Answer, ErrorAnswer, Events, Histogram, NoDataAnswer, Value
from interpreter.state import Verdict
from tests.interpreter.analysis.checks import (
    BASELINE,
    CERTIFIED,
    INF,
    KAYENTA,
    MEETS,
    MINUTE,
    NO_REGRESSION,
    NO_SLOWER,
    NOT_WORSE,
    PRIMARY,
    abort,
    at_most,
    counts,
    look,
    looks,
    observe,
    program,
    require,
)

Given = Mapping[tuple[str, str] | str, Answer]
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
FIVE, HALF = Routing(weight=5), Routing(weight=50)
WORSE = counts((6, 300), (57, 5700))
MUCH_WORSE = counts((30, 300), (57, 5700))
HEALTHY = counts((3, 300), (57, 5700))
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, INF)


def spread(*cumulative: float) -> Histogram:
    return Histogram(tuple(zip(BOUNDS, map(float, cumulative), strict=True)))


QUICK = spread(100, 200, 285, 297, 300, 300)
SLOW = spread(70, 150, 260, 285, 297, 300)
SLOWER: Given = {("duration", "canary"): SLOW, ("duration", "primary"): QUICK}
AS_QUICK: Given = {"duration": QUICK}


def run(condition: Statistical, given: Given, ticks: int, routing: Routing = FIVE) -> list[Judgement]:
    return list(looks(program(require(condition)), repeat(given, ticks), routing))


def shown(judgement: Judgement) -> str:
    return next(value for name, value in judgement.results[0].values if name.startswith("evidence on "))


# --- no_regression


def test_a_regression_mounts_holds_the_raise_and_fails() -> None:
    judgements = run(NO_REGRESSION, WORSE, 8)
    assert [judgement.verdict for judgement in judgements] == [PASS] * 5 + [FAIL] * 3
    assert [judgement.holds_raise for judgement in judgements] == [False] * 2 + [True] * 6
    assert shown(judgements[0]) == "1.78 of 100"
    assert shown(judgements[5]) == "186 of 100"
    assert judgements[5].results[0].detail == ("canary 36 of 1800 (2%, 1.13% to 3.16%), primary 342 of 34200 (1%)")


def test_a_healthy_rollout_goes_on() -> None:
    for judgement in run(NO_REGRESSION, HEALTHY, 60):
        assert judgement.verdict is PASS
        assert not judgement.holds_raise


def test_evidence_does_not_depend_on_how_it_was_looked_at() -> None:
    one = look(program(require(NO_REGRESSION)), counts((12, 600), (114, 11400)), routing=FIVE)
    *_, two = run(NO_REGRESSION, WORSE, 2)
    assert shown(one) == shown(two)


def test_what_has_failed_once_fails_ever_after() -> None:
    policy = program(require(NO_REGRESSION))
    *_, failed = looks(policy, repeat(MUCH_WORSE, 3), FIVE)
    assert failed.verdict is FAIL
    evidence, at_ms = failed.evidence, 4 * MINUTE
    for _ in range(2000):
        better = look(policy, counts((0, 300), (570, 5700)), at_ms, evidence, routing=FIVE)
        evidence, at_ms = better.evidence, at_ms + MINUTE
        if "at its highest" in shown(better):
            break
    assert better.verdict is FAIL
    assert "at its highest" in shown(better)
    assert look(policy, {"requests": NoDataAnswer()}, at_ms, evidence, routing=FIVE).verdict is FAIL
    assert look(policy, {"requests": ErrorAnswer("down")}, at_ms, evidence, routing=FIVE).verdict is FAIL


def test_the_tolerated_ratio() -> None:
    doubled = counts((60, 3000), (570, 57000))
    tolerant = NO_REGRESSION.__class__("no_regression", "requests", MINUTE, PRIMARY, {"confidence": 0.99, "ratio": 2.0})
    assert run(NO_REGRESSION, doubled, 10)[-1].verdict is FAIL
    assert run(tolerant, doubled, 10)[-1].verdict is PASS


def test_abort_if_not() -> None:
    policy = program(abort(NotOf(NO_REGRESSION)))
    judgements = list(looks(policy, repeat(WORSE, 6), FIVE))
    assert [judgement.verdict for judgement in judgements] == [PASS] * 5 + [Verdict.ABORT]


def test_observed_evidence_is_shown_and_holds_nothing() -> None:
    *_, last = looks(program(observe(NO_REGRESSION)), repeat(MUCH_WORSE, 5), FIVE)
    assert last.results[0].verdict is FAIL
    assert last.verdict is PASS
    assert not last.holds_raise


def test_within_a_condition() -> None:
    policy = program(require(AllOf((NO_REGRESSION, at_most("depth", 3)))))
    given = {**MUCH_WORSE, "depth": Value(1)}
    *_, last = looks(policy, repeat(given, 5), FIVE)
    assert last.verdict is FAIL
    assert last.results[0].values[0] == ("depth", "1")
    assert last.results[0].values[1][0] == "evidence on requests"


@pytest.mark.parametrize(
    ("canary", "primary", "weight", "verdict"),
    [
        ((0, 0), (57, 5700), 5, INCONCLUSIVE),
        ((3, 300), (0, 0), 5, INCONCLUSIVE),
        ((3, 300), (0, 0), 100, PASS),
    ],
)
def test_a_window_without_requests(
    canary: tuple[float, float], primary: tuple[float, float], weight: float, verdict: Verdict
) -> None:
    policy = program(require(NO_REGRESSION), baseline=True)
    judgement = look(policy, counts(canary, primary), routing=Routing(weight=weight))
    assert judgement.verdict is verdict


def test_the_arm_to_compare_with() -> None:
    against_baseline = Statistical("no_regression", "requests", MINUTE, BASELINE, {"confidence": 0.99})
    given: Given = {("requests", "canary"): Events(30, 300), ("requests", "baseline"): Events(1, 300)}
    judgement = look(program(require(against_baseline)), given)
    assert judgement.verdict is FAIL
    assert "baseline 1 of 300" in judgement.results[0].detail


def test_extrapolation_that_makes_more_errors_than_requests() -> None:
    judgement = look(program(require(NO_REGRESSION)), counts((10.4, 10.1), (5, 190)), routing=FIVE)
    assert "canary 10.1 of 10.1 (100%" in judgement.results[0].detail


# --- windows


def test_the_same_window_judged_again_changes_nothing() -> None:
    policy = program(require(NO_REGRESSION), require(NO_SLOWER), require(MEETS), require(NOT_WORSE), require(KAYENTA))
    given: Given = {**WORSE, **SLOWER, ("depth", "canary"): Value(2), ("depth", "primary"): Value(1)}
    *_, third = looks(policy, repeat(given, 3), FIVE)
    again = look(policy, given, 3 * MINUTE, third.evidence, routing=FIVE)
    assert again == third


@pytest.mark.parametrize(("gap_ms", "counted"), [(30_000, False), (59_000, False), (59_700, True), (90_000, True)])
def test_windows_that_overlap_are_refused(gap_ms: int, counted: bool) -> None:
    policy = program(require(NO_REGRESSION))
    first = look(policy, WORSE, MINUTE, routing=FIVE)
    second = look(policy, WORSE, MINUTE + gap_ms, first.evidence, routing=FIVE)
    assert (second.evidence != first.evidence) is counted
    assert ("not counted" in second.results[0].detail) is not counted


def test_a_clock_that_went_back_adds_nothing() -> None:
    policy = program(require(NO_REGRESSION))
    first = look(policy, WORSE, 10 * MINUTE, routing=FIVE)
    assert look(policy, WORSE, 5 * MINUTE, first.evidence, routing=FIVE).evidence == first.evidence


def test_a_window_without_an_answer_adds_nothing() -> None:
    policy = program(require(NO_REGRESSION))
    first = look(policy, WORSE, MINUTE, routing=FIVE)
    for answer, verdict in ((NoDataAnswer(), FAIL), (ErrorAnswer("down"), Verdict.ERROR)):
        given: Given = {**WORSE, ("requests", "canary"): answer}
        second = look(policy, given, 2 * MINUTE, first.evidence, routing=FIVE)
        assert second.verdict is verdict
        assert second.evidence == first.evidence


# --- one budget


def test_the_budget_is_shared_among_all_statistical_checks_of_the_rollout() -> None:
    alone = look(program(require(NO_REGRESSION)), WORSE, routing=FIVE)
    assert shown(alone).endswith("of 100")
    given: Given = {**WORSE, **AS_QUICK}
    both = look(program(require(NO_REGRESSION), require(NO_SLOWER)), given, routing=FIVE)
    assert shown(both).endswith("of 200")
    elsewhere = Analysis(MINUTE, (require(MEETS), require(NO_REGRESSION)))
    assert shown(look(program(require(NO_REGRESSION), more=elsewhere), WORSE, routing=FIVE)).endswith("of 200")


def test_what_takes_no_part_in_the_budget() -> None:
    given: Given = {**WORSE, **AS_QUICK, "depth": Value(1)}
    policy = program(require(NO_REGRESSION), observe(NO_SLOWER), require(KAYENTA), require(NO_REGRESSION))
    assert shown(look(policy, given, routing=FIVE)).endswith("of 100")


def test_more_confidence_is_had_and_less_is_not() -> None:
    def limit(confidence: float) -> str:
        check = Statistical("no_regression", "requests", MINUTE, PRIMARY, {"confidence": confidence})
        return shown(look(program(require(check)), WORSE, routing=FIVE)).partition(" of ")[2]

    assert limit(0.999) == "1000"
    assert limit(0.95) == "100"
    assert limit(1.0) == "1e12"


def test_the_budget_of_the_analysis() -> None:
    loose = Statistical("no_regression", "requests", MINUTE, PRIMARY, {"confidence": 0.95})
    assert shown(look(program(require(loose), budget=0.05), WORSE, routing=FIVE)).endswith("of 20")


# --- objectives


def test_an_objective_broken() -> None:
    judgements = run(MEETS, {"requests": Events(9, 300)}, 10)
    first = [judgement.verdict for judgement in judgements].index(FAIL)
    assert 1 <= first <= 3
    assert judgements[0].verdict is PASS
    assert all(judgement.verdict is FAIL for judgement in judgements[first:])
    assert "where 1% may be bad" in judgements[0].results[0].detail


def test_an_objective_met() -> None:
    assert all(judgement.verdict is PASS for judgement in run(MEETS, {"requests": Events(3, 300)}, 60))
    assert run(MEETS, {"requests": Events(0, 0)}, 1)[0].verdict is INCONCLUSIVE


def test_certified_after_490_requests_without_an_error() -> None:
    judgements = run(CERTIFIED, {"requests": Events(0, 10)}, 60)
    assert [judgement.verdict for judgement in judgements].index(PASS) + 1 == 49
    assert all(judgement.verdict is PASS for judgement in judgements[48:])
    assert judgements[0].results[0].detail.startswith("not yet certified; 0 of 10")
    assert judgements[0].results[0].values[0] == ("certainty on requests", "1.05 of 20")


def test_certified_once_is_certified() -> None:
    slips: list[Given] = [{"requests": Events(1, 90)}] * 5
    givens: list[Given] = [{"requests": Events(0, 500)}, *slips, {"requests": Events(0, 0)}]
    judgements = list(looks(program(require(CERTIFIED)), iter(givens), FIVE))
    assert all(judgement.verdict is PASS for judgement in judgements)
    certainty, mark = dict(judgements[-1].results[0].values)["certainty on requests"].split(" of ")
    assert float(certainty) >= float(mark)


def test_certified_fails_what_breaks_the_objective() -> None:
    judgements = run(CERTIFIED, {"requests": Events(9, 300)}, 5)
    assert judgements[0].verdict is INCONCLUSIVE
    assert judgements[-1].verdict is FAIL


def test_an_objective_of_everything() -> None:
    spotless = Statistical("meets", "requests", MINUTE, None, {"confidence": 0.99, "objective": 1.0})
    assert run(spotless, {"requests": Events(0, 300)}, 3)[-1].verdict is PASS
    assert run(spotless, {"requests": Events(1, 300)}, 1)[-1].verdict is FAIL


# --- no_slower


def test_slower_anywhere() -> None:
    judgements = run(NO_SLOWER, SLOWER, 6, HALF)
    assert judgements[-1].verdict is FAIL
    assert judgements[-1].results[0].detail == "slower than 250ms: canary 13.3%, primary 5%"


def test_as_quick() -> None:
    assert all(judgement.verdict is PASS for judgement in run(NO_SLOWER, AS_QUICK, 60, HALF))


def test_slowness_beyond_the_last_bound() -> None:
    hung: Given = {
        ("duration", "canary"): spread(90, 190, 270, 280, 280, 300),
        ("duration", "primary"): spread(100, 200, 285, 297, 300, 300),
    }
    judgements = run(NO_SLOWER, hung, 3, HALF)
    assert judgements[-1].verdict is FAIL
    assert "slower than 1s" in judgements[-1].results[0].detail


def test_buckets_that_change_under_way() -> None:
    finer = Histogram(((0.05, 100.0), (0.07, 150.0), (0.25, 285.0), (INF, 300.0)))
    policy = program(require(NO_SLOWER))
    first = look(policy, SLOWER, MINUTE, routing=HALF)
    second = look(policy, {"duration": finer}, 2 * MINUTE, first.evidence, routing=HALF)
    assert second.verdict is PASS
    assert set(numbers(first, "bounds")) == {0.05, 0.1, 0.25, 0.5, 1.0}
    assert set(numbers(second, "bounds")) == set(numbers(first, "bounds"))


def numbers(judgement: Judgement, name: str) -> list[float]:
    (found,) = (kept[name] for key, kept in judgement.evidence.items() if key.startswith("no_slower"))
    assert isinstance(found, list)
    return found


def test_bounds_on_one_side_of_all_requests_cost_nothing() -> None:
    wide = Histogram(((0.001, 0.0), (0.05, 100.0), (0.25, 285.0), (30.0, 300.0), (60.0, 300.0), (INF, 300.0)))
    judgement = look(program(require(NO_SLOWER)), {"duration": wide}, routing=HALF)
    assert sorted(numbers(judgement, "bounds")) == [0.05, 0.25]
    logs = numbers(judgement, "logs")
    rows = [math.exp(log_mean(narrow_grid().log_weights, row)) for row in (logs[:12], logs[12:])]
    assert shown(judgement) == f"{(sum(rows) + 3) / 5:.3g} of 100"


# --- numbers


def test_worse_again_and_again() -> None:
    judgements = run(NOT_WORSE, {("depth", "canary"): Value(3), ("depth", "primary"): Value(2)}, 9)
    assert [judgement.verdict for judgement in judgements] == [PASS] * 8 + [FAIL]
    assert judgements[-1].results[0].detail == "worse in 9 of 9 checks"


def test_ties_and_the_other_direction_are_no_evidence() -> None:
    higher = Statistical(
        "not_worse", "depth", MINUTE, PRIMARY, {"confidence": 0.99}, {"better": "higher"}, NOT_WORSE.expr
    )
    more: Given = {("depth", "canary"): Value(3), ("depth", "primary"): Value(2)}
    assert run(higher, more, 20)[-1].verdict is PASS
    assert run(NOT_WORSE, {"depth": Value(3)}, 20)[-1].results[0].detail == "worse in 0 of 0 checks"
    less: Given = {("depth", "canary"): Value(1), ("depth", "primary"): Value(2)}
    assert run(higher, less, 9)[-1].verdict is FAIL


def alternating(canary: float, primary: float, ticks: int) -> list[Given]:
    return [
        {("depth", "canary"): Value(canary + tick % 7), ("depth", "primary"): Value(primary + tick % 5)}
        for tick in range(ticks)
    ]


def test_kayenta_waits_for_fifty_points_and_then_judges() -> None:
    policy = program(require(KAYENTA))
    higher = list(looks(policy, iter(alternating(30, 20, 55)), FIVE))
    assert [judgement.verdict for judgement in higher] == [INCONCLUSIVE] * 49 + [FAIL] * 6
    assert higher[0].results[0].detail == "1 of 50 points of each arm"
    assert higher[-1].results[0].detail.startswith("high, 1.4")
    lower = list(looks(policy, iter(alternating(20, 30, 50)), FIVE))
    assert lower[-1].verdict is PASS


def test_kayenta_never_judges_on_fewer_than_five_points() -> None:
    eager = Statistical(
        "kayenta", "depth", MINUTE, PRIMARY, {"confidence": 0.98, "min_points": 1}, {"critical": "true"}, KAYENTA.expr
    )
    judgements = list(looks(program(require(eager)), iter(alternating(30, 20, 5)), FIVE))
    assert [judgement.verdict for judgement in judgements] == [INCONCLUSIVE] * 4 + [Verdict.ABORT]
    assert judgements[-1].results[0].detail.startswith("high and critical")


# --- what is kept


@pytest.mark.parametrize(
    ("check", "given"),
    [
        (require(NO_REGRESSION), {"requests": Events(1234.5678, 123456.789)}),
        (require(CERTIFIED), {"requests": Events(1234.5678, 123456.789)}),
        (
            require(NO_SLOWER),
            {
                "duration": Histogram(
                    (*((0.001 * 2**step, 1000.123 * (step + 1)) for step in range(30)), (INF, 31_000.0))
                )
            },
        ),
        (require(NOT_WORSE), {"depth": Value(3)}),
        (
            require(KAYENTA),
            {("depth", "canary"): Value(-1.23456789e-05), ("depth", "primary"): Value(-9.87654321e-05)},
        ),
    ],
)
def test_evidence_stays_small(check: Check, given: Given) -> None:
    *_, last = looks(program(check), repeat(given, 200), HALF)
    for key, kept in last.evidence.items():
        assert len(json.dumps({key: kept})) < 2048


def test_evidence_of_the_same_check_is_the_same_in_every_analysis() -> None:
    first = look(program(require(NO_REGRESSION)), WORSE, routing=FIVE)
    second = look(
        program(observe(at_most("depth", 1)), require(NO_REGRESSION)), {**WORSE, "depth": Value(1)}, routing=FIVE
    )
    assert first.evidence.keys() == second.evidence.keys()


def test_a_restart_between_any_two_checks_changes_nothing() -> None:
    """`looks` takes evidence through JSON; without that it must come to the same bits."""
    policy = program(require(NO_REGRESSION), require(NO_SLOWER))
    given: Given = {**WORSE, **SLOWER}
    through_json = [judgement.evidence for judgement in looks(policy, repeat(given, 5), FIVE)]
    evidence: Mapping[str, Mapping[str, float | list[float]]] = {}
    for tick, expected in enumerate(through_json, 1):
        evidence = look(policy, given, tick * MINUTE, evidence, routing=FIVE).evidence
        assert evidence == expected
