"""Dynatrace: a metric selector, by version 2 of its metrics API.

`resolution=Inf` asks for one value over the window, which is the one asked about (Flagger asks about ten, so that its
numbers are blurred over ten checks). Values may be null, which is no data. Series come in pages; a next page is asked
for by its key alone. Timestamps are the ends of slots, one minute is the finest there is.

Source: Dynatrace's documentation of `GET /api/v2/metrics/query`. The PyPI client `dt` waits in threads for what is one
GET, so it is not used.
"""

from __future__ import annotations

from typing import Any

from interpreter.providers.access import key_header, server_of
from interpreter.providers.http import Http
from interpreter.providers.numbers import number
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

PAGES = 5
"""One number is wanted: whoever has more pages of series than these has not asked for one."""


class Dynatrace:
    """Asks the environment of the query."""

    name = "dynatrace"

    def __init__(self, server: str | None = None, *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        url = server_of(query, self._server, "Dynatrace") + "/api/v2/metrics/query"
        keys = ("dynatrace_token", "token")
        headers = key_header(query, "Dynatrace", "Authorization", *keys, form="Api-Token {}")
        params = {
            "metricSelector": query.text,
            "resolution": "Inf",
            "from": str(query.at_ms - query.window_ms),
            "to": str(query.at_ms),
        }
        samples: list[Sample] = []
        warnings: list[str] = []
        for _ in range(PAGES):
            answer = await self._http.ask("GET", url, query, headers=headers, params=params)
            with answer.understood():
                page = answer.json()
                measured = parse(page)
                following = page.get("nextPageKey")
            samples += measured.samples
            warnings += measured.warnings
            if following is None:
                return Measurement(tuple(samples), tuple(warnings))
            params = {"nextPageKey": str(following)}
        raise ProviderError(Trouble.BAD_QUERY, "the selector gives many pages of series, and one is needed: merge them")

    async def close(self) -> None:
        await self._http.close()


def parse(page: Any) -> Measurement:
    """The last value that is not null of each series of a page."""
    if page.get("error"):
        raise ProviderError(Trouble.BAD_QUERY, f"Dynatrace says: {page['error'].get('message', '')}")
    warnings = [str(warning) for warning in page.get("warnings") or ()]
    samples: list[Sample] = []
    for metric in page["result"]:
        warnings += [str(warning) for warning in metric.get("warnings") or ()]
        for series in metric["data"]:
            values = [value for value in (number(one, "a value") for one in series["values"]) if value is not None]
            labels = {str(key): str(value) for key, value in (series.get("dimensionMap") or {}).items()}
            samples += [Sample(labels, value) for value in values[-1:]]
    return Measurement(tuple(samples), tuple(warnings))
