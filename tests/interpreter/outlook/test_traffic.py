"""Options that make sense are understood, and the others refused with what to write instead."""

from __future__ import annotations

import pytest

from interpreter.outlook.traffic import Unusable, Wanted, traffic, wanted
from tests.interpreter.outlook.policies import policy

NAMES = ("rps", "errors", "latency", "slow", "prometheus", "window", "runs")


def understood(**given: str) -> Wanted:
    return wanted(*(given.get(name) for name in NAMES))


def test_latencies_that_nobody_gave_are_assumed_and_said_to_be() -> None:
    asked = understood(rps="50", errors="0.2%")
    assert asked.expected is not None
    assert asked.expected == pytest.approx((50, 0.002, 0.1, 0.32))
    _, words = traffic(policy("require success_rate >= 99%"), asked)
    assert words == (
        "50 requests a second, 0.2% of them bad; latency 100ms (median), 320ms (p99)"
        " (assumed: no `--latency` nor `--slow` given)"
    )


@pytest.mark.parametrize(
    ("given", "median", "slow"),
    [
        ({"latency": "120ms", "slow": "900ms"}, 0.12, 0.9),
        ({"latency": "1s"}, 1.0, 3.2),
        ({"slow": "3.2s"}, 1.0, 3.2),
    ],
)
def test_latencies(given: dict[str, str], median: float, slow: float) -> None:
    asked = understood(rps="0.5", errors="0%", **given).expected
    assert asked == pytest.approx((0.5, 0, median, slow))


def test_a_prometheus_and_how_far_back() -> None:
    assert understood(prometheus="http://here:9090").window_ms == 3_600_000
    asked = understood(prometheus="http://here:9090", window="1d12h", runs="50")
    assert asked == Wanted(None, prometheus="http://here:9090", window_ms=36 * 3_600_000, runs=50)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"rps": "50"}, "give `--errors 0.2%` too"),
        ({"errors": "1%"}, "give `--rps 50` too"),
        ({"runs": "100"}, "give `--rps 50` and `--errors 0.2%` too"),
        ({"rps": "0", "errors": "1%"}, "not `0`"),
        ({"rps": "-1", "errors": "1%"}, "not `-1`"),
        ({"rps": "many", "errors": "1%"}, "not `many`"),
        ({"rps": "nan", "errors": "1%"}, "not `nan`"),
        ({"rps": "1e300", "errors": "1%"}, "not `1e300`"),
        ({"rps": "5", "errors": "0.2"}, "do you mean `0.2%`?"),
        ({"rps": "5", "errors": "-1%"}, "not `-1%`"),
        ({"rps": "5", "errors": "100%"}, "less than 100%"),
        ({"rps": "5", "errors": "inf%"}, "not `inf%`"),
        ({"rps": "5", "errors": "%"}, "not `%`"),
        ({"rps": "5", "errors": "1%", "latency": "120"}, "`--latency` is a time such as `120ms`"),
        ({"rps": "5", "errors": "1%", "latency": "0ms"}, "not `0ms`"),
        ({"rps": "5", "errors": "1%", "slow": "1h"}, "`--slow` is a time"),
        ({"rps": "5", "errors": "1%", "latency": "1s", "slow": "900ms"}, "900ms is not above 1s"),
        ({"rps": "5", "errors": "1%", "runs": "3"}, "from 10 to a million; not `3`"),
        ({"rps": "5", "errors": "1%", "window": "1h"}, "`--prometheus` looks, which is not given"),
        ({"prometheus": "here:9090"}, "an address such as"),
        ({"prometheus": "http://here", "rps": "5"}, "`--rps` says what it is: give one or the other"),
        ({"prometheus": "http://here", "window": "1"}, "from 1m to 31d; not `1`"),
        ({"prometheus": "http://here", "window": "90d"}, "not `90d`"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, str], why: str) -> None:
    with pytest.raises(Unusable) as caught:
        understood(**given)
    assert why in str(caught.value)
