"""A Prometheus that is asked about whole ranges, and answers instant queries from them.

`/api/v1/query_range` evaluates a query at `start`, `start + step`, … up to `end`, each time as an instant query as of
that moment would have been (Prometheus HTTP API, "Range queries"; at most 11,000 points a series). So a range with the
checks' interval as its step holds the answer to every check, and one request serves many. Ranges are fetched in pieces
of `POINTS` when they are first needed; each piece is asked for once. Moments that are not whole steps apart are of
different `phase`, and have pieces of their own.

It is a provider like the real one, so that rendering, credentials, retries and the reading of answers are the same as
in a rollout. Of `prometheus-api-client` no use is made here: it drops the server's warnings, and data that is not whole
would be taken for whole; it rounds to whole seconds and has no limit of time.

What a server refuses or fails now says nothing of what it would have said then: it is kept in `problem` for whoever
asked, who is to stop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from interpreter.backtest.moments import Span
from interpreter.desired import Instant
from interpreter.masking import safe_url
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

POINTS = 1000
"""In one piece; a histogram of a hundred buckets then still fits into what is read of an answer."""

Points = Mapping[Instant, tuple[Sample, ...]]


class _Piece(NamedTuple):
    """What one request is about."""

    server: str
    text: str
    phase: int
    number: int


class Ranges(Prometheus):
    """Answers about the moments of a span. `requests` counts what the server was asked, `example` is the last of
    the queries."""

    def __init__(self, server: str, within: Span, step_ms: int) -> None:
        super().__init__(server)
        self._url = server
        self._within = within
        self._step_ms = step_ms
        self._pieces: dict[_Piece, Points] = {}
        self.requests = 0
        self.example = "none"
        self._problems: dict[_Piece, ProviderError] = {}
        self._waiting: set[_Piece] = set()

    @property
    def problem(self) -> ProviderError | None:
        """Why a piece could not be had, if one could not."""
        late = (
            [ProviderError(Trouble.TRANSIENT, f"{safe_url(self._url)} gave no answer in time")] if self._waiting else []
        )
        return next(iter((*self._problems.values(), *late)), None)

    async def measure(self, query: RenderedQuery) -> Measurement:
        """As of the query's moment. Raises `ProviderError`."""
        piece = self._piece(query)
        points = self._pieces.get(piece)
        if points is None:
            self._waiting.add(piece)
            try:
                points = self._pieces[piece] = await self._fetched(piece, query)
            except ProviderError as error:
                self._problems[piece] = error
                raise
            self._waiting.discard(piece)
            self._problems.pop(piece, None)
        return Measurement(points.get(query.at_ms, ()))

    def _piece(self, query: RenderedQuery) -> _Piece:
        number = (query.at_ms - self._within.from_ms) // (self._step_ms * POINTS)
        return _Piece(query.server or self._url, query.text, query.at_ms % self._step_ms, number)

    def _moments(self, piece: _Piece) -> Span:
        """The first and the last moment of a piece. None is behind the span's end."""
        begin = self._within.from_ms + piece.number * self._step_ms * POINTS
        first = begin + (piece.phase - begin) % self._step_ms
        last = first + (POINTS - 1) * self._step_ms
        beyond = max(0, -(-(last - self._within.to_ms) // self._step_ms))
        return Span(first, max(first, last - beyond * self._step_ms))

    async def _fetched(self, piece: _Piece, query: RenderedQuery) -> Points:
        first, last = self._moments(piece)
        asked = {"query": piece.text, "start": _s(first), "end": _s(last), "step": _s(self._step_ms)}
        content = urlencode(asked).encode()
        url = f"{piece.server.rstrip('/')}/api/v1/query_range"
        headers = await self._introduced(url, {"Content-Type": "application/x-www-form-urlencoded"}, content, query)
        if tenant := query.secret.get("tenant"):
            headers = {**headers, "X-Scope-OrgID": tenant.strip()}
        self.requests += 1
        self.example = piece.text
        answer = await self._http.ask("POST", url, query, headers=headers, content=content)
        with answer.understood():
            return points(answer.body)


def _s(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"


def points(body: bytes) -> Points:
    """The samples of each moment. Raises `ProviderError` for an answer that is not Prometheus's, or not whole."""
    try:
        answer = json.loads(body)
        kind, result = answer["data"]["resultType"], answer["data"]["result"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProviderError(Trouble.BAD_QUERY, "the server's answer is not Prometheus's: check its address") from error
    if warnings := [str(warning) for warning in answer.get("warnings") or ()]:
        raise ProviderError(Trouble.PARTIAL, f"the data is not whole: {'; '.join(warnings)}")
    if kind != "matrix":
        raise ProviderError(Trouble.BAD_QUERY, f"a range was asked for, and a {kind} came")
    found: dict[Instant, list[Sample]] = {}
    for row in result:
        _gather(row, found)
    return {at_ms: tuple(samples) for at_ms, samples in found.items()}


def _gather(row: Any, found: dict[Instant, list[Sample]]) -> None:
    try:
        labels = dict(row["metric"])
        for at, value in row.get("values", ()):
            found.setdefault(round(float(at) * 1000), []).append(Sample(labels, float(value)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProviderError(Trouble.BAD_QUERY, "a sample of the answer is not a number at a time") from error
