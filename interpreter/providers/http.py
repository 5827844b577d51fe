"""One HTTP request to a metric server: what every provider that speaks HTTP has in common.

`Http.ask` sends, reads no more than it must, and turns what went wrong into a `ProviderError` of the right kind: a
connection that failed and the statuses that pass by themselves are transient (with the time that the server asked for),
401, 403 and 407 are about credentials, the rest about the query. What a server says is masked before it is shown, also
where it says it with 200: `Answer.understood` stands around whatever reads an answer.
Redirects are not followed: a credential must not be carried where a server points. Of an answer `MOST_READ` bytes are
read, counted after unpacking; gzip and deflate are unpacked here, once, and never further than that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from interpreter.addresses import ANY
from interpreter.http_client import Clients, Manner, refused
from interpreter.masking import mask, safe_url, secrets_of
from interpreter.providers import answer_json
from interpreter.providers.provider import ProviderError, RenderedQuery, Trouble, hidden, safe_host
from interpreter.retrying import retry_after
from interpreter.tls import TlsProblem, material, not_secured
from interpreter.unpacking import UnpackProblem, unpacking

MOST_READ = 2 * 1024 * 1024
SHOWN = 300
"""Characters that are shown of what a server says. It is cut after it is masked: half a secret is not found."""
_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))
_AUTH = frozenset((401, 403, 407))
_TAG = re.compile(r"<[^<>]*>")


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
    """Requests to metric servers, over `clients`; by itself it goes to any address."""

    def __init__(self, clients: Clients | None = None) -> None:
        self._clients = Clients(ANY) if clients is None else clients

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
            manner = Manner(material(query.secret, verify=not query.insecure_skip_verify))
            given: dict[str, Any] = {"headers": sent, "params": params, "data": form, "content": content}
            if body is not None:
                given["json"] = body
            async with self._clients.client(manner) as client, client.stream(method, url, **given) as answer:
                text = await _read(answer, asked, until)
        except TlsProblem as error:
            raise ProviderError(Trouble.AUTH, str(error)) from error
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
        await self._clients.close()


def _unreachable(where: str, error: Exception, secrets: frozenset[str]) -> ProviderError:
    """A connection that failed may do better next time; not so one that nobody trusts, or that is refused here."""
    if (never := refused(error)) is not None:
        return ProviderError(Trouble.BAD_QUERY, f"{where} is not asked: {never}")
    if (why := not_secured(where, error)) is not None:
        return ProviderError(Trouble.AUTH, mask(why, secrets))
    why = mask(str(error) or type(error).__name__, secrets)
    return ProviderError(Trouble.TRANSIENT, f"{where} could not be asked: {why}")


async def _read(answer: httpx.Response, asked: Asked, until: tuple[bytes, ...]) -> bytes:
    body = bytearray()
    longest = max(map(len, until), default=0)
    try:
        unpack = unpacking(answer.headers.get("Content-Encoding", ""))
    except UnpackProblem as problem:
        raise ProviderError(Trouble.BAD_QUERY, f"the answer of {asked.where} {problem}") from problem
    async for piece in answer.aiter_raw():
        new = max(0, len(body) - longest)
        try:
            body += unpack(piece, MOST_READ + 1 - len(body))
        except UnpackProblem as problem:
            raise ProviderError(Trouble.TRANSIENT, f"the answer of {asked.where} {problem}") from problem
        if any(body.find(end, new) >= 0 for end in until):
            break
        if len(body) > MOST_READ:
            raise ProviderError(Trouble.BAD_QUERY, f"the answer of {asked.where} is too long: ask for one number")
    return bytes(body)


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
