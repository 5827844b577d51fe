"""NRQL goes to NerdGraph, to Insights with a key for it, always about a window; errors at 200 are errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from interpreter.providers.newrelic import NewRelic, parse_nerdgraph, timed
from interpreter.providers.provider import RenderedQuery, Sample, Trouble
from tests.interpreter.providers.server import Answer, Server, gives, refused, says

AT = 1_795_413_067_184
QUERY = RenderedQuery(
    "SELECT count(*) FROM Transaction",
    at_ms=AT,
    window_ms=60_000,
    secret={"newrelic_account_id": "1234567", "newrelic_api_key": "NRAK-SECRETKEY01"},
)
INSIGHTS = QUERY._replace(secret={"newrelic_account_id": "1234567", "newrelic_query_key": "NRIQ-secret01"})


def graph(*rows: object) -> dict[str, object]:
    return {"data": {"actor": {"account": {"nrql": {"results": list(rows)}}}}}


@pytest.fixture
async def newrelic(server: Server) -> AsyncIterator[NewRelic]:
    made = NewRelic(server.url)
    yield made
    await made.close()


async def test_nerdgraph_is_asked_about_the_window(server: Server, newrelic: NewRelic) -> None:
    server.answers = [gives(graph({"count": 12}))]
    assert (await newrelic.measure(QUERY)).samples == (Sample({"field": "count"}, 12.0),)
    assert server.target()[:2] == ("POST", "/graphql")
    assert server.asked[0][1]["api-key"] == "NRAK-SECRETKEY01"
    variables = json.loads(server.bodies[0])["variables"]
    assert variables["id"] == 1234567
    assert variables["q"] == "SELECT count(*) FROM Transaction SINCE 1795413007184 UNTIL 1795413067184"


async def test_a_query_key_goes_to_insights_as_flaggers_does(server: Server, newrelic: NewRelic) -> None:
    server.answers = [gives({"results": [{"result": 0.5}]})]
    query = INSIGHTS._replace(server=server.url)
    assert (await newrelic.measure(query)).samples == (Sample({"field": "result"}, 0.5),)
    nrql = {"nrql": ["SELECT count(*) FROM Transaction SINCE 60 seconds ago"]}
    assert server.target() == ("GET", "/v1/accounts/1234567/query", nrql)
    assert server.asked[0][1]["x-query-key"] == "NRIQ-secret01"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("SELECT count(*) FROM T SINCE 5 minutes ago", True),
        ("SELECT count(*) FROM T until 5 minutes ago", True),
        ("SELECT count(*) FROM T WHERE a = 'since'", False),
        ("SELECT count(`since`) FROM T", False),
        ("SELECT count(sinceWhen) FROM T", False),
    ],
)
def test_a_time_of_its_own_is_kept(text: str, kept: bool) -> None:
    assert (timed(QUERY._replace(text=text)) == text) is kept


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), ()),
        (({"average.duration": None},), ()),
        (({"percentile.duration": {"99": 0.3}},), (Sample({"field": "percentile.duration.99"}, 0.3),)),
        (
            ({"facet": "a", "appName": "a", "count": 1}, {"facet": "b", "appName": "b", "count": 2}),
            (Sample({"facet": "a", "field": "count"}, 1.0), Sample({"facet": "b", "field": "count"}, 2.0)),
        ),
        (
            ({"beginTimeSeconds": 1, "endTimeSeconds": 2, "count": 3},),
            (Sample({"begin": "1", "field": "count"}, 3.0),),
        ),
    ],
)
def test_rows_are_read(rows: tuple[object, ...], expected: tuple[Sample, ...]) -> None:
    assert parse_nerdgraph(graph(*rows)).samples == expected


def failed(message: str, kind: str) -> bytes:
    return gives({"data": None, "errors": [{"message": message, "extensions": {"errorClass": kind}}]})


@pytest.mark.parametrize(
    ("query", "answer", "trouble", "words"),
    [
        (QUERY, failed("NRQL Syntax Error", "NRDB:1100"), Trouble.BAD_QUERY, "New Relic says: NRQL Syntax Error"),
        (QUERY, failed("took too long", "TIMEOUT"), Trouble.TRANSIENT, "took too long"),
        (QUERY, failed("no access", "UNAUTHENTICATED"), Trouble.AUTH, "no access"),
        (QUERY, gives({"errors": [{"message": "x"}]}, status=401), Trouble.AUTH, "(401)"),
        (QUERY, gives(graph({"latest.name": "web"})), Trouble.BAD_QUERY, "`latest.name` is `web`"),
        (QUERY, gives({"data": {"actor": {"account": None}}}), Trouble.BAD_QUERY, "another form"),
        (QUERY, says(200, "<html>"), Trouble.BAD_QUERY, "did not answer in JSON"),
        (INSIGHTS, gives({"error": "bad NRQL"}), Trouble.BAD_QUERY, "New Relic says: bad NRQL"),
        (INSIGHTS, gives({}, "Retry-After: 0", status=429), Trouble.TRANSIENT, "answered 429"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Server, newrelic: NewRelic, query: RenderedQuery, answer: Answer, trouble: Trouble, words: str
) -> None:
    server.answers = [answer]
    error = await refused(newrelic, query._replace(server=server.url))
    assert error.trouble is trouble
    assert words in str(error)


@pytest.mark.parametrize("account", ["", "12/../3"])
async def test_an_account_that_is_no_number_is_not_asked(server: Server, newrelic: NewRelic, account: str) -> None:
    error = await refused(newrelic, QUERY._replace(secret={**QUERY.secret, "newrelic_account_id": account}))
    assert error.trouble is Trouble.AUTH
    assert server.asked == []
