"""Elasticsearch and OpenSearch, by the search API that both have.

The query is written as in their consoles, the index on the first line and the body below it:

    POST logs-web-*/_search
    {"query": {"term": {"service": "web"}}, "aggs": {"p99": {"percentiles": {"field": "ms", "percents": [99]}}}}

The number is that of the aggregation; without one it is how many documents there are. Documents outside of the window
are left out by their `@timestamp`, unless the query has a `range` of its own. Where no document is found there is no
data, though a sum over none would be 0. Failed shards, clusters that were skipped, and a search that ran out of time,
are a part of the data and no number. No path but `_search` can be asked: neither ES|QL nor SQL and PPL.

Sources: the search API's references of both. Their client libraries refuse each other's servers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from interpreter.credential import authorization
from interpreter.providers.access import found_key, server_of
from interpreter.providers.http import Http
from interpreter.providers.numbers import leaves, sample
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

_FIRST_LINE = re.compile(r"\s*(?:(?:GET|POST)\s+)?/?([^\s/?#]+)/_search[ \t]*(?:\n|$)")
_FORM = 'write `INDEX/_search` on the first line and the search below it, as `{"query": …, "aggs": …}`'


class Elasticsearch:
    """Asks the server of the query. A Secret has `api_key`, or `token`, or `username` and `password`."""

    name = "elasticsearch"

    def __init__(self, server: str | None = None, *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        index, body = search(query)
        key = found_key(query, "api_key")
        answer = await self._http.ask(
            "POST",
            f"{server_of(query, self._server, 'Elasticsearch')}/{quote(index, safe='*,-<>')}/_search",
            query,
            headers={"Authorization": f"ApiKey {key}"} if key else authorization(query.secret),
            body=body,
        )
        with answer.understood():
            return parse(answer.json())

    async def close(self) -> None:
        await self._http.close()


def search(query: RenderedQuery) -> tuple[str, dict[str, Any]]:
    """The index, and the body with the window in it. Raises `ProviderError` for a text of another form."""
    first = _FIRST_LINE.match(query.text)
    if first is None:
        raise ProviderError(Trouble.BAD_QUERY, f"the query does not begin with an index: {_FORM}")
    try:
        body = json.loads(query.text[first.end() :].strip() or "{}")
    except (ValueError, RecursionError) as error:
        raise ProviderError(Trouble.BAD_QUERY, f"the search is not JSON ({error}): {_FORM}") from error
    if not isinstance(body, dict):
        raise ProviderError(Trouble.BAD_QUERY, f"the search is no object: {_FORM}")
    asked = body.get("query", {"match_all": {}})
    if not _has_range(asked):
        span = {"gte": query.at_ms - query.window_ms, "lt": query.at_ms, "format": "epoch_millis"}
        asked = {"bool": {"must": [asked], "filter": [{"range": {"@timestamp": span}}]}}
    counted = {} if "aggs" in body or "aggregations" in body else {"track_total_hits": True}
    return first[1], {"size": 0, **counted, **body, "query": asked}


def _has_range(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_has_range, value))
    return isinstance(value, dict) and ("range" in value or any(map(_has_range, value.values())))


def parse(answer: Any) -> Measurement:
    """The numbers of all aggregations, or how many documents there are. Raises `ProviderError` for a part of them."""
    _whole(answer)
    total = answer["hits"].get("total", {"value": 1})
    count = total["value"] if isinstance(total, dict) else total
    if not count:
        return Measurement(())
    if "aggregations" in answer:
        return Measurement(tuple(_aggregated(answer["aggregations"], {})))
    if isinstance(total, dict) and total.get("relation", "eq") != "eq":
        raise ProviderError(Trouble.PARTIAL, f"not all documents are counted, only {count}: track_total_hits is needed")
    return Measurement(tuple(sample(count, "the number of documents")))


def _whole(answer: Any) -> None:
    shards = answer["_shards"]
    if shards.get("failed"):
        reasons = [str((failure.get("reason") or {}).get("reason", "")) for failure in shards.get("failures") or ()]
        said = "; ".join(filter(None, reasons))
        failed = f"{shards['failed']} of {shards['total']} shards failed"
        raise ProviderError(Trouble.PARTIAL, f"the data is not whole: {failed}" + (f": {said}" if said else ""))
    clusters = answer.get("_clusters") or {}
    left = sum(int(clusters.get(kind) or 0) for kind in ("skipped", "partial", "failed"))
    if left:
        raise ProviderError(
            Trouble.PARTIAL, f"the data is not whole: {left} of {clusters.get('total', '?')} clusters gave not all"
        )
    if answer.get("timed_out"):
        raise ProviderError(Trouble.PARTIAL, "the data is not whole: the search ran out of time")
    if answer.get("terminated_early"):
        raise ProviderError(Trouble.PARTIAL, "the data is not whole: the search ended early, by `terminate_after`")


def _aggregated(aggregations: dict[str, Any], labels: dict[str, str]) -> Iterator[Sample]:
    for name, one in aggregations.items():
        if isinstance(one, dict):
            yield from _one(name, one, labels)


def _one(name: str, one: dict[str, Any], labels: dict[str, str]) -> Iterator[Sample]:
    """What one aggregation came to. Buckets and filters have a count, or aggregations of their own in its place."""
    if "buckets" in one:
        for key, bucket in _buckets(one["buckets"]):
            yield from _one(name, bucket, {**labels, name: key})
    elif "values" in one:
        yield from _percentiles(name, one["values"], labels)
    elif "value" in one:
        yield from sample(one["value"], f"the aggregation `{name}`", {**labels, "field": name})
    elif "doc_count" in one:
        inner = {key: value for key, value in one.items() if isinstance(value, dict)}
        if inner:
            yield from _aggregated(inner, labels)
        else:
            yield from sample(one["doc_count"], f"the aggregation `{name}`", {**labels, "field": name})
    else:
        yield from leaves({key: value for key, value in one.items() if not key.endswith("_as_string")}, name, labels)


def _buckets(buckets: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(buckets, dict):
        yield from buckets.items()
    else:
        for bucket in buckets:
            yield str(bucket.get("key_as_string", bucket["key"])), bucket


def _percentiles(name: str, values: Any, labels: dict[str, str]) -> Iterator[Sample]:
    """By key, or with `keyed: false` in a list."""
    if isinstance(values, list):
        values = {str(value["key"]): value["value"] for value in values}
    plain = {key: value for key, value in values.items() if not key.endswith("_as_string")}
    yield from leaves(plain, name, labels)
