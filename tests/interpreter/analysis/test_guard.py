"""The traffic guard: a split that is not as set makes a check inconclusive, and never more than that."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat

import pytest

from dsl.ir import Arith, Compare, Const, MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.questions import Answer, Events, Value
from interpreter.state import Verdict
from tests.interpreter.analysis.checks import (
    MINUTE,
    NO_REGRESSION,
    PRIMARY,
    abort,
    at_most,
    counts,
    look,
    looks,
    measure,
    observe,
    program,
    require,
)

TENTH = Routing(weight=10)
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
POLICY = program(require(NO_REGRESSION))
AS_SET, MISROUTED = counts((1, 100), (9, 900)), counts((0, 20), (9, 980))
Given = Mapping[tuple[str, str] | str, Answer]


def test_a_split_as_set_is_no_matter() -> None:
    assert all(judgement.verdict is PASS for judgement in looks(POLICY, repeat(AS_SET, 60), TENTH))


def test_a_wrong_split_is_inconclusive() -> None:
    judgement = look(POLICY, MISROUTED, routing=TENTH)
    assert judgement.verdict is INCONCLUSIVE
    (result,) = judgement.results
    assert result.detail == "routing not applied: the canary got 20 of 1000 requests, where 10% is set"


def test_too_many_requests_for_the_canary_are_as_wrong() -> None:
    assert look(POLICY, counts((1, 400), (9, 600)), routing=TENTH).verdict is INCONCLUSIVE


def test_a_few_requests_say_nothing() -> None:
    assert look(POLICY, counts((0, 1), (0, 40)), routing=TENTH).verdict is PASS


def test_it_lets_go_when_a_thousand_fresh_requests_are_split_as_set() -> None:
    givens = [MISROUTED, MISROUTED, counts((0, 40), (4, 360)), AS_SET, AS_SET]
    verdicts = [judgement.verdict for judgement in looks(POLICY, iter(givens), TENTH)]
    assert verdicts == [INCONCLUSIVE] * 3 + [PASS] * 2


def test_it_keeps_hold_while_the_split_stays_wrong() -> None:
    assert all(judgement.verdict is INCONCLUSIVE for judgement in looks(POLICY, repeat(MISROUTED, 30), TENTH))


def test_small_windows_add_up_over_the_steps_of_a_ramp() -> None:
    evidence: Mapping[str, Mapping[str, float | list[float]]] = {}
    verdicts = []
    for tick, weight in enumerate(range(10, 60, 5), 1):
        judgement = look(POLICY, counts((0, 1), (1, 59)), tick * MINUTE, evidence, routing=Routing(weight=weight))
        evidence = judgement.evidence
        verdicts.append(judgement.verdict)
    assert verdicts[0] is PASS
    assert INCONCLUSIVE in verdicts


def test_each_weight_is_held_against_its_own_requests() -> None:
    evidence: Mapping[str, Mapping[str, float | list[float]]] = {}
    for tick, weight in enumerate((5, 20, 50, 80), 1):
        given = counts((0, 10 * weight), (0, 1000 - 10 * weight))
        judgement = look(POLICY, given, tick * MINUTE, evidence, routing=Routing(weight=weight))
        evidence = judgement.evidence
        assert judgement.verdict is PASS


def test_a_regression_shown_by_what_did_arrive_is_one_all_the_same() -> None:
    *_, last = looks(POLICY, repeat(counts((20, 20), (9, 980)), 3), TENTH)
    assert last.verdict is FAIL


@pytest.mark.parametrize(
    "routing",
    [
        Routing(weight=10, sticky=StickySpec("canary", 60_000)),
        Routing(weight=10, mirror=20),
        Routing(weight=10, matches=((MatchTest("header", "x-canary", "exists"),),)),
        Routing(weight=0),
        Routing(weight=100),
    ],
)
def test_off_where_the_weight_alone_does_not_decide(routing: Routing) -> None:
    assert look(POLICY, MISROUTED, routing=routing).verdict is PASS


def test_off_beside_a_baseline() -> None:
    assert look(program(require(NO_REGRESSION), baseline=True), MISROUTED, routing=TENTH).verdict is PASS


@pytest.mark.parametrize(("held_ms", "verdict"), [(MINUTE - 1, PASS), (MINUTE, INCONCLUSIVE), (None, INCONCLUSIVE)])
def test_requests_from_before_the_routing_do_not_count(held_ms: int | None, verdict: Verdict) -> None:
    assert look(POLICY, MISROUTED, routing=TENTH, held_ms=held_ms).verdict is verdict


def test_it_runs_for_thresholds_that_compare_the_arms_too() -> None:
    limit = Arith((measure("success_rate", PRIMARY), Const(0.01)), ("-",))
    policy = program(require(Compare(">=", measure("success_rate"), limit)), abort(at_most("depth", 0)))
    given: Given = {**MISROUTED, ("requests", "canary"): Events(0, 20), "depth": Value(1)}
    judgement = look(policy, given, routing=TENTH)
    assert [result.verdict for result in judgement.results] == [INCONCLUSIVE, PASS]


def test_what_is_observed_is_shown_and_does_not_count() -> None:
    judgement = look(program(observe(NO_REGRESSION)), MISROUTED, routing=TENTH)
    assert judgement.results[0].verdict is INCONCLUSIVE
    assert judgement.verdict is PASS


def test_the_same_window_again_changes_nothing() -> None:
    first = look(POLICY, MISROUTED, routing=TENTH)
    assert look(POLICY, MISROUTED, MINUTE, first.evidence, routing=TENTH) == first
