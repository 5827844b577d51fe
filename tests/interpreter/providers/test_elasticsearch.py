"""A search is held to its window and its index, a part of the data is no number, and nothing found is no data."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from interpreter.providers.elasticsearch import Elasticsearch, parse, search
from interpreter.providers.provider import ProviderError, RenderedQuery, Sample, Trouble
from tests.interpreter.providers.server import Answer, Server, gives, refused, says

AT = 1_795_413_067_184
TEXT = """
POST logs-web-*/_search
{"query": {"term": {"service": "web"}}, "aggs": {"p99": {"percentiles": {"field": "ms", "percents": [99]}}}}
"""
QUERY = RenderedQuery(TEXT, at_ms=AT, window_ms=60_000, secret={"api_key": "ES-secret-key-01"})
SPAN = {"range": {"@timestamp": {"gte": AT - 60_000, "lt": AT, "format": "epoch_millis"}}}


def found(total: object = 7, aggregations: object = None, **more: object) -> dict[str, Any]:
    hits = {"value": total, "relation": "eq"} if isinstance(total, int) else total
    answer = {
        "took": 3,
        "timed_out": False,
        "_shards": {"total": 5, "successful": 5, "failed": 0},
        "hits": {"total": hits},
    }
    return answer | ({"aggregations": aggregations} if aggregations is not None else {}) | more


@pytest.fixture
async def elastic(server: Server) -> AsyncIterator[Elasticsearch]:
    made = Elasticsearch(server.url)
    yield made
    await made.close()


async def test_it_is_asked_as_documented(server: Server, elastic: Elasticsearch) -> None:
    server.answers = [gives(found(aggregations={"p99": {"values": {"99.0": 12.5}}}))]
    assert (await elastic.measure(QUERY)).samples == (Sample({"field": "p99.99.0"}, 12.5),)
    assert server.target() == ("POST", "/logs-web-*/_search", {})
    assert server.asked[0][1]["authorization"] == "ApiKey ES-secret-key-01"
    sent = json.loads(server.bodies[0])
    assert sent["size"] == 0
    assert sent["query"] == {"bool": {"must": [{"term": {"service": "web"}}], "filter": [SPAN]}}
    assert "track_total_hits" not in sent


def test_a_range_of_its_own_is_kept() -> None:
    own = '{"query": {"bool": {"filter": [{"range": {"at": {"gte": "now-5m"}}}]}}}'
    index, body = search(QUERY._replace(text=f"web/_search\n{own}"))
    assert (index, body["query"]) == ("web", json.loads(own)["query"])


def test_documents_are_counted_where_nothing_is_aggregated() -> None:
    assert search(QUERY._replace(text="/web/_search"))[1]["track_total_hits"] is True
    assert parse(found(12)).samples == (Sample({}, 12.0),)
    assert parse(found({"value": 12, "relation": "eq"})).samples == (Sample({}, 12.0),)


@pytest.mark.parametrize(
    ("aggregations", "expected"),
    [
        ({"a": {"value": 1.5, "value_as_string": "1.5"}}, [({"field": "a"}, 1.5)]),
        ({"a": {"value": None}}, []),
        ({"a": {"values": {"99.0": None}}}, []),
        ({"a": {"values": [{"key": 99.0, "value": 2}]}}, [({"field": "a.99.0"}, 2.0)]),
        ({"a": {"doc_count": 0}}, [({"field": "a"}, 0.0)]),
        ({"a": {"doc_count": 3, "b": {"value": 4}}}, [({"field": "b"}, 4.0)]),
        (
            {"a": {"buckets": [{"key": "x", "doc_count": 1}, {"key": "y", "doc_count": 2, "b": {"value": 9}}]}},
            [({"a": "x", "field": "a"}, 1.0), ({"a": "y", "field": "b"}, 9.0)],
        ),
        ({"a": {"count": 2, "sum": 5.0}}, [({"field": "a.count"}, 2.0), ({"field": "a.sum"}, 5.0)]),
    ],
)
def test_aggregations_are_read(aggregations: object, expected: list[tuple[dict[str, str], float]]) -> None:
    assert list(parse(found(aggregations=aggregations)).samples) == [Sample(*one) for one in expected]


def test_a_sum_over_nothing_is_no_data_and_not_zero() -> None:
    assert parse(found(0, {"sum": {"value": 0.0}})).samples == ()
    assert parse(found(0)).samples == ()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            found(
                _shards={"total": 5, "failed": 2, "failures": [{"reason": {"reason": "field is text"}}]},
                aggregations={"a": {"value": 1}},
            ),
            "2 of 5 shards failed: field is text",
        ),
        (found(_clusters={"total": 3, "successful": 2, "skipped": 1}), "1 of 3 clusters gave not all"),
        (found(_clusters={"total": 2, "successful": 1, "skipped": 0, "partial": 1}), "1 of 2 clusters"),
        (found(timed_out=True), "ran out of time"),
        (found(terminated_early=True), "ended early"),
        (found({"value": 10000, "relation": "gte"}), "only 10000"),
    ],
)
def test_a_part_of_the_data_is_no_number(answer: dict[str, Any], words: str) -> None:
    with pytest.raises(ProviderError, match=words) as caught:
        parse(answer)
    assert caught.value.trouble is Trouble.PARTIAL


@pytest.mark.parametrize(
    "text",
    [
        '{"query": {}}',
        "web/_delete_by_query\n{}",
        "a/b/_search\n{}",
        "web/_search?q=1\n{}",
        "web/_search\n{",
        "w/_search\n[]",
    ],
)
async def test_what_is_no_search_is_not_sent(server: Server, elastic: Elasticsearch, text: str) -> None:
    assert (await refused(elastic, QUERY._replace(text=text))).trouble is Trouble.BAD_QUERY
    assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "trouble", "words"),
    [
        (gives({"error": {"reason": "no such index [x]"}}, status=404), Trouble.BAD_QUERY, "no such index"),
        (gives({"error": {"reason": "missing token"}}, status=401), Trouble.AUTH, "missing token"),
        (gives({"error": {"reason": "rejected"}}, "Retry-After: 0", status=429), Trouble.TRANSIENT, "rejected"),
        (says(200, "<html>"), Trouble.BAD_QUERY, "did not answer in JSON"),
        (gives({"tagline": "You Know, for Search"}), Trouble.BAD_QUERY, "another form"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Server, elastic: Elasticsearch, answer: Answer, trouble: Trouble, words: str
) -> None:
    server.answers = [answer]
    error = await refused(elastic, QUERY)
    assert error.trouble is trouble
    assert words in str(error)
