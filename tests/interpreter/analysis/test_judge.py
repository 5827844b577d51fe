"""One whole check: thresholds, missing data, precedence, and what people are shown."""

from __future__ import annotations

import math

import pytest

from dsl.ir import AllOf, Analysis, AnyOf, Arith, Between, CallCheck, Check, Compare, Const, GateCheck, NotOf, Unit
from interpreter.analysis.judge import condition_questions, decide, questions
from interpreter.questions import Answer, ErrorAnswer, Events, Histogram, MetricQuestion, NoDataAnswer, Value
from interpreter.state import Verdict
from tests.interpreter.analysis.checks import (
    INF,
    MINUTE,
    NO_REGRESSION,
    PRIMARY,
    abort,
    at_least,
    at_most,
    look,
    measure,
    observe,
    program,
    require,
)

PASS, FAIL, ABORT, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.ABORT, Verdict.ERROR
INCONCLUSIVE, NO_DATA = Verdict.INCONCLUSIVE, Verdict.NO_DATA
HEALTHY = at_least("success_rate", 0.99, Unit.PERCENT)
FAST = at_most("latency(0.99)", 0.5, Unit.MILLISECONDS)


def buckets(below_half: float, below_ten: float, total: float) -> Histogram:
    return Histogram(((0.5, below_half), (10.0, below_ten), (INF, total)))


# --- thresholds


@pytest.mark.parametrize(
    ("bad", "total", "verdict", "shown"),
    [(29, 1000, FAIL, "97.1%"), (10, 1000, PASS, "99%"), (0, 1000, PASS, "100%"), (1000, 1000, FAIL, "0%")],
)
def test_a_success_rate(bad: float, total: float, verdict: Verdict, shown: str) -> None:
    judgement = look(program(require(HEALTHY)), {"requests": Events(bad, total)})
    assert judgement.verdict is verdict
    assert judgement.results[0].verdict is verdict
    assert judgement.results[0].values == (("success_rate", shown),)


def test_a_failed_check_shows_its_values_and_counts() -> None:
    policy = program(require(HEALTHY, "success_rate >= 99%"))
    result = look(policy, {"requests": Events(29, 1000)}).results[0]
    assert (result.text, result.kind) == ("success_rate >= 99%", "require")
    assert result.detail == "97.1% >= 99% does not hold; requests: 29 bad of 1000"


def test_values_that_differ_only_behind_the_shown_digits() -> None:
    result = look(program(require(at_least("up", 0.5, Unit.PERCENT))), {"up": Value(49.999999)}).results[0]
    assert result.detail == "49.999999% >= 50% does not hold"


def test_units_of_the_metric_become_base_units() -> None:
    assert look(program(require(at_least("up", 0.992))), {"up": Value(99.2)}).verdict is PASS
    assert look(program(require(at_most("lag", 0.12))), {"lag": Value(120)}).verdict is PASS
    assert look(program(require(at_most("lag", 0.1199))), {"lag": Value(120)}).verdict is FAIL


def test_ranges_are_inclusive() -> None:
    condition = Between(measure("depth"), Const(10), Const(25))
    for depth, verdict in ((10, PASS), (25, PASS), (9.99, FAIL), (25.01, FAIL)):
        assert look(program(require(condition)), {"depth": Value(depth)}).verdict is verdict


def test_only_the_parts_that_do_not_hold_are_told() -> None:
    condition = AllOf((at_most("depth", 5), at_least("up", 0.5, Unit.PERCENT)))
    result = look(program(require(condition)), {"depth": Value(9), "up": Value(80)}).results[0]
    assert result.detail == "9 <= 5 does not hold"
    assert result.values == (("depth", "9"), ("up", "80%"))


def test_expressions_compare_the_arms() -> None:
    limit = Arith((Arith((measure("lag", PRIMARY), Const(1.2)), ("*",)), Const(0.02, Unit.MILLISECONDS)), ("+",))
    policy = program(require(Compare("<=", measure("lag"), limit)))
    for lag, verdict in ((140, PASS), (141, FAIL)):
        judgement = look(policy, {("lag", "canary"): Value(lag), ("lag", "primary"): Value(100)})
        assert judgement.verdict is verdict
        assert judgement.results[0].values == (("lag", f"{lag}ms"), ("lag of primary", "100ms"))
    assert judgement.results[0].detail == "141ms <= 140ms does not hold"


def test_operators_of_one_level_are_read_from_the_left() -> None:
    expression = Arith((Const(20), measure("depth"), Const(3)), ("-", "-"))
    assert look(program(require(Compare("==", expression, Const(10)))), {"depth": Value(7)}).verdict is PASS


# --- questions


def test_questions_are_about_leaves_each_once_in_order() -> None:
    policy = program(require(HEALTHY), require(FAST), observe(HEALTHY), require(NO_REGRESSION))
    asked = questions(policy, policy.analyses["main"], 5 * MINUTE)
    assert asked == (
        MetricQuestion("requests", "canary", MINUTE, 5 * MINUTE),
        MetricQuestion("duration", "canary", MINUTE, 5 * MINUTE),
        MetricQuestion("requests", "primary", MINUTE, 5 * MINUTE),
    )


def test_a_derived_metric_is_asked_of_the_arm_and_window_of_the_check() -> None:
    policy = program(require(Compare(">=", measure("success_rate", PRIMARY, 30_000), Const(0.5))))
    assert questions(policy, policy.analyses["main"], 7) == (MetricQuestion("requests", "primary", 30_000, 7),)


def test_an_arm_that_a_derived_metric_names_itself_stays() -> None:
    policy = program(require(at_most("errors_per_slow", 2)))
    given: dict[tuple[str, str] | str, Answer] = {
        ("requests", "canary"): Events(8, 100),
        ("requests", "primary"): Events(4, 900),
    }
    assert look(policy, given).verdict is PASS
    assert look(policy, given | {("requests", "primary"): Events(3, 900)}).verdict is FAIL


def test_one_metric_over_two_windows_is_two_readings() -> None:
    condition = Compare("<=", measure("depth"), measure("depth", window_ms=2 * MINUTE))
    judgement = look(program(require(condition)), lambda question: Value(question.window_ms / MINUTE))
    assert judgement.verdict is PASS
    assert [value for _, value in judgement.results[0].values] == ["1", "2"]


def test_calls_and_gates_are_left_to_the_machine() -> None:
    analysis = Analysis(MINUTE, (CallCheck("load"), GateCheck("panic"), require(HEALTHY)))
    policy = program(more=analysis)
    assert len(questions(policy, analysis, 1)) == 1
    assert look(policy, {}).results == ()
    assert look(policy, {}).verdict is PASS


# --- kinds of lines and precedence


def test_abort_if() -> None:
    policy = program(abort(NotOf(HEALTHY)))
    assert look(policy, {"requests": Events(0, 10)}).verdict is PASS
    judgement = look(policy, {"requests": Events(5, 10)})
    assert judgement.verdict is ABORT
    assert judgement.results[0].detail == "50% >= 99% does not hold; requests: 5 bad of 10"


def test_an_abort_that_another_part_rules_out_needs_no_data_on_the_first() -> None:
    condition = AllOf((Compare("<", measure("success_rate"), Const(0.5)), Compare(">", measure("depth"), Const(1))))
    given: dict[tuple[str, str] | str, Answer] = {"requests": Events(0, 0), "depth": Value(0)}
    assert look(program(abort(condition)), given).verdict is PASS


def test_an_abort_that_is_not_known_does_not_abort() -> None:
    for answer, verdict in ((NoDataAnswer(), FAIL), (ErrorAnswer("refused"), ERROR)):
        assert look(program(abort(at_most("depth", 3))), {"depth": answer}).verdict is verdict


def test_what_is_observed_never_counts() -> None:
    policy = program(observe(HEALTHY), require(at_most("depth", 3)))
    judgement = look(policy, {"requests": Events(5, 10), "depth": Value(1)})
    assert judgement.verdict is PASS
    assert [result.verdict for result in judgement.results] == [FAIL, PASS]


LINES: dict[str, tuple[Check, Answer]] = {
    "abort": (abort(at_most("depth", 3)), Value(1)),
    "fail": (require(at_most("up", 0.5)), Value(80)),
    "error": (require(at_most("lag", 0.5)), ErrorAnswer("connection refused")),
    "inconclusive": (require(at_most("depth_hold", 1)), NoDataAnswer()),
    "pass": (require(HEALTHY), Events(0, 10)),
}


@pytest.mark.parametrize("first", range(5))
def test_the_gravest_line_decides(first: int) -> None:
    names = list(LINES)[first:]
    answers: dict[tuple[str, str] | str, Answer] = {
        "depth": Value(1),
        "up": Value(80),
        "lag": ErrorAnswer("refused"),
        "requests": Events(0, 10),
    }
    policy = program(*(LINES[name][0] for name in reversed(names)))
    judgement = look(policy, {**answers, "depth_hold": NoDataAnswer()})
    assert judgement.verdict.value == names[0]


# --- no data and errors


@pytest.mark.parametrize(
    ("policy", "line", "whole", "detail"),
    [
        ("fail", NO_DATA, FAIL, "`depth_fail`: no data, which counts as a failure"),
        ("pass", PASS, PASS, "`depth_pass`: no data, which this metric lets pass"),
        ("skip", NO_DATA, PASS, "`depth_skip`: no data, so that this check takes no part"),
        ("hold", NO_DATA, INCONCLUSIVE, "`depth_hold`: no data, for which this metric waits"),
    ],
)
def test_no_data_follows_the_metric(policy: str, line: Verdict, whole: Verdict, detail: str) -> None:
    judgement = look(program(require(at_most(f"depth_{policy}", 3))), {f"depth_{policy}": NoDataAnswer()})
    assert judgement.verdict is whole
    assert judgement.results[0].verdict is line
    assert judgement.results[0].detail == detail
    assert judgement.results[0].values == ((f"depth_{policy}", "no data"),)


def test_no_requests_have_no_success_rate() -> None:
    judgement = look(program(require(HEALTHY)), {"requests": Events(0, 0)})
    assert judgement.verdict is FAIL
    assert judgement.results[0].verdict is NO_DATA


def test_requests_that_all_failed_have_one() -> None:
    assert look(program(require(HEALTHY)), {"requests": Events(10, 10)}).results[0].verdict is FAIL


@pytest.mark.parametrize("policy", ["fail", "pass", "skip", "hold"])
def test_a_number_that_is_none_never_passes(policy: str) -> None:
    name = f"depth_{policy}"
    for number in (math.nan, math.inf, -math.inf):
        for condition in (at_most(name, 3), at_least(name, 3), NotOf(at_most(name, 3))):
            judgement = look(program(require(condition)), {name: Value(number)})
            assert judgement.verdict is FAIL
            assert judgement.results[0].verdict is NO_DATA


@pytest.mark.parametrize("policy", ["fail", "pass", "skip", "hold"])
def test_division_by_zero_never_passes(policy: str) -> None:
    quotient = Arith((Const(1), measure(f"depth_{policy}")), ("/",))
    judgement = look(program(require(Compare("<=", quotient, Const(5)))), {f"depth_{policy}": Value(0)})
    assert judgement.verdict is FAIL
    assert judgement.results[0].detail == "division by zero, which counts as a failure"


def test_an_error_holds_and_a_sure_failure_outweighs_it() -> None:
    down = ErrorAnswer("connection refused")
    policy = program(require(HEALTHY), require(at_most("depth", 3)))
    assert look(policy, {"requests": down, "depth": Value(1)}).verdict is ERROR
    assert look(policy, {"requests": down, "depth": Value(4)}).verdict is FAIL
    result = look(policy, {"requests": down, "depth": Value(1)}).results[0]
    assert (result.verdict, result.detail) == (ERROR, "`requests`: connection refused")
    assert result.values == (("success_rate", "error"),)


def test_an_answer_of_the_wrong_kind_is_an_error() -> None:
    assert look(program(require(HEALTHY)), {"requests": Value(3)}).verdict is ERROR
    assert look(program(require(FAST)), {"duration": Events(1, 2)}).verdict is ERROR
    assert look(program(require(at_most("depth", 3))), {"depth": Events(1, 2)}).verdict is ERROR


def test_or_can_be_settled_without_the_missing_part() -> None:
    condition = AnyOf((at_most("depth", 3), at_most("lag", 1)))
    assert look(program(require(condition)), {"depth": NoDataAnswer(), "lag": Value(5)}).verdict is PASS
    assert look(program(require(condition)), {"depth": NoDataAnswer(), "lag": Value(5000)}).verdict is FAIL


# --- quantiles


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [(5.0, FAIL), (9.999, FAIL), (10.0, INCONCLUSIVE), (20.0, INCONCLUSIVE)],
)
def test_a_quantile_beyond_the_last_bound(limit: float, verdict: Verdict) -> None:
    judgement = look(program(require(at_most("latency(0.99)", limit))), {"duration": buckets(900, 950, 1000)})
    assert judgement.verdict is verdict
    assert judgement.results[0].values == (("latency(0.99)", "at least 10s"),)
    if verdict is INCONCLUSIVE:
        assert "at least 10s: the histogram's last bound" in judgement.results[0].detail


def test_a_quantile_within_its_buckets() -> None:
    assert look(program(require(FAST)), {"duration": buckets(1000, 1000, 1000)}).verdict is PASS
    assert look(program(require(FAST)), {"duration": buckets(980, 1000, 1000)}).verdict is FAIL
    assert look(program(require(FAST)), {"duration": buckets(0, 0, 0)}).results[0].verdict is NO_DATA


@pytest.mark.parametrize(("canary", "verdict"), [(99, INCONCLUSIVE), (100, PASS)])
def test_quantiles_of_two_arms_need_a_hundred_requests_each(canary: float, verdict: Verdict) -> None:
    limit = Arith((measure("latency(0.99)", PRIMARY), Const(1.2)), ("*",))
    policy = program(require(Compare("<=", measure("latency(0.99)"), limit)))
    judgement = look(
        policy,
        {("duration", "canary"): buckets(canary, canary, canary), ("duration", "primary"): buckets(900, 900, 900)},
    )
    assert judgement.verdict is verdict
    if verdict is INCONCLUSIVE:
        assert judgement.results[0].detail == "`duration` has 99 requests, and to compare it takes 100"


def test_a_quantile_against_a_threshold_needs_no_hundred_requests() -> None:
    assert look(program(require(FAST)), {"duration": buckets(3, 3, 3)}).verdict is PASS


# --- branches


def test_a_branch_is_decided_or_not_known() -> None:
    policy = program()
    condition = Compare("<", measure("success_rate", PRIMARY), Const(0.99, Unit.PERCENT))
    (question,) = condition_questions(policy, condition, 9)
    assert question == MetricQuestion("requests", "primary", MINUTE, 9)
    assert decide(policy, condition, 9, {question.key: Events(5, 100)}) == (
        True,
        "95% < 99% holds",
        (("success_rate of primary", "95%"),),
    )
    assert decide(policy, condition, 9, {question.key: Events(0, 100)})[0] is False
    for answer in (NoDataAnswer(), ErrorAnswer("refused"), Events(0, 0)):
        truth, reason, _ = decide(policy, condition, 9, {question.key: answer})
        assert truth is None
        assert reason.startswith("`requests of primary`: ")


def test_a_branch_has_no_evidence_to_decide_a_statistical_check_by() -> None:
    policy = program()
    asked = condition_questions(policy, NO_REGRESSION, 9)
    truth, reason, _ = decide(policy, NO_REGRESSION, 9, {question.key: Events(0, 100) for question in asked})
    assert truth is None
    assert "evidence" in reason


def test_judging_leaves_evidence_of_others_alone() -> None:
    evidence = {"another check": {"end": 1.0}}
    assert look(program(require(HEALTHY)), {"requests": Events(0, 9)}, evidence=evidence).evidence == evidence
