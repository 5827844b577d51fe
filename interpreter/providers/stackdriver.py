"""Google Cloud Monitoring (once Stackdriver), over httpx with google-auth's tokens: its client library is gRPC's.

PromQL goes to the project's Prometheus endpoint, as of the moment. A query that begins with `fetch` or `def`, in
braces or not, is MQL, as policies made for Flagger have it, and goes to `timeSeries:query`; Google has deprecated it.
There, the newest point of each series counts, whether it is a double or an integer (Flagger takes integers for 0);
`partialErrors` are an error, and all pages are read.

The Secret has `project` (else the key's own) and `serviceAccountKey`; without a key the credentials around us are
used. Source: the Cloud Monitoring API v3, `projects.timeSeries.query`, and its Prometheus API v1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from interpreter.providers import google, prometheus
from interpreter.providers.http import Http
from interpreter.providers.numbers import number
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

SERVER = "https://monitoring.googleapis.com"
MOST_PAGES = 10
_MQL = re.compile(r"(?:\s|\{|#[^\n]*\n|//[^\n]*\n|/\*.*?\*/)*(?:fetch|def)\s", re.DOTALL)


class Stackdriver:
    """Asks Google, or the query's server."""

    name = "stackdriver"

    def __init__(self, server: str = SERVER, *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()
        self._tokens = google.Tokens(self._http)

    async def measure(self, query: RenderedQuery) -> Measurement:
        server = (query.server or self._server).rstrip("/")
        project = quote(google.project(query.secret), safe="")
        headers = await self._tokens.headers(query.secret, server)
        if _MQL.match(query.text):
            return await self._mql(f"{server}/v3/projects/{project}/timeSeries:query", headers, query)
        answer = await self._http.ask(
            "POST",
            f"{server}/v1/projects/{project}/location/global/prometheus/api/v1/query",
            query,
            headers=headers,
            form={"query": query.text, "time": f"{query.at_ms / 1000:.3f}"},
        )
        with answer.understood():
            return prometheus.parse(answer.body)

    async def close(self) -> None:
        await self._http.close()
        self._tokens.close()

    async def _mql(self, url: str, headers: Mapping[str, str], query: RenderedQuery) -> Measurement:
        samples: list[Sample] = []
        body = {"query": query.text}
        for _ in range(MOST_PAGES):
            answer = await self._http.ask("POST", url, query, headers=headers, body=body)
            with answer.understood():
                page = answer.json()
                samples += _samples(page)
                token = page.get("nextPageToken")
            if not token:
                return Measurement(tuple(samples))
            body = {**body, "pageToken": str(token)}
        raise ProviderError(Trouble.PARTIAL, f"the answer has more than {MOST_PAGES} pages: ask for less")


def _samples(page: Mapping[str, Any]) -> Iterator[Sample]:
    """The newest number of each series of a page. Raises `ProviderError`, and what a wrong shape raises."""
    errors = page.get("partialErrors")
    if errors:
        said = "; ".join(str(error.get("message", error)) for error in errors)
        raise ProviderError(Trouble.PARTIAL, f"the data is not whole: {said}"[:400])
    described = page.get("timeSeriesDescriptor", {})
    keys = [str(label["key"]) for label in described.get("labelDescriptors", ())]
    for series in page.get("timeSeriesData", ()):
        labels = dict(zip(keys, map(_label, series.get("labelValues", ())), strict=False))
        points = sorted(series.get("pointData", ()), key=_end)
        for point in reversed(points):
            if len(point["values"]) != 1:
                raise ProviderError(Trouble.BAD_QUERY, "the query gives several columns, and one is needed")
            value = _number(point["values"][0])
            if value is not None:
                yield Sample(labels, value)
                break


def _end(point: Mapping[str, Any]) -> str:
    """In UTC; without its `Z` a whole second is before its fractions."""
    return str(point["timeInterval"]["endTime"]).removesuffix("Z")


def _label(value: Mapping[str, Any]) -> str:
    return str(next(iter(value.values()), ""))


def _number(value: Mapping[str, Any]) -> float | None:
    """A `TypedValue`; none is null. JSON has 64-bit integers as texts."""
    match dict(value):
        case {"doubleValue": found} | {"int64Value": found}:
            return number(found, "a point")
        case {"boolValue": truth}:
            return float(truth)
        case empty if not empty:
            return None
    raise ProviderError(Trouble.BAD_QUERY, f"the query gives a {next(iter(value))[:40]}, and a number is needed")
