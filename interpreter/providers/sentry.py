"""Sentry: a number from its events, or from its sessions (the health of a release).

The query is the organization, which of the two, and the parameters of the API:

    acme/events?field=count()&query=level:error release:{{ variables.release }}&project=42
    acme/sessions?field=crash_free_rate(session)&project=42

A space is written as one, and a plus, which releases have, as a plus. The window is put in, unless the query has a
time of its own. A row of `events` has the numbers of its functions and the fields that they are grouped by; a group of
`sessions` has totals. Sentry may answer from a part of the data, and says so in `meta`: that is no number. Sessions it
counts by the hour, and rounds the window to whole ones: an answer about more than the window is no number of it, unless
the query itself asks for so much (`statsPeriod=1h`).

Sources: Sentry's API reference (Explore events in table format; Release health sessions). `sentry-sdk` only sends.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from interpreter.desired import Instant
from interpreter.providers.access import key_header, server_of
from interpreter.providers.http import Http
from interpreter.providers.numbers import leaves, sample
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

_TEXT = re.compile(r"\s*([^/?#\s]+)/(events|sessions)/?\?(.+)", re.DOTALL)
_TIMES = ("statsPeriod", "start", "end")
_MINUTE_MS = 60_000
_NUMBER = re.compile(r".*\(.*\)|equation[|\[].*", re.DOTALL)


class Sentry:
    """Asks the server of the query, or else sentry.io."""

    name = "sentry"

    def __init__(self, server: str = "https://sentry.io", *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        path, kind = request(query)
        keys = ("sentry_auth_token", "auth_token", "token")
        headers = key_header(query, "Sentry", "Authorization", *keys, form="Bearer {}")
        url = f"{server_of(query, self._server, 'Sentry')}/api/0/{path}"
        answer = await self._http.ask("GET", url, query, headers=headers)
        with answer.understood():
            said = answer.json()
            if kind == "events":
                return parse_events(said)
            _of_the_window(said, query)
            return parse_sessions(said)

    async def close(self) -> None:
        await self._http.close()


def request(query: RenderedQuery) -> tuple[str, str]:
    """The path with its parameters, and whether it is about events or sessions. Raises `ProviderError`."""
    read = _TEXT.match(query.text)
    given = _parameters(query.text)
    if read is None or not any(key == "field" for key, _ in given):
        form = "write `ORGANIZATION/events?field=…` or `ORGANIZATION/sessions?field=…`"
        raise ProviderError(Trouble.BAD_QUERY, f"the query is not one for Sentry: {form}")
    if not any(key in _TIMES for key, _ in given):
        given += [("start", _moment(query.at_ms - query.window_ms)), ("end", _moment(query.at_ms))]
    if read[2] == "sessions":
        given.append(("includeSeries", "0"))
    return f"organizations/{quote(read[1], safe='')}/{read[2]}/?{urlencode(given)}", read[2]


def _parameters(text: str) -> list[tuple[str, str]]:
    read = _TEXT.match(text)
    return parse_qsl(" ".join(read[3].split()).replace("+", "%2B")) if read else []


def _moment(at_ms: Instant) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _of_the_window(answer: Any, query: RenderedQuery) -> None:
    """Raises `ProviderError` where the times that were put in are not those of the answer, by a minute or more."""
    if any(key in _TIMES for key, _ in _parameters(query.text)) or not {"start", "end"} <= set(answer):
        return
    asked = (query.at_ms - query.window_ms, query.at_ms)
    given = [datetime.fromisoformat(str(answer[key])).timestamp() * 1000 for key in ("start", "end")]
    if any(abs(one - other) >= _MINUTE_MS for one, other in zip(asked, given, strict=True)):
        minutes = round((given[1] - given[0]) / _MINUTE_MS)
        said = f"Sentry counts sessions by the hour, and answered about {minutes} minutes that are not the window"
        raise ProviderError(Trouble.PARTIAL, f"{said}: ask with statsPeriod=1h")


def parse_events(answer: Any) -> Measurement:
    """The functions' numbers of each row."""
    if str((answer.get("meta") or {}).get("dataScanned", "full")) == "partial":
        raise ProviderError(Trouble.PARTIAL, "the data is not whole: Sentry has looked at a part of it")
    found: list[Sample] = []
    for row in answer["data"]:
        labels = {key: str(value) for key, value in row.items() if not _NUMBER.fullmatch(key)}
        for key, value in row.items():
            if _NUMBER.fullmatch(key):
                found += sample(value, f"`{key}`", labels)
    return Measurement(tuple(found))


def parse_sessions(answer: Any) -> Measurement:
    """The totals of each group."""
    found: list[Sample] = []
    for group in answer["groups"]:
        labels = {str(key): str(value) for key, value in (group.get("by") or {}).items()}
        found += leaves(group["totals"], "", labels)
    return Measurement(tuple(found))
