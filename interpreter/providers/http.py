"""One HTTP request to a metric server: what every provider that speaks HTTP has in common.

`Http.ask` sends, reads no more than it must, and turns what went wrong into a `ProviderError` of the right kind: a
connection that failed and the statuses that pass by themselves are transient (with the time that the server asked for),
401, 403 and 407 are about credentials, the rest about the query. What a server says is masked before it is shown, also
where it says it with 200: `Answer.understood` stands around whatever reads an answer.
Redirects are not followed: a credential must not be carried where a server points. Of an answer `MOST_READ` bytes are
read, counted after unpacking; gzip and deflate are unpacked here, once, and never further than that.
"""

from __future__ import annotations

import base64
import json
import math
import re
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx

from interpreter.http_client import http_client
from interpreter.masking import mask, safe_url, secrets_of
from interpreter.providers import answer_json
from interpreter.providers.provider import ProviderError, RenderedQuery, Trouble, hidden, safe_host
from interpreter.providers.tls import Material, context, material

MOST_READ = 2 * 1024 * 1024
SHOWN = 300
"""Characters that are shown of what a server says. It is cut after it is masked: half a secret is not found."""
MOST_CLIENTS = 32
_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))
_AUTH = frozenset((401, 403, 407))
_TAG = re.compile(r"<[^<>]*>")
_WAITS = ("Retry-After", "X-RateLimit-Reset", "X-Sentry-Rate-Limit-Reset")
_MOMENT = 1_000_000_000  # in 2001: as so many seconds from now it is no wait that anybody means


class Asked(NamedTuple):
    """One request, as far as an error is about it. What may be shown of it is found out when there is one."""

    url: str
    headers: Mapping[str, str]
    query: RenderedQuery

    @property
    def secrets(self) -> frozenset[str]:
        """What must not be shown."""
        return secrets_of(self.url, self.headers) | hidden(self.query)

    @property
    def where(self) -> str:
        """The address as it may be shown."""
        return mask(safe_url(self.url), self.secrets)


class Answer(NamedTuple):
    """What a server answered, with 200 or another status that was fine."""

    body: bytes
    headers: httpx.Headers
    asked: Asked
    status: int = 200

    @property
    def server(self) -> str:
        """The address, as it may be shown."""
        return self.asked.where

    @property
    def secrets(self) -> frozenset[str]:
        """What must not be shown of it."""
        return self.asked.secrets

    def json(self) -> Any:
        """The body as JSON. Raises `ProviderError` for a page of HTML and the like."""
        try:
            return answer_json.read(self.body)
        except (ValueError, RecursionError) as error:
            raise ProviderError(Trouble.BAD_QUERY, f"{self.server} {_instead(self.body)}: check its address") from error

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Around the reading of this answer: one of another shape is a `ProviderError`, and no error shows a secret
        that the server sent back to us."""
        try:
            yield
        except ProviderError as error:
            said = mask(str(error), self.secrets)[:SHOWN]
            raise ProviderError(error.trouble, said, retry_after=error.retry_after) from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError):
            words = f"the answer of {self.server} has another form than this provider's: check the address"
            raise ProviderError(Trouble.BAD_QUERY, words) from None


class Http:
    """Connections to the servers of one provider, kept for reuse; those that TLS secures alike are kept together. Of
    `MOST_CLIENTS` kinds the one that was not used for longest is let go: certificates rotate."""

    def __init__(self) -> None:
        self._clients: dict[Material, httpx.AsyncClient] = {}

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
        until: tuple[bytes, ...] = (),
    ) -> Answer:
        """One request. `body` is sent as JSON. `fine` are the statuses that are an answer. The query's own headers come
        on top of `headers`. An answer with one of `until` in it is read no further: some servers send theirs as a
        stream, and keep the connection. Raises `ProviderError`."""
        sent = {"Accept-Encoding": "gzip", **(headers or {}), **query.headers}
        asked = Asked(url, sent, query)
        try:
            client = await self._client(material(query.secret, verify=not query.insecure_skip_verify))
            given: dict[str, Any] = {"headers": sent, "params": params, "data": form, "content": content}
            if body is not None:
                given["json"] = body
            async with client.stream(method, url, **given) as answer:
                text = await _read(answer, asked, until)
        except UnicodeError as error:
            raise ProviderError(
                Trouble.BAD_QUERY, f"{asked.where} cannot be asked: a header or its address is not ASCII"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _unreachable(asked.where, error, asked.secrets) from error
        if answer.status_code not in fine:
            said = words(text, asked.secrets)
            if answer.is_redirect:
                to = mask(safe_host(answer.headers["Location"]), asked.secrets)
                said = f"it points to {to}, and is not followed there"
            raise refusal(asked.where, answer.status_code, said, answer.headers)
        return Answer(text, answer.headers, asked, answer.status_code)

    async def close(self) -> None:
        """Let go of connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def _client(self, tls: Material) -> httpx.AsyncClient:
        client = self._clients.pop(tls, None)
        if client is None:
            client = http_client(verify=tls.verify, tls=context(tls))
        self._clients[tls] = client
        if len(self._clients) > MOST_CLIENTS:
            await self._clients.pop(next(iter(self._clients))).aclose()
        return client


def _unreachable(where: str, error: Exception, secrets: frozenset[str]) -> ProviderError:
    """A connection that failed may do better next time. A certificate that is not trusted will not."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        why = mask(cause.verify_message, secrets)
        own = "issuer" in why or "self-signed" in why
        more = "; if its authority is one of your own, put it into the Secret as `ca.crt`" if own else ""
        return ProviderError(Trouble.AUTH, f"the certificate of {where} is not trusted: {why}{more}")
    why = mask(str(error) or type(error).__name__, secrets)
    return ProviderError(Trouble.TRANSIENT, f"{where} could not be asked: {why}")


async def _read(answer: httpx.Response, asked: Asked, until: tuple[bytes, ...]) -> bytes:
    body = bytearray()
    longest = max(map(len, until), default=0)
    unpack = _unpacking(answer.headers.get("Content-Encoding", ""), asked)
    async for piece in answer.aiter_raw():
        new = max(0, len(body) - longest)
        body += unpack(piece, MOST_READ + 1 - len(body))
        if any(body.find(end, new) >= 0 for end in until):
            break
        if len(body) > MOST_READ:
            raise ProviderError(Trouble.BAD_QUERY, f"the answer of {asked.where} is too long: ask for one number")
    return bytes(body)


def _unpacking(encoding: str, asked: Asked) -> Callable[[bytes, int], bytes]:
    """What makes plain bytes of a piece, no more than so many. Raises `ProviderError`, and so does it."""
    match encoding.strip().lower():
        case "" | "identity":
            return lambda piece, _: piece
        case "gzip" | "x-gzip" | "deflate":
            packed = zlib.decompressobj(zlib.MAX_WBITS | 32)
        case _:
            raise ProviderError(Trouble.BAD_QUERY, f"{asked.where} packed its answer in a way that was not asked for")

    def unpack(piece: bytes, most: int) -> bytes:
        try:
            return packed.decompress(piece, most)
        except zlib.error as error:
            raise ProviderError(Trouble.TRANSIENT, f"the answer of {asked.where} cannot be unpacked") from error

    return unpack


def _instead(body: bytes) -> str:
    """What an answer is that is not the JSON that it should be."""
    begin = body[:64].lstrip().lower()
    if begin.startswith((b"<!doctype html", b"<html")):
        return "did not answer in JSON, but with a web page"
    return "did not answer in JSON" if begin else "did not answer in JSON: it said nothing"


def words(body: bytes, secrets: frozenset[str] = frozenset()) -> str:
    """What the server says is wrong: the fields in which most say it, else the beginning of the text, without the tags
    of a page. Masked."""
    text = body[: 64 * 1024].decode("utf-8", errors="replace")
    try:
        answer = json.loads(text)
        said = answer.get("error") or answer.get("message") or answer.get("errors") or answer.get("detail")
        kind = answer.get("errorType")
        if isinstance(said, dict):
            said = said.get("message") or said.get("reason") or said
        if isinstance(said, list):
            said = "; ".join(str(one.get("message") or one) if isinstance(one, dict) else str(one) for one in said)
        if said:
            text = f"{kind}: {said}" if kind else str(said)
    except (ValueError, AttributeError, RecursionError):
        pass
    if text.lstrip().startswith("<"):
        text = _TAG.sub(" ", text)
    return mask(" ".join(text.split()), secrets)[:SHOWN]


def refusal(where: str, status: int, said: str, headers: httpx.Headers) -> ProviderError:
    """The error that a status means. `where` and `said` may be shown."""
    said = f": {said}" if said else ""
    if status in _AUTH:
        return ProviderError(Trouble.AUTH, f"{where} does not let us in ({status}){said}")
    if status in _TRANSIENT:
        return ProviderError(Trouble.TRANSIENT, f"{where} answered {status}{said}", retry_after=retry_after(headers))
    return ProviderError(Trouble.BAD_QUERY, f"{where} refused the query ({status}){said}")


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds, given as a number or as a date (RFC 9110 §10.2.3), or until a rate limit's reset: seconds (Datadog), or
    a moment in seconds (Sentry) or microseconds (Dynatrace) since 1970."""
    value = next((headers[name] for name in _WAITS if name in headers), None)
    if value is None:
        return None
    now = datetime.now(UTC)
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        if not math.isfinite(seconds):
            return None
        for unit in (1_000_000, 1000, 1):
            if seconds >= _MOMENT * unit:
                seconds = seconds / unit - now.timestamp()
        return max(0.0, seconds)
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
    except (ValueError, TypeError, LookupError, OverflowError):
        return None


def authorization(secret: Mapping[str, str]) -> dict[str, str]:
    """An `Authorization` header from `token`, or from `username` and `password`; nothing for a Secret without these."""
    if "token" in secret:
        return {"Authorization": f"Bearer {secret['token'].strip()}"}
    if "username" in secret and "password" in secret:
        pair = f"{secret['username']}:{secret['password']}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}
