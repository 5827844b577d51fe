"""Honeycomb: a query specification, run by its Query Data API.

The query is the specification as JSON, with the `dataset` beside it (left out: all of the environment):
`{"dataset": "web", "calculations": [{"op": "P99", "column": "duration_ms"}]}`. Three steps give a number: make the
query, run it, and ask for the result until it is complete. The window is put in, unless the query has a time of
its own.

The API belongs to Honeycomb's Enterprise plan, keeps to the last seven days and allows few requests a minute; a limit
that is reached is waited for as long as the server says. Source: Honeycomb's API reference (Queries, Query Data). Its
library, libhoney, only sends events.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

from interpreter.providers.access import key_header, server_of
from interpreter.providers.http import Http
from interpreter.providers.numbers import sample
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

POLL_S = 0.5
POLLS = 20
_TIMES = ("time_range", "start_time", "end_time")
_FINE = frozenset({200, 201})


class Honeycomb:
    """Asks the server of the query, or else Honeycomb in the United States."""

    name = "honeycomb"

    def __init__(
        self, server: str = "https://api.honeycomb.io", poll: float = POLL_S, *, http: Http | None = None
    ) -> None:
        self._server = server
        self._poll = poll
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        keys = ("honeycomb_api_key", "api_key", "token")
        headers = key_header(query, "Honeycomb", "X-Honeycomb-Team", *keys)
        server = server_of(query, self._server, "Honeycomb")
        dataset, asked = specification(query)
        breakdowns = frozenset(map(str, asked.get("breakdowns") or ()))
        made = await self._http.ask(
            "POST", f"{server}/1/queries/{dataset}", query, headers=headers, body=asked, fine=_FINE
        )
        with made.understood():
            run = {"query_id": made.json()["id"], "disable_series": True}
        results = f"{server}/1/query_results/{dataset}"
        answer = await self._http.ask("POST", results, query, headers=headers, body=run, fine=_FINE)
        for _ in range(POLLS):
            with answer.understood():
                said = answer.json()
                if said["complete"]:
                    return parse(said, breakdowns)
                result = quote(str(said["id"]), safe="")
            await asyncio.sleep(self._poll)
            answer = await self._http.ask("GET", f"{results}/{result}", query, headers=headers, fine=_FINE)
        raise ProviderError(Trouble.TRANSIENT, "Honeycomb has not finished the query in time")

    async def close(self) -> None:
        await self._http.close()


def specification(query: RenderedQuery) -> tuple[str, dict[str, Any]]:
    """The dataset, as a part of a path, and the query, in seconds since 1970. Raises `ProviderError`."""
    try:
        asked = json.loads(query.text)
    except (ValueError, RecursionError) as error:
        raise ProviderError(Trouble.BAD_QUERY, f"a Honeycomb query is JSON, and this is not: {error}") from error
    if not isinstance(asked, dict) or len(asked.get("calculations") or ()) != 1:
        raise ProviderError(Trouble.BAD_QUERY, "a Honeycomb query is a JSON object with one of `calculations`")
    dataset = str(asked.pop("dataset", "__all__"))
    if not any(key in asked for key in _TIMES):
        asked |= {"start_time": (query.at_ms - query.window_ms) // 1000, "end_time": query.at_ms // 1000}
    return quote(dataset, safe=""), asked


def parse(result: Any, breakdowns: frozenset[str]) -> Measurement:
    """The number of each row of a complete result; what it is broken down by are its labels."""
    found: list[Sample] = []
    for row in result["data"]["results"]:
        data = row["data"]
        labels = {key: str(value) for key, value in data.items() if key in breakdowns}
        for key, value in data.items():
            if key not in breakdowns:
                found += sample(value, f"`{key}`", labels)
    return Measurement(tuple(found))
