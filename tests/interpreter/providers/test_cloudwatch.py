"""CloudWatch through botocore: the newest whole period counts, all pages are read, and what is partial is no number.

The server speaks what botocore speaks to CloudWatch: Amazon's JSON 1.0.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from interpreter.providers.cloudwatch import CloudWatch, read, span
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble, guarded
from tests.interpreter.providers.wire import Said, Wire, wired

SECRET = {"aws_access_key_id": "AKIA1", "aws_secret_access_key": "very-secret-key"}
METRIC = '{"Metric": {"Namespace": "n", "metricname": "m"}, "Period": 60, "Stat": "Sum"}'
TEXT = f'[{{"id": "e1", "expression": "m1"}}, {{"Id": "m1", "MetricStat": {METRIC}, "returndata": false}}]'
QUERY = RenderedQuery(TEXT, at_ms=1_795_413_067_184, window_ms=60_000, secret=SECRET, region="eu-x-1")


def says(body: dict[str, object], status: int = 200) -> Said:
    return Said(body, status, {"Content-Type": "application/x-amz-json-1.0"})


def result(*values: float, id: str = "e1", label: str = "l", status: str = "Complete") -> dict[str, object]:
    """The newest first, a minute apart."""
    times = [1_795_413_000 - 60 * place for place in range(len(values))]
    return {"Id": id, "Label": label, "Timestamps": times, "Values": list(values), "StatusCode": status}


def data(*results: dict[str, object], **more: object) -> Said:
    return says({"MetricDataResults": list(results), **more})


@pytest.fixture
async def server() -> AsyncIterator[Wire]:
    async with wired() as made:
        yield made


@pytest.fixture
async def cloudwatch() -> AsyncIterator[CloudWatch]:
    made = CloudWatch()
    yield made
    await made.close()


async def ask(server: Wire, cloudwatch: CloudWatch, query: RenderedQuery = QUERY) -> Measurement:
    return await guarded(cloudwatch, query._replace(server=server.url), timeout=20, first_delay=0.001)


async def test_the_newest_value_of_whole_periods_counts(server: Wire, cloudwatch: CloudWatch) -> None:
    server.answers = [data(result(3.0, 2.0, 1.0))]
    assert await ask(server, cloudwatch) == Measurement((Sample({"id": "e1", "label": "l"}, 3.0),))
    asked = server.asked[0].json
    assert server.asked[0].headers["x-amz-target"] == "GraniteServiceVersion20100801.GetMetricData"
    assert "Credential=AKIA1/" in server.asked[0].headers["authorization"]
    assert "/eu-x-1/monitoring/" in server.asked[0].headers["authorization"]
    assert asked["EndTime"] == 1_795_413_060
    assert asked["StartTime"] == 1_795_412_460
    stat = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    assert asked["MetricDataQueries"] == [
        {"Id": "e1", "Expression": "m1"},
        {"Id": "m1", "MetricStat": stat, "ReturnData": False},
    ]


def test_a_long_period_is_looked_at_whole() -> None:
    assert span(read(TEXT.replace("60", "3600")), QUERY) == (1_795_410_000 - 3600, 1_795_410_000)


async def test_no_values_are_no_data(server: Wire, cloudwatch: CloudWatch) -> None:
    server.answers = [data(result())]
    assert await ask(server, cloudwatch) == Measurement(())


async def test_all_pages_are_read(server: Wire, cloudwatch: CloudWatch) -> None:
    server.answers = [data(result(status="PartialData"), NextToken="more"), data(result(7.0))]
    assert (await ask(server, cloudwatch)).samples == (Sample({"id": "e1", "label": "l"}, 7.0),)
    assert [asked.json.get("NextToken") for asked in server.asked] == [None, "more"]


async def test_the_first_query_counts_and_a_search_has_several_series(server: Wire, cloudwatch: CloudWatch) -> None:
    server.answers = [data(result(9.0, id="m1"), result(1.0, label="a"), result(2.0, label="b"))]
    assert [sample.value for sample in (await ask(server, cloudwatch)).samples] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (data(result(1.0, status="PartialData")), Trouble.PARTIAL, "PartialData of `e1`"),
        (data(result(1.0, status="InternalError")), Trouble.TRANSIENT, "InternalError"),
        (data(result(status="Forbidden")), Trouble.AUTH, "Forbidden"),
        (
            data(result(1.0), Messages=[{"Code": "MaxMetricsExceeded", "Value": "first 100"}]),
            Trouble.PARTIAL, "not whole: MaxMetricsExceeded: first 100",
        ),
        (says({"__type": "com.amazonaws#ThrottlingException", "message": "slower"}, 400), Trouble.TRANSIENT, "slower"),
        (says({"__type": "com.amazonaws#AccessDeniedException", "message": "no"}, 403), Trouble.AUTH, "AccessDenied"),
        (says({"__type": "com.amazonaws#InvalidParameterValue", "message": "x"}, 400), Trouble.BAD_QUERY, "Invalid"),
        (data(result(1.0), NextToken="for ever"), Trouble.PARTIAL, "more than 10 pages"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(
    server: Wire, cloudwatch: CloudWatch, answer: Said, kind: Trouble, words: str
) -> None:
    server.answers = [answer]
    with pytest.raises(ProviderError) as caught:
        await ask(server, cloudwatch)
    assert caught.value.trouble is kind
    assert words in str(caught.value)
    assert "very-secret-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("SELECT", "no JSON"), ("{}", "a JSON array"), ("[]", "a JSON array"), ('[{"Expression": "m1"}]', "cannot take")],
)
async def test_a_query_that_is_none_is_refused_unasked(
    server: Wire, cloudwatch: CloudWatch, text: str, words: str
) -> None:
    with pytest.raises(ProviderError, match=words) as caught:
        await ask(server, cloudwatch, QUERY._replace(text=text))
    assert caught.value.trouble is Trouble.BAD_QUERY
    assert not server.asked


async def test_without_keys_only_amazons_own_addresses_are_asked(server: Wire, cloudwatch: CloudWatch) -> None:
    with pytest.raises(ProviderError, match="needs keys of its own"):
        await ask(server, cloudwatch, QUERY._replace(secret={}))
    assert not server.asked


async def test_a_region_is_needed_and_may_stand_in_the_secret(server: Wire, cloudwatch: CloudWatch) -> None:
    with pytest.raises(ProviderError, match="needs a `region`"):
        await ask(server, cloudwatch, QUERY._replace(region=""))
    server.answers = [data(result(1.0))]
    await ask(server, cloudwatch, QUERY._replace(region="", secret={**SECRET, "region": "eu-y-2"}))
    assert "/eu-y-2/monitoring/" in server.asked[0].headers["authorization"]
