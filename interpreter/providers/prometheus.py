"""Prometheus, and whatever speaks its HTTP API: one instant query, as of a moment.

`vector` gives samples with their labels, `scalar` one without. Values are texts; "NaN" and "+Inf" are numbers to
Prometheus and mean no data or a mistake to us, so they are passed on as they are and named later. Warnings mean that a
part of the data is missing (Thanos says so when a store is down): that is an error, not a number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from interpreter.http_client import http_client
from interpreter.masking import mask, safe_url, secrets_of
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

MOST_READ = 4 * 1024 * 1024
_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))
_AUTH = frozenset((401, 403, 407))


class Prometheus:
    """Asks the server of the query, or else this one."""

    name = "prometheus"

    def __init__(self, server: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        self._server = server
        self._headers = dict(headers or {})
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def measure(self, query: RenderedQuery) -> Measurement:
        server = query.server or self._server
        if not server:
            raise ProviderError(Trouble.BAD_QUERY, "no Prometheus to ask: give one with --prometheus URL")
        headers = {**(self._headers if query.server in (None, self._server) else {}), **query.headers}
        secrets = secrets_of(server, headers)
        try:
            status, body, answer_headers = await self._post(server, query, headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            why = mask(str(error) or type(error).__name__, secrets)
            raise ProviderError(Trouble.TRANSIENT, f"{safe_url(server)} could not be asked: {why}") from error
        if status != 200:
            raise _refusal(server, status, mask(_words(body), secrets), answer_headers)
        return parse(body)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def _post(
        self, server: str, query: RenderedQuery, headers: Mapping[str, str]
    ) -> tuple[int, bytes, httpx.Headers]:
        form = {"query": query.text, "time": f"{query.at_ms / 1000:.3f}"}
        client = self._client(verify=not query.insecure_skip_verify)
        url = f"{server.rstrip('/')}/api/v1/query"
        async with client.stream("POST", url, data=form, headers=dict(headers)) as answer:
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MOST_READ:
                    raise ProviderError(Trouble.BAD_QUERY, "the answer is too long: sum the series in the query")
            return answer.status_code, bytes(body), answer.headers

    def _client(self, *, verify: bool) -> httpx.AsyncClient:
        if verify not in self._clients:
            self._clients[verify] = http_client(verify=verify)
        return self._clients[verify]


def parse(body: bytes) -> Measurement:
    """The samples in an answer. Raises `ProviderError` for one that is not Prometheus's, or not whole."""
    try:
        answer = json.loads(body)
        data = answer["data"]
        kind, result = data["resultType"], data["result"]
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderError(Trouble.BAD_QUERY, "the server's answer is not Prometheus's: check its address") from error
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


def _words(body: bytes) -> str:
    """What the server says is wrong."""
    text = body[:2000].decode("utf-8", errors="replace")
    try:
        answer = json.loads(text)
        text = f"{answer.get('errorType', 'error')}: {answer['error']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return " ".join(text.split())[:300]


def _refusal(server: str, status: int, words: str, headers: httpx.Headers) -> ProviderError:
    where = safe_url(server)
    said = f": {words}" if words else ""
    if status in _AUTH:
        return ProviderError(Trouble.AUTH, f"{where} does not let us in ({status}){said}")
    if status in _TRANSIENT:
        return ProviderError(Trouble.TRANSIENT, f"{where} answered {status}{said}", retry_after=_retry_after(headers))
    return ProviderError(Trouble.BAD_QUERY, f"{where} refused the query ({status}){said}")


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds, given as a number or as a date."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
