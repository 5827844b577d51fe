"""Any server that answers JSON over HTTP, for what has no provider of its own.

The query has the request on its first line, the path to the number on its last, and the body of a POST between them:

    POST /v1/score
    {"service": "{{ service }}", "window": "{{ interval }}"}
    $.scores[0].value

The request's path is one of the metric's `server`, so that credentials go nowhere else. `GET` may be left out. The path
to the number is a small JSONPath (`jsonpath.py`). Null, and a place that a list does not have, are no data; a name that
is not there is an error, because it is more often a slip. The server is asked as of now: put a time into the request
where it takes one.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from interpreter.credential import authorization
from interpreter.providers.access import server_of
from interpreter.providers.http import Http
from interpreter.providers.jsonpath import PathProblem, steps, value_at
from interpreter.providers.numbers import sample
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Trouble

_FORM = "write `GET /path` on the first line and `$.path.to.number` on the last"
_REQUEST = re.compile(r"(?:(GET|POST)\s+)?(/\S*)")


class Asked(NamedTuple):
    """A query read: `body` is sent as JSON, None is no body."""

    method: str
    path: str
    body: Any
    number: str


class Web:
    """Asks the server of the query. A Secret has `token`, or `username` and `password`."""

    name = "web"

    def __init__(self, server: str | None = None, *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        asked = read(query.text)
        answer = await self._http.ask(
            asked.method,
            server_of(query, self._server, "web server") + asked.path,
            query,
            headers={"Accept": "application/json", **authorization(query.secret)},
            body=asked.body,
        )
        with answer.understood():
            return parse(answer.json(), asked.number)

    async def close(self) -> None:
        await self._http.close()


def read(text: str) -> Asked:
    """A query taken apart. Raises `ProviderError` for one of another form."""
    lines = text.strip().splitlines()
    first = _REQUEST.fullmatch(lines[0].strip()) if len(lines) > 1 else None
    if first is None:
        raise ProviderError(Trouble.BAD_QUERY, f"the query is not one for a web server: {_FORM}")
    method, number = first[1] or "GET", lines[-1].strip()
    between = "\n".join(lines[1:-1]).strip()
    if between and method == "GET":
        raise ProviderError(Trouble.BAD_QUERY, "a GET has no body: use POST, or take out what stands between the lines")
    try:
        steps(number)
        body = json.loads(between) if between else None
    except PathProblem as problem:
        raise ProviderError(Trouble.BAD_QUERY, f"{problem}: {_FORM}") from problem
    except (ValueError, RecursionError) as error:
        raise ProviderError(Trouble.BAD_QUERY, f"the body of the query is not JSON: {error}") from error
    return Asked(method, first[2], body, number)


def parse(answer: Any, path: str) -> Measurement:
    """The number at the path. Raises `ProviderError` where there is something else, or nothing."""
    try:
        value = value_at(answer, path)
    except PathProblem as problem:
        raise ProviderError(Trouble.BAD_QUERY, f"the server's answer does not fit: {problem}") from problem
    return Measurement(tuple(sample(value, f"the value at `{path}`")))
