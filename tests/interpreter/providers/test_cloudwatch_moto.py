"""CloudWatch as moto plays it, asked through botocore: what was put there comes back by our JSON, over whole periods.
moto takes any signature, has no pages and computes no expressions; those are in test_cloudwatch.py."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest

from interpreter import questions
from tests.interpreter.providers.asking import answer, events, number, reason

KEYS = {"aws_access_key_id": "AKIA1", "aws_secret_access_key": "very-secret-key"}
REGION = "eu-west-1"
AT_MS = 1_790_000_065_000
"""Five seconds after the last whole minute that is looked at."""
END_S = 1_790_000_040


@pytest.fixture(scope="module")
def url(moto_cloudwatch: str) -> str:
    """Of a server that has three minutes of orders: 20, 40 and 60 of the canary, of which a tenth failed."""
    client = botocore.session.Session().create_client(
        "cloudwatch",
        region_name=REGION,
        endpoint_url=moto_cloudwatch,
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    try:
        for minute in (1, 2, 3):
            for name, count in (("requests", 20.0 * minute), ("failed", 2.0 * minute)):
                for second in (0, 30):
                    at = datetime.fromtimestamp(END_S - (4 - minute) * 60 + second, UTC)
                    data = {"MetricName": name, "Dimensions": dimensions("shop"), "Timestamp": at, "Value": count / 2}
                    client.put_metric_data(Namespace="shop", MetricData=[data])
    finally:
        client.close()
    return moto_cloudwatch


def dimensions(app: str) -> list[dict[str, str]]:
    return [{"Name": "app", "Value": app}]


def query(name: str, stat: str = "Sum", **more: Any) -> str:
    metric = {"Namespace": "shop", "MetricName": name, "Dimensions": dimensions("{{ workload }}")}
    return json.dumps([{"Id": "e1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}, **more}])


async def test_the_newest_whole_period_counts(url: str) -> None:
    metric = events("cloudwatch", query("failed"), query("requests"), url)
    ends = {END_S * 1000 + 5000: (6.0, 60.0), END_S * 1000 - 1: (4.0, 40.0), END_S * 1000 - 60_000: (4.0, 40.0)}
    for at, (bad, total) in ends.items():
        assert await answer(metric, at, secret=KEYS, region=REGION) == questions.Events(bad, total)
    average = number("cloudwatch", query("requests", "Average"), url)
    assert await answer(average, END_S * 1000, secret=KEYS, region=REGION) == questions.Value(30.0)


@pytest.mark.parametrize("text", [query("nothing"), query("requests").replace("{{ workload }}", "nobody")])
async def test_an_unknown_metric_is_no_data(url: str, text: str) -> None:
    given = await answer(number("cloudwatch", text, url), AT_MS, secret=KEYS, region=REGION)
    assert reason(given) == "it: the query has no result"


async def test_another_region_has_nothing(url: str) -> None:
    given = await answer(number("cloudwatch", query("requests"), url), AT_MS, secret=KEYS, region="us-east-1")
    assert reason(given) == "it: the query has no result"


async def test_what_it_does_not_take_is_named_in_its_words(url: str) -> None:
    given = await answer(number("cloudwatch", '[{"Id": "E1"}]', url), AT_MS, secret=KEYS, region=REGION)
    assert isinstance(given, questions.ErrorAnswer)
    assert "CloudWatch refused: Validation" in reason(given)
    assert "MetricStat is required" in reason(given)
    assert "very-secret-key" not in reason(given)
