"""Datadog's newest complete bucket is the number, not the oldest point and not one that is still filling; errors that
come with 200 are errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from interpreter.providers.datadog import Datadog, parse_series
from interpreter.providers.provider import ProviderError, RenderedQuery, Sample, Trouble
from tests.interpreter.providers.server import Answer, Server, gives, refused, says

AT = 1_795_413_067_184
QUERY = RenderedQuery(
    "avg:http.errors{service:web}",
    at_ms=AT,
    window_ms=60_000,
    secret={"datadog_api_key": "dd-api-key-0001\n", "datadog_application_key": "dd-app-key-0002"},
)
ASKED = '{"queries": [{"name": "a", "data_source": "metrics", "query": "avg:x{*}", "aggregator": "avg"}]}'
SCALAR = QUERY._replace(text=ASKED)


@pytest.fixture
async def datadog(server: Server) -> AsyncIterator[Datadog]:
    made = Datadog(server.url)
    yield made
    await made.close()


def series(*points: tuple[int, float | None], **more: object) -> dict[str, object]:
    """Points that began so many seconds ago."""
    return {"scope": "service:web", "pointlist": [[AT - ago * 1000, value] for ago, value in points], **more}


async def test_it_is_asked_as_documented(server: Server, datadog: Datadog) -> None:
    server.answers = [gives({"status": "ok", "series": []})]
    assert (await datadog.measure(QUERY)).samples == ()
    span = {"from": ["1795412467"], "to": ["1795413067"], "query": ["avg:http.errors{service:web}"]}
    assert server.target() == ("GET", "/api/v1/query", span)
    headers = server.asked[0][1]
    assert (headers["dd-api-key"], headers["dd-application-key"]) == ("dd-api-key-0001", "dd-app-key-0002")


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(180, 3.0), (120, 2.0), (60, 1.0), (20, 9.0)], 1.0),
        ([(180, 3.0), (120, 2.0), (60, None), (0, 9.0)], 2.0),
        ([(60, 1.0), (180, 3.0), (120, 2.0)], 1.0),
        ([(20, 9.0)], None),
        ([(90, 9.0)], 9.0),
        ([(120, None), (60, None)], None),
        ([], None),
    ],
)
def test_the_newest_complete_bucket_counts(points: list[tuple[int, float | None]], expected: float | None) -> None:
    got = parse_series({"status": "ok", "series": [series(*points, interval=40)]}, AT)
    assert got.samples == (() if expected is None else (Sample({"scope": "service:web"}, expected),))


async def test_a_query_in_json_goes_to_the_newer_api(server: Server, datadog: Datadog) -> None:
    columns = [
        {"type": "group", "name": "pod", "values": [["pod:a"], ["pod:b"]]},
        {"type": "number", "name": "a", "values": [0.5, None]},
    ]
    server.answers = [gives({"data": {"type": "scalar_response", "attributes": {"columns": columns}}})]
    assert (await datadog.measure(SCALAR)).samples == (Sample({"pod": "pod:a"}, 0.5),)
    assert server.target()[:2] == ("POST", "/api/v2/query/scalar")
    sent = json.loads(server.bodies[0])["data"]
    assert sent["type"] == "scalar_request"
    assert (sent["attributes"]["from"], sent["attributes"]["to"]) == (AT - 60_000, AT)
    assert sent["attributes"]["queries"][0]["aggregator"] == "avg"


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"columns": None},
        {"columns": []},
        {"columns": [{"type": "number", "name": "a", "values": []}]},
        {"columns": [{"type": "number", "name": "a", "values": None}]},
    ],
)
async def test_no_column_and_no_value_are_no_data(server: Server, datadog: Datadog, attributes: object) -> None:
    server.answers = [gives({"data": {"attributes": attributes}})]
    assert (await datadog.measure(SCALAR)).samples == ()


@pytest.mark.parametrize(
    ("query", "answer", "trouble", "words"),
    [
        (QUERY, gives({"status": "error", "error": "bad scope"}), Trouble.BAD_QUERY, "Datadog says: bad scope"),
        (QUERY, gives({"status": "error"}), Trouble.BAD_QUERY, "Datadog says: error"),
        (SCALAR, gives({"errors": "no such metric"}), Trouble.BAD_QUERY, "Datadog says: no such metric"),
        (QUERY, gives({"errors": ["Forbidden"]}, status=403), Trouble.AUTH, "does not let us in (403)"),
        (QUERY, gives({"errors": ["slow down"]}, "X-RateLimit-Reset: 0", status=429), Trouble.TRANSIENT, "429"),
        (QUERY, says(200, "<html>"), Trouble.BAD_QUERY, "did not answer in JSON"),
        (QUERY, gives({"hello": 1}), Trouble.BAD_QUERY, "another form"),
        (QUERY, gives({"series": [{"pointlist": [[1, "x"]]}]}), Trouble.BAD_QUERY, "a point is `x`"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Server, datadog: Datadog, query: RenderedQuery, answer: Answer, trouble: Trouble, words: str
) -> None:
    server.answers = [answer]
    error = await refused(datadog, query)
    assert error.trouble is trouble
    assert words in str(error)


@pytest.mark.parametrize("text", ["{", '{"formulas": []}'])
async def test_json_that_is_no_query_is_not_sent(server: Server, datadog: Datadog, text: str) -> None:
    assert (await refused(datadog, QUERY._replace(text=text))).trouble is Trouble.BAD_QUERY
    assert server.asked == []


async def test_a_secret_without_keys_is_named_before_anything_is_asked(server: Server, datadog: Datadog) -> None:
    with pytest.raises(ProviderError, match="`datadog_application_key` or `application_key`"):
        await datadog.measure(QUERY._replace(secret={"datadog_api_key": "dd-api-key-0001"}))
    assert server.asked == []
