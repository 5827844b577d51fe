"""One HTTP request to a metric server: what every provider that speaks HTTP has in common.

`Http.ask` sends, reads no more than it must, and turns what went wrong into a `ProviderError` of the right kind: a
connection that failed and the statuses that pass by themselves are transient (with the time that the server asked for),
401, 403 and 407 are about credentials, the rest about the query. What a server says is masked before it is shown.
Redirects are not followed: a credential must not be carried where a server points.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx

from interpreter.http_client import http_client
from interpreter.masking import mask, safe_url, secrets_of
from interpreter.providers.provider import ProviderError, RenderedQuery, Trouble

MOST_READ = 4 * 1024 * 1024
_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))
_AUTH = frozenset((401, 403, 407))


class Answer(NamedTuple):
    """What a server answered with 200."""

    body: bytes
    headers: httpx.Headers
    server: str

    def json(self) -> Any:
        """The body as JSON. Raises `ProviderError` for a page of HTML and the like."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ProviderError(
                Trouble.BAD_QUERY, f"{self.server} did not answer in JSON: check its address"
            ) from error


class Http:
    """Connections to the servers of one provider, kept for reuse."""

    def __init__(self) -> None:
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def ask(
        self,
        method: str,
        url: str,
        query: RenderedQuery,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: object = None,
        content: bytes | None = None,
        fine: frozenset[int] = frozenset({200}),
    ) -> Answer:
        """One request. `body` is sent as JSON. `fine` are the statuses that are an answer. The query's own headers come
        on top of `headers`. Raises `ProviderError`."""
        sent = {**(headers or {}), **query.headers}
        secrets = secrets_of(url, sent) | frozenset(value for value in query.secret.values() if value)
        where = safe_url(url)
        try:
            client = self._client(verify=not query.insecure_skip_verify)
            given: dict[str, Any] = {"headers": sent, "params": params, "data": form, "content": content}
            if body is not None:
                given["json"] = body
            async with client.stream(method, url, **given) as answer:
                text = await _read(answer, where)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            why = mask(str(error) or type(error).__name__, secrets)
            raise ProviderError(Trouble.TRANSIENT, f"{where} could not be asked: {why}") from error
        if answer.status_code not in fine:
            raise refusal(where, answer.status_code, mask(words(text), secrets), answer.headers)
        return Answer(text, answer.headers, where)

    async def close(self) -> None:
        """Let go of connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _client(self, *, verify: bool) -> httpx.AsyncClient:
        if verify not in self._clients:
            self._clients[verify] = http_client(verify=verify)
        return self._clients[verify]


async def _read(answer: httpx.Response, where: str) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MOST_READ:
            raise ProviderError(Trouble.BAD_QUERY, f"the answer of {where} is too long: ask for one number")
    return bytes(body)


def words(body: bytes) -> str:
    """What the server says is wrong: the fields in which most say it, else the beginning of the text."""
    text = body[:2000].decode("utf-8", errors="replace")
    try:
        answer = json.loads(text)
        said = answer.get("error") or answer.get("message") or answer.get("errors")
        kind = answer.get("errorType")
        if isinstance(said, dict):
            said = said.get("message") or said.get("reason") or said
        if said:
            text = f"{kind}: {said}" if kind else str(said)
    except (ValueError, AttributeError):
        pass
    return " ".join(text.split())[:300]


def refusal(where: str, status: int, said: str, headers: httpx.Headers) -> ProviderError:
    """The error that a status means. `where` and `said` may be shown."""
    said = f": {said}" if said else ""
    if status in _AUTH:
        return ProviderError(Trouble.AUTH, f"{where} does not let us in ({status}){said}")
    if status in _TRANSIENT:
        return ProviderError(Trouble.TRANSIENT, f"{where} answered {status}{said}", retry_after=retry_after(headers))
    return ProviderError(Trouble.BAD_QUERY, f"{where} refused the query ({status}){said}")


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds, given as a number or as a date (RFC 9110 §10.2.3), or until a rate limit's reset."""
    value = headers.get("Retry-After") or headers.get("X-RateLimit-Reset")
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


def authorization(secret: Mapping[str, str]) -> dict[str, str]:
    """An `Authorization` header from `token`, or from `username` and `password`; nothing for a Secret without these."""
    if "token" in secret:
        return {"Authorization": f"Bearer {secret['token'].strip()}"}
    if "username" in secret and "password" in secret:
        pair = f"{secret['username']}:{secret['password']}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}
