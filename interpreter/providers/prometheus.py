"""Prometheus, and whatever speaks its HTTP API: one instant query, as of a moment.

`vector` gives samples with their labels, `scalar` one without. Values are texts; "NaN" and "+Inf" are numbers to
Prometheus and mean no data or a mistake to us, so they are passed on as they are and named later. Warnings mean that a
part of the data is missing (Thanos says so when a store is down): that is an error, not a number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from interpreter.providers.http import Http, authorization
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble


class Prometheus:
    """Asks the server of the query, or else this one. A Secret has `token`, or `username` and `password`."""

    name = "prometheus"

    def __init__(self, server: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        self._server = server
        self._headers = dict(headers or {})
        self._http = Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        server = query.server or self._server
        if not server:
            why = "no Prometheus to ask: give one with --prometheus URL, to a controller with --metrics-server URL"
            raise ProviderError(Trouble.BAD_QUERY, why)
        own = self._headers if query.server in (None, self._server) else {}
        answer = await self._http.ask(
            "POST",
            f"{server.rstrip('/')}/api/v1/query",
            query,
            headers={**own, **authorization(query.secret)},
            form={"query": query.text, "time": f"{query.at_ms / 1000:.3f}"},
        )
        with answer.understood():
            return parse(answer.body)

    async def close(self) -> None:
        await self._http.close()


def parse(body: bytes, whose: str = "Prometheus") -> Measurement:
    """The samples in an answer of `whose` form. Raises `ProviderError` for one that is not so, or not whole."""
    try:
        answer = json.loads(body)
        data = answer["data"]
        kind, result = data["resultType"], data["result"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProviderError(Trouble.BAD_QUERY, f"the server's answer is not {whose}'s: check its address") from error
    warnings = tuple(str(warning) for warning in answer.get("warnings") or ())
    if warnings:
        raise ProviderError(Trouble.PARTIAL, f"the data is not whole: {'; '.join(warnings)[:300]}")
    if kind == "vector":
        return Measurement(tuple(_sample(row) for row in result))
    if kind == "scalar":
        return Measurement((Sample({}, _number(result)),))
    raise ProviderError(Trouble.BAD_QUERY, f"the query gives a {kind}, and one number is needed: take a rate of it")


def _sample(row: Any) -> Sample:
    try:
        return Sample(dict(row["metric"]), _number(row["value"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError(Trouble.BAD_QUERY, "a sample of the answer is not a number at a time") from error


def _number(pair: Any) -> float:
    return float(pair[1])
