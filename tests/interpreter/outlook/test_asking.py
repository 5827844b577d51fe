"""A Prometheus says what the primary's traffic is like; where it does not, that is said and nothing is guessed."""

from __future__ import annotations

import pytest

from dsl.ir import Program
from interpreter.outlook.asking import seen
from interpreter.outlook.traffic import Unusable, Wanted, traffic
from interpreter.simulator.crowd import Latencies, Requests
from tests.interpreter.outlook.policies import policy
from tests.prometheus.server import RealPrometheus

HOUR_MS = 3_600_000


def asking(bad: str, total: str, buckets: str) -> Program:
    """A policy whose metrics are these queries."""
    metrics = f'''
        metric orders returns events {{ bad prometheus """{bad}"""
          total prometheus """{total}""" }}
        metric times returns histogram {{ prometheus """{buckets}""" }}
    '''
    return policy("require no_regression(orders); require no_slower(times)", metrics=metrics)


def bucket(bound: str, count: int) -> str:
    return f'label_replace(vector({count}), "le", "{bound}", "", "")'


BUCKETS = f"{bucket('0.1', 18000)} or {bucket('0.5', 35000)} or {bucket('+Inf', 36000)}"


def test_rates_shares_and_buckets_are_the_primarys(real_prometheus: RealPrometheus) -> None:
    """Only the primary has data, over the window that was asked for."""
    alone = '{{ "vector(72)" if arm == "primary" and interval == "3600s" else "absent(vector(1))" }}'
    service = seen(asking(alone, "vector(36000)", BUCKETS), real_prometheus.url, HOUR_MS)
    assert service.load == 10
    assert service.healthy["orders"] == Requests(10, 0.002)
    times = service.healthy["times"]
    assert isinstance(times, Latencies)
    assert (times.rate, times.bounds) == (10, (0.1, 0.5))
    assert times.shares == pytest.approx((0.5, 17 / 36, 1 / 36))
    slower = service.slower["times"]
    assert isinstance(slower, Latencies)
    assert slower.shares[0] < 0.5
    assert slower.shares[2] > 1 / 36
    assert sum(slower.shares) == pytest.approx(1)


def test_what_is_reckoned_with_is_said(real_prometheus: RealPrometheus) -> None:
    asked = Wanted(None, prometheus=real_prometheus.url, window_ms=HOUR_MS)
    _, words = traffic(asking("vector(72)", "vector(36000)", BUCKETS), asked)
    assert words == "10 requests a second, as the primary had in the last 1h"


@pytest.mark.parametrize(
    ("bad", "total", "why"),
    [
        ("vector(0)", "absent(vector(1))", "orders: the query has no result: there is no traffic of the primary"),
        ("vector(0)", "vector(0)", "orders: the primary had no requests: there is no traffic of the primary"),
        ("vector(0)", "sum(", "the primary's traffic could not be asked for: orders: "),
    ],
)
def test_no_data_is_not_guessed(real_prometheus: RealPrometheus, bad: str, total: str, why: str) -> None:
    with pytest.raises(Unusable) as caught:
        seen(asking(bad, total, BUCKETS), real_prometheus.url, HOUR_MS)
    assert str(caught.value).startswith(why)


def test_a_server_that_does_not_answer_is_named_and_nothing_else() -> None:
    with pytest.raises(Unusable, match="the primary's traffic could not be asked for: orders: "):
        seen(asking("vector(0)", "vector(1)", BUCKETS), "http://127.0.0.1:1", HOUR_MS)


def test_metrics_of_another_provider_are_not_asked_of_prometheus() -> None:
    metrics = 'metric orders returns events { bad datadog "a"; total datadog "b" }'
    with pytest.raises(Unusable, match="orders: "):
        seen(policy("require no_regression(orders)", metrics=metrics), "http://127.0.0.1:1", HOUR_MS)


def test_a_policy_that_counts_nothing_has_nothing_to_ask_for() -> None:
    program = policy("require queue <= 3", metrics='metric queue returns count { prometheus "queue" }')
    with pytest.raises(Unusable, match="no check of this policy counts requests or latencies"):
        seen(program, "http://127.0.0.1:1", HOUR_MS)
