"""Google Cloud Monitoring: PromQL and MQL go where they belong, integers are numbers, and nothing partial passes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest

from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble, guarded
from interpreter.providers.stackdriver import Stackdriver
from tests.interpreter.providers.test_prometheus_auth import ONE, service_account
from tests.interpreter.providers.wire import Said, Wire, wired

MQL = "fetch k8s_container | metric 'm' | within 1m"
QUERY = RenderedQuery("sum(m)", at_ms=1_795_413_067_184, window_ms=60_000)


@pytest.fixture(scope="module")
def key() -> str:
    return service_account("http://unset.test/token")


@pytest.fixture
async def server() -> AsyncIterator[Wire]:
    async with wired() as made:
        made.by_path = {"/token": Said({"access_token": "ya29.g00gle", "expires_in": 3600})}
        yield made


@pytest.fixture
async def google(server: Wire) -> AsyncIterator[Stackdriver]:
    made = Stackdriver(server.url)
    yield made
    await made.close()


def query(server: Wire, key: str, text: str = MQL, **more: str) -> RenderedQuery:
    account = key.replace("http://unset.test", server.url)
    return QUERY._replace(text=text, secret={"serviceAccountKey": account, **more})


def point(end: str, **value: object) -> dict[str, object]:
    return {"values": [value], "timeInterval": {"endTime": end}}


def page(*points: dict[str, object], **more: object) -> Said:
    described = {"labelDescriptors": [{"key": "pod"}], "pointDescriptors": [{"key": "v"}]}
    series = {"labelValues": [{"stringValue": "a"}], "pointData": list(points)}
    return Said({"timeSeriesDescriptor": described, "timeSeriesData": [series], **more})


async def test_promql_goes_to_the_projects_prometheus(server: Wire, google: Stackdriver, key: str) -> None:
    server.answers = [ONE]
    assert await google.measure(query(server, key, "sum(m)", project="shop")) == Measurement((Sample({}, 1.0),))
    asked = server.asked[-1]
    assert asked.path == "/v1/projects/shop/location/global/prometheus/api/v1/query"
    assert parse_qs(asked.body.decode()) == {"query": ["sum(m)"], "time": ["1795413067.184"]}
    assert asked.headers["authorization"] == "Bearer ya29.g00gle"


@pytest.mark.parametrize("text", [MQL, f"{{ {MQL} }} | ratio", f"# errors\n  {MQL}", "def f x = x; fetch a"])
async def test_mql_goes_to_its_own_endpoint(server: Wire, google: Stackdriver, key: str, text: str) -> None:
    server.answers = [page(point("2026-01-01T00:00:00Z", doubleValue=0.5))]
    assert await google.measure(query(server, key, text)) == Measurement((Sample({"pod": "a"}, 0.5),))
    assert server.asked[-1].path == "/v3/projects/acme/timeSeries:query"
    assert server.asked[-1].json == {"query": text}


@pytest.mark.parametrize(("value", "number"), [({"int64Value": "12"}, 12.0), ({"boolValue": True}, 1.0)])
async def test_integers_are_numbers(
    server: Wire, google: Stackdriver, key: str, value: dict[str, object], number: float
) -> None:
    server.answers = [page(point("2026-01-01T00:00:00Z", **value))]
    assert (await google.measure(query(server, key))).samples[0].value == number


async def test_the_newest_point_that_is_not_null_counts(server: Wire, google: Stackdriver, key: str) -> None:
    moments = [point(f"2026-01-01T00:0{minute}:00Z", doubleValue=float(minute)) for minute in (1, 3, 2)]
    server.answers = [page(*moments, point("2026-01-01T00:04:00Z"))]
    assert (await google.measure(query(server, key))).samples == (Sample({"pod": "a"}, 3.0),)
    server.answers = [
        page(point("2026-01-01T00:00:00.5Z", doubleValue=2.0), point("2026-01-01T00:00:00Z", doubleValue=1.0))
    ]
    assert (await google.measure(query(server, key))).samples == (Sample({"pod": "a"}, 2.0),)


@pytest.mark.parametrize("answer", [Said({}), page(), page(point("2026-01-01T00:00:00Z"))])
async def test_no_points_are_no_data(server: Wire, google: Stackdriver, key: str, answer: Said) -> None:
    server.answers = [answer]
    assert await google.measure(query(server, key)) == Measurement(())


async def test_all_pages_are_read(server: Wire, google: Stackdriver, key: str) -> None:
    moment = point("2026-01-01T00:00:00Z", doubleValue=1)
    server.answers = [page(moment, nextPageToken="more"), page(moment)]
    assert len((await google.measure(query(server, key))).samples) == 2
    assert server.asked[-1].json == {"query": MQL, "pageToken": "more"}


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (page(partialErrors=[{"code": 14, "message": "a zone is down"}]), Trouble.PARTIAL, "a zone is down"),
        (page(point("t", distributionValue={})), Trouble.BAD_QUERY, "gives a distributionValue"),
        (page({"values": [{}, {}], "timeInterval": {"endTime": "t"}}), Trouble.BAD_QUERY, "several columns"),
        (page(nextPageToken="for ever"), Trouble.PARTIAL, "more than 10 pages"),
        (Said([]), Trouble.BAD_QUERY, "check the address"),
        (Said({"error": {"code": 400, "message": "bad MQL"}}, 400), Trouble.BAD_QUERY, "bad MQL"),
        (Said({"error": {"code": 403, "message": "no ya29.g00gle"}}, 403), Trouble.AUTH, "does not let us in"),
        (Said("", 503), Trouble.TRANSIENT, "answered 503"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Wire, google: Stackdriver, key: str, answer: Said, kind: Trouble, words: str
) -> None:
    server.answers = [answer]
    with pytest.raises(ProviderError) as caught:
        await guarded(google, query(server, key), first_delay=0.001)
    assert caught.value.trouble is kind
    assert words in str(caught.value)
    assert "ya29" not in str(caught.value)


async def test_a_project_is_needed(google: Stackdriver) -> None:
    with pytest.raises(ProviderError, match="put it under `project`"):
        await google.measure(QUERY)


async def test_without_a_key_only_google_is_asked(server: Wire, google: Stackdriver) -> None:
    with pytest.raises(ProviderError, match="not Google's"):
        await google.measure(QUERY._replace(secret={"project": "shop"}))
    assert not server.asked
