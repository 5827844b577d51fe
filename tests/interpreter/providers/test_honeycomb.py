"""Honeycomb's three steps: the query is made, run and asked for until it is complete."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from interpreter.providers.honeycomb import POLLS, Honeycomb
from interpreter.providers.provider import RenderedQuery, Sample, Trouble
from tests.interpreter.providers.server import Answer, Server, gives, refused, says

TEXT = '{"dataset": "web app", "calculations": [{"op": "P99", "column": "ms"}], "breakdowns": ["pod"]}'
QUERY = RenderedQuery(
    TEXT, at_ms=1_795_413_067_184, window_ms=60_000, secret={"honeycomb_api_key": "hc-secret-key-1\n"}
)
MADE = gives({"id": "q1"})
RUN = gives({"id": "r/1", "query_id": "q1", "complete": False}, status=201)


def complete(*rows: object) -> bytes:
    return gives({"id": "r/1", "complete": True, "data": {"results": [{"data": row} for row in rows]}})


@pytest.fixture
async def honeycomb(server: Server) -> AsyncIterator[Honeycomb]:
    made = Honeycomb(server.url, poll=0)
    yield made
    await made.close()


async def test_it_is_asked_until_it_is_complete(server: Server, honeycomb: Honeycomb) -> None:
    server.answers = [MADE, RUN, RUN, complete({"pod": "7", "P99(ms)": 12.5})]
    assert (await honeycomb.measure(QUERY)).samples == (Sample({"pod": "7"}, 12.5),)
    lines = [line.removesuffix(" HTTP/1.1") for line, _, _ in server.asked]
    assert lines == [
        "POST /1/queries/web%20app",
        "POST /1/query_results/web%20app",
        "GET /1/query_results/web%20app/r%2F1",
        "GET /1/query_results/web%20app/r%2F1",
    ]
    assert {headers["x-honeycomb-team"] for _, headers, _ in server.asked} == {"hc-secret-key-1"}
    asked = json.loads(server.bodies[0])
    assert (asked["start_time"], asked["end_time"]) == (1795413007, 1795413067)
    assert "dataset" not in asked
    assert json.loads(server.bodies[1])["query_id"] == "q1"


@pytest.mark.parametrize("rows", [(), ({"P99(ms)": None},)])
async def test_no_row_and_null_are_no_data(server: Server, honeycomb: Honeycomb, rows: tuple[object, ...]) -> None:
    server.answers = [MADE, complete(*rows)]
    assert (await honeycomb.measure(QUERY)).samples == ()


async def test_one_that_never_ends_is_left(server: Server, honeycomb: Honeycomb) -> None:
    server.answers = [MADE, RUN]
    with pytest.raises(Exception, match="not finished"):
        await honeycomb.measure(QUERY)
    assert len(server.asked) == 2 + POLLS


async def test_a_time_of_its_own_is_kept(server: Server, honeycomb: Honeycomb) -> None:
    server.answers = [MADE, complete()]
    await honeycomb.measure(QUERY._replace(text='{"calculations": [{"op": "COUNT"}], "time_range": 600}'))
    assert server.asked[0][0].startswith("POST /1/queries/__all__ ")
    assert json.loads(server.bodies[0]) == {"calculations": [{"op": "COUNT"}], "time_range": 600}


@pytest.mark.parametrize("text", ["COUNT", "[]", "{}", '{"calculations": [{"op": "COUNT"}, {"op": "AVG"}]}'])
async def test_what_is_no_query_is_not_sent(server: Server, honeycomb: Honeycomb, text: str) -> None:
    assert (await refused(honeycomb, QUERY._replace(text=text))).trouble is Trouble.BAD_QUERY
    assert server.asked == []


@pytest.mark.parametrize(
    ("answers", "trouble", "words"),
    [
        ([gives({"error": "unknown column"}, status=422)], Trouble.BAD_QUERY, "unknown column"),
        ([MADE, gives({"error": "not of this plan"}, status=403)], Trouble.AUTH, "not of this plan"),
        ([MADE, gives({"error": "rate"}, "Retry-After: 0", status=429)], Trouble.TRANSIENT, "answered 429"),
        ([says(200, "<html>")], Trouble.BAD_QUERY, "did not answer in JSON"),
        ([gives({})], Trouble.BAD_QUERY, "another form"),
        ([MADE, gives({"id": "r"})], Trouble.BAD_QUERY, "another form"),
        ([MADE, complete({"P99(ms)": "slow"})], Trouble.BAD_QUERY, "`P99(ms)` is `slow`"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Server, honeycomb: Honeycomb, answers: list[Answer], trouble: Trouble, words: str
) -> None:
    server.answers = answers
    error = await refused(honeycomb, QUERY)
    assert error.trouble is trouble
    assert words in str(error)
