"""Graphite, by its render API in JSON.

The query is a target (`sumSeries(web.*.errors)`), or parameters of the API as in Flagger's templates:
`target=…&from=-5min`. Where it names no time, the window is asked for; Graphite's own would be a day. The newest point
that is not null counts, of each series; several series are several numbers, where Flagger takes the last. Graphite
keeps answers for a minute, which `noCache` says not to do.

Source: the render API's documentation; there is no client library worth one GET.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from interpreter.credential import authorization
from interpreter.providers.access import server_of
from interpreter.providers.http import Http
from interpreter.providers.numbers import number
from interpreter.providers.provider import Measurement, RenderedQuery, Sample

_PARAMETERS = re.compile(r"\s*(?:target|from|until)\s*=")


class Graphite:
    """Asks the server of the query. A Secret has `username` and `password`, or `token`."""

    name = "graphite"

    def __init__(self, server: str | None = None, *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        url = f"{server_of(query, self._server, 'Graphite')}/render?{urlencode(parameters(query))}"
        answer = await self._http.ask("GET", url, query, headers=authorization(query.secret))
        with answer.understood():
            return parse(answer.json())

    async def close(self) -> None:
        await self._http.close()


def parameters(query: RenderedQuery) -> list[tuple[str, str]]:
    """What the API is asked, in seconds since 1970. Runs of white space are one space, as Flagger's templates want."""
    text = " ".join(query.text.split())
    given = [("target", text)]
    if _PARAMETERS.match(text):
        given = [(key.strip(), value.strip()) for key, value in parse_qsl(text)]
    given = [(key, value) for key, value in given if key not in ("format", "noCache")]
    if not any(key in ("from", "until") for key, _ in given):
        given += [("from", str((query.at_ms - query.window_ms) // 1000)), ("until", str(query.at_ms // 1000))]
    return [*given, ("format", "json"), ("noCache", "true")]


def parse(answer: Any) -> Measurement:
    """The newest value of each series that has one."""
    samples = []
    for series in answer:
        values = [number(value, "a point") for value, _ in series["datapoints"]]
        filled = [value for value in values if value is not None]
        samples += [Sample({"target": str(series["target"])}, value) for value in filled[-1:]]
    return Measurement(tuple(samples))
