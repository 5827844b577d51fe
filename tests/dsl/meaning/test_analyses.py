"""Protects analyses and metrics: windows, arms, units, includes, arguments, the choice of a query, and the text of a
check."""

from __future__ import annotations

import pytest

from dsl import ir
from tests.dsl.meaning.small import check, codes, policy, program

OWN = 'metric own returns {} {{ prometheus "x" }}'


def analysis(items: str, head: str = "") -> ir.Analysis:
    return program(policy(checks=items, head=head)).analyses["analysis"]


# --- settings ---------------------------------------------------------------------------------------------------


def test_what_is_not_said_has_its_default() -> None:
    found = analysis("require success_rate >= 99%")
    assert (found.every_ms, found.warm_up_ms, found.provider_errors, found.budget) == (60_000, 0, 3, 0.01)
    assert found.tolerate == ir.Tolerance(1)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("5 failures", ir.Tolerance(5)),
        ("0 failures", ir.Tolerance(0)),
        ("3 consecutive failures", ir.Tolerance(3, "consecutive")),
        ("2 failures in 10", ir.Tolerance(2, "window", 10)),
    ],
)
def test_tolerance(said: str, meant: ir.Tolerance) -> None:
    assert analysis(f"tolerate {said}; require success_rate >= 99%").tolerate == meant


def test_a_query_has_the_window_it_says_or_that_of_the_analysis() -> None:
    found = analysis("every 30s; require latency <= 1s; require latency <= latency of primary * 2 over 5m")
    windows = [
        measure.window_ms
        for one in found.checks
        if isinstance(one, ir.Check) and isinstance(one.condition, ir.Compare)
        for measure in (one.condition.left, one.condition.right)
        if isinstance(measure, ir.Measure)
    ]
    assert windows == [30_000, 300_000]


def test_what_an_analysis_says_wins_over_what_it_includes() -> None:
    head = "analysis base(t = 99%) { every 10s; warm_up 5m; tolerate 7 failures; require success_rate >= t }"
    found = analysis("every 20s; include base(t: 95%); observe latency <= 1s", head)
    assert (found.every_ms, found.warm_up_ms, found.tolerate.count) == (20_000, 300_000, 7)
    assert [one.text for one in found.checks if isinstance(one, ir.Check)] == [
        "success_rate >= 95%",
        "latency(0.99) <= 1s",
    ]
    first = found.checks[0]
    assert isinstance(first, ir.Check)
    assert isinstance(first.condition, ir.Compare)
    assert first.condition.left == ir.Measure("success_rate", ir.Arm.CANARY, 20_000)


def test_what_is_included_twice_is_checked_once() -> None:
    head = "analysis a { require success_rate >= 99% }\nanalysis b { include a }"
    assert len(analysis("include a; include b", head).checks) == 1


def test_each_use_with_other_arguments_is_an_analysis_of_its_own() -> None:
    head = "analysis slo(target = 99%, slow = 1s) { require success_rate >= target }"
    found = program(
        policy("hold 1m with slo(99.9%); hold 1m with slo(target: 99%); hold 1m with slo(slow: 2s); promote", head=head)
    )
    assert list(found.analyses) == ["analysis", "slo(target: 99.9%)", "slo", "slo(slow: 2s)"]


# --- metrics ----------------------------------------------------------------------------------------------------


def test_a_derived_metric_keeps_its_expression_and_brings_its_leaves() -> None:
    metrics = program(policy(checks="every 1m; require success_rate of primary >= 99%")).metrics
    assert list(metrics) == ["success_rate", "requests"]
    assert metrics["success_rate"].expr == ir.Arith(
        (ir.Const(1.0, ir.Unit.PERCENT), ir.Measure("requests", ir.Arm.CANARY, 0, "rate")), ("-",)
    )
    assert [query.part for query in metrics["requests"].queries] == ["bad", "total"]


def test_an_arm_that_a_metric_names_stays() -> None:
    head = "metric slower returns ratio = latency / latency of primary"
    metrics = program(policy(checks="every 1m; require slower <= 120%", head=head)).metrics
    assert metrics["slower"].expr == ir.Arith(
        (ir.Measure("latency(0.99)", ir.Arm.CANARY, 0), ir.Measure("latency(0.99)", ir.Arm.PRIMARY, 0)), ("/",)
    )


METRIC = """metric m(name = "n", n = 5, share = 5%, time = 90s) returns count {
  prometheus "plain"
  no_data skip
  server "http://plain"
  for istio { prometheus "mesh"; no_data hold }
  for nginx { secret "s" }
}"""


@pytest.mark.parametrize(
    ("traffic", "query", "no_data", "secret"),
    [
        ("istio", "mesh", "hold", None),
        ("linkerd", "plain", "skip", None),
        ('nginx { ingress "x" }', "plain", "skip", "s"),
    ],
)
def test_the_variant_for_the_traffic_wins(traffic: str, query: str, no_data: str, secret: str | None) -> None:
    text = policy(checks="every 1m; require m <= 1", head=METRIC, traffic=traffic)
    (found,) = program(text).metrics.values()
    assert (found.queries[0].text, found.no_data, found.secret, found.server) == (
        query,
        no_data,
        secret,
        "http://plain",
    )
    assert found.arguments == {"name": "n", "n": 5.0, "share": 0.05, "time": "1m30s"}


def test_names_of_metrics_say_what_they_measure() -> None:
    text = policy(checks='every 1m; require m <= 1; require m("o") <= 1; require m(share: 6%, n: 7) <= 1', head=METRIC)
    assert list(program(text).metrics) == [
        "m(n: 5, share: 5%, time: 1m30s)",
        'm("o", 5, 5%, 1m30s)',
        "m(n: 7, share: 6%, time: 1m30s)",
    ]


def test_a_histogram_in_milliseconds_says_so() -> None:
    head = 'metric d returns histogram { prometheus "x"; for istio { prometheus "y"; buckets milliseconds } }'
    (found,) = program(policy(checks="every 1m; require no_slower(d)", head=head)).metrics.values()
    assert found.bucket_scale == 0.001


# --- conditions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("success_rate >= 99% over 1m", None),
        ("success_rate >= 99.90%", "success_rate >= 99.9%"),
        ("latency <= 0.5 * 3s", "latency(0.99) <= 1s500ms"),
        ("latency(0.9) <= latency(0.9) of primary * 1.2 + 20ms", None),
        ("(latency + 1ms) * 2 <= 5s", "(latency(0.99) + 1ms) * 2 <= 5s"),
        ("latency / (2 * latency of primary) <= 5", "latency(0.99) / (2 * latency(0.99) of primary) <= 5"),
        ("requests.rate of primary < 1%", None),
        ("duration.quantile(0.5) < 1s", None),
        ("success_rate in 90%..99.5%", None),
        ("success_rate < 5% or requests.total < 10 and requests.bad > 3", None),
        ("(success_rate < 5% or requests.total < 10) and requests.bad > 3", None),
        ("not (success_rate < 5% and requests.bad > 3)", None),
        ("max(success_rate, success_rate of primary) > 5%", None),
        ("success_rate of canary > 5%", "success_rate > 5%"),
        ("(success_rate < 5% or requests.total < 10) over 30s", None),
        ("success_rate < 5% over 30s or requests.total < 10 over 1m", None),
        ("no_regression(requests, confidence: 99%, ratio: 1.0)", "no_regression(requests)"),
        ("no_regression(requests, ratio: 1.5) over 2m", None),
        ("meets(requests, objective: 99.5%)", "meets(requests, 99.5%)"),
        ("not_worse(latency(0.5) * 2, better: lower)", None),
        (
            "kayenta(latency(0.5), direction: increase, critical: true, tolerance: 30%)",
            "kayenta(latency(0.5), tolerance: 30%, direction: increase, critical: true)",
        ),
    ],
)
def test_the_text_of_a_check_is_what_it_checks(written: str, shown: str | None) -> None:
    found = check(f"require {written}")
    assert found.text == (shown or written)
    assert check(f"require {found.text}") == found


def test_a_bare_number_beside_a_ratio_is_a_ratio() -> None:
    found = check("require own <= 0.05", head=OWN.format("ratio"))
    assert found.condition == ir.Compare(
        "<=", ir.Measure("own", ir.Arm.CANARY, 60_000), ir.Const(0.05, ir.Unit.PERCENT)
    )


def test_against_whom_a_statistical_check_compares() -> None:
    for items, arm in (("", ir.Arm.PRIMARY), ("baseline", ir.Arm.BASELINE)):
        (found,) = (
            program(policy(checks="every 1m; require no_slower(duration)", items=items)).analyses["analysis"].checks
        )
        assert isinstance(found, ir.Check)
        assert isinstance(found.condition, ir.Statistical)
        assert found.condition.against is arm
    meets = check("require meets(requests, 99%)").condition
    assert isinstance(meets, ir.Statistical)
    assert (meets.against, meets.params) == (None, {"objective": 0.99, "confidence": 0.99})


def test_abort_if_not_turns_a_statistical_check_round() -> None:
    found = check("abort if not no_slower(duration)")
    assert isinstance(found.condition, ir.NotOf)
    assert found.text == "not no_slower(duration)"


@pytest.mark.parametrize("unit", ["percent", "ratio", "milliseconds", "seconds", "rate", "count", "bytes", "number"])
def test_like_compares_with_like(unit: str) -> None:
    assert not codes(policy(checks="every 1m; require own <= own of primary * 1.1", head=OWN.format(unit)))


DIMENSIONS = {"percent": "5%", "seconds": "5s", "count": "5", "rate": "5", "bytes": "5", "number": "5"}


@pytest.mark.parametrize("left", DIMENSIONS)
@pytest.mark.parametrize("right", DIMENSIONS)
def test_unlike_does_not_compare_with_unlike(left: str, right: str) -> None:
    head = f'metric a returns {left} {{ prometheus "x" }}\nmetric b returns {right} {{ prometheus "x" }}'
    found = codes(policy(checks="every 1m; require a <= b", head=head))
    counted = {left, right} & {"count", "rate", "bytes"} and "number" in (left, right)
    assert found == ([] if left == right or counted else ["RW203"])
