"""Datadog, by one of two of its APIs.

A query as Datadog writes it (`avg:http.errors{service:web}`) goes to the older one, `GET /api/v1/query`, as Flagger's
does. It answers with points over time. Flagger takes the oldest of a span of ten windows, because the newest bucket is
still filling; that number is ten windows old. Here the newest bucket that is complete, and has a value, counts.

A query that is a JSON object goes to `POST /api/v2/query/scalar`, which gives one number over exactly the window:
`{"queries": [{"name": "a", "data_source": "metrics", "query": "…", "aggregator": "avg"}],
"formulas": [{"formula": "a"}]}`.

Both may say with 200 that they failed. Sources: Datadog's API reference (Metrics), and the wire format in its own
client, `datadog-api-client`; that one is not used for its size, ten megabytes for two requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from interpreter.desired import Instant
from interpreter.providers.access import key_header, server_of
from interpreter.providers.http import Http
from interpreter.providers.numbers import number, sample
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

SPAN = 10
"""Windows that the older API is asked about, as Flagger does: data come late."""


class Datadog:
    """Asks the site of the query, or else the first one, in the United States."""

    name = "datadog"

    def __init__(self, server: str = "https://api.datadoghq.com", *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        server = server_of(query, self._server, "Datadog")
        headers = {
            **key_header(query, "Datadog", "DD-API-KEY", "datadog_api_key", "api_key"),
            **key_header(query, "Datadog", "DD-APPLICATION-KEY", "datadog_application_key", "application_key"),
        }
        if query.text.lstrip().startswith("{"):
            body = scalar_request(query)
            answer = await self._http.ask("POST", f"{server}/api/v2/query/scalar", query, headers=headers, body=body)
            with answer.understood():
                return parse_scalar(answer.json())
        span = {"from": (query.at_ms - SPAN * query.window_ms) // 1000, "to": query.at_ms // 1000}
        params = {**{key: str(value) for key, value in span.items()}, "query": query.text}
        answer = await self._http.ask("GET", f"{server}/api/v1/query", query, headers=headers, params=params)
        with answer.understood():
            return parse_series(answer.json(), query.at_ms)

    async def close(self) -> None:
        await self._http.close()


def scalar_request(query: RenderedQuery) -> dict[str, Any]:
    """The body for the newer API. Raises `ProviderError` for a query that is not what it takes."""
    try:
        asked = json.loads(query.text)
    except (ValueError, RecursionError) as error:
        raise ProviderError(Trouble.BAD_QUERY, f"the query begins as JSON and is not: {error}") from error
    if not asked.get("queries"):
        raise ProviderError(Trouble.BAD_QUERY, "a Datadog query in JSON needs `queries`, and may have `formulas`")
    span = {"from": query.at_ms - query.window_ms, "to": query.at_ms}
    return {"data": {"type": "scalar_request", "attributes": {**asked, **span}}}


def parse_scalar(answer: Any) -> Measurement:
    """Columns of numbers, beside columns of the tags that they are grouped by."""
    if answer.get("errors"):
        raise ProviderError(Trouble.BAD_QUERY, f"Datadog says: {_words(answer['errors'])}")
    columns = answer["data"]["attributes"].get("columns") or ()
    groups = [column for column in columns if column["type"] == "group"]
    return Measurement(tuple(_cells([column for column in columns if column["type"] != "group"], groups)))


def _cells(columns: list[Any], groups: list[Any]) -> Iterator[Sample]:
    for column in columns:
        for row, value in enumerate(column.get("values") or ()):
            labels = {group["name"]: ",".join(group["values"][row]) for group in groups}
            yield from sample(value, f"the column `{column['name']}`", labels)


def parse_series(answer: Any, at_ms: Instant) -> Measurement:
    """The newest complete bucket with a value, of each series."""
    if answer.get("error") or answer.get("status", "ok") != "ok":
        raise ProviderError(Trouble.BAD_QUERY, f"Datadog says: {_words(answer.get('error') or answer['status'])}")
    found = []
    for series in answer["series"]:
        points = sorted((float(at), number(value, "a point")) for at, value in series["pointlist"])
        value = _newest_complete(points, series.get("interval"), at_ms)
        if value is not None:
            found.append(Sample({"scope": str(series.get("scope", ""))}, value))
    return Measurement(tuple(found))


def _newest_complete(points: list[tuple[float, float | None]], interval: Any, at_ms: Instant) -> float | None:
    """A point stands at the begin of its bucket. Buckets are as long as the points are apart; one alone has the
    interval that is given, in seconds (the reference says milliseconds, the servers do not keep to it)."""
    apart = min((after[0] - before[0] for before, after in pairwise(points)), default=float(interval or 0) * 1000)
    complete = [value for at, value in points if value is not None and at + apart <= at_ms]
    return complete[-1] if complete else None


def _words(said: object) -> str:
    return "; ".join(map(str, said)) if isinstance(said, list) else str(said)
