"""Calls to webhooks and gates: one JSON `POST`, by the rules of interpreter.md §5.

2xx accepts. Anything else refuses, and so does silence: the time-out is for the whole of one try, from the look-up of
the name to the last byte that is read, so that a server that sends a byte a minute does not hold a call up. Refused
tries are repeated as often as `retries` says, later each time and never all at the same moment, and not before the
server wants to be asked again (`Retry-After`), if that is not too long to wait for. Of an answer no more is read than
what is shown of it. Redirects are refusals: a webhook that moved is a policy to correct.

So many calls are with one server at a time, and so many in all; the others wait, rollouts and servers in turn, and that
takes nothing of their time-out. `Caller` keeps its connections; a call never raises for what goes wrong on the way.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple

import httpx

from dsl.ir import Program, Webhook
from interpreter.actions import CallAction
from interpreter.addresses import Addresses
from interpreter.credential import Credential
from interpreter.http_client import Clients, Manner, refused
from interpreter.masking import mask, safe_url, secrets_of
from interpreter.places import Places
from interpreter.retrying import retry_after
from interpreter.state import State
from interpreter.tls import TlsProblem, material, not_secured
from interpreter.unpacking import UnpackProblem, unpacking

SHOWN = 500
MOST_READ = 4096
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 15.0
LONGEST_ASKED_S = 60.0
"""How long a server may make a call wait, with `Retry-After`."""
MOST_AT_ONE = 32
MOST_AT_ONCE = 256
PATIENCE_S = 120.0
"""How long a call waits for its turn."""
_BUSY = frozenset((429, 503))
_BROKEN = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)

Payload = Mapping[str, object]


class Reply(NamedTuple):
    """What came of a call. `detail` is for people: the answer's beginning, or why there was none. `retry_after` is how
    long the server wants to be left alone, in seconds. `unknown`: the server did not take us for who we say we are;
    `final`: another try would come to the same."""

    accepted: bool
    detail: str
    status: int | None = None
    tries: int = 1
    retry_after: float | None = None
    unknown: bool = False
    final: bool = False


class Call(NamedTuple):
    """One call, as it is sent; `where` and `secrets` are for what may be shown of it."""

    url: str
    payload: Payload
    headers: Mapping[str, str]
    manner: Manner
    timeout_s: float
    where: str
    secrets: frozenset[str]


class Caller:
    """Makes calls. Close it, or use it as a context, so that no connection is left open."""

    def __init__(self, reach: Addresses | Clients, *, first_delay: float = FIRST_DELAY_S) -> None:
        self._clients = reach if isinstance(reach, Clients) else Clients(reach)
        self._first_delay = first_delay
        self._queue = _Queue(MOST_AT_ONE, MOST_AT_ONCE)
        self._quiet: dict[str, float] = {}

    async def __aenter__(self) -> Caller:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._clients.close()

    async def call(
        self,
        webhook: Webhook,
        payload: Payload,
        key: str,
        *,
        credential: Credential | None = None,
        asker: str = "",
    ) -> Reply:
        """Call until it accepts or the retries are used up. `credential` is what the webhook's Secret holds; `asker` is
        the rollout whose turn it takes."""
        if webhook.secret is not None and credential is None:
            return Reply(False, f"it needs the secret `{webhook.secret}`, which is not to be had here", tries=0)
        try:
            call = _call(webhook, payload, key, credential or Credential({}, {}))
        except TlsProblem as problem:
            return Reply(False, str(problem), tries=0, unknown=True)
        except ValueError as problem:
            return Reply(False, f"its URL is none: {problem}", tries=0)
        reply = Reply(False, "", tries=0)
        for number in range(1, webhook.retries + 2):
            reply = (await self._in_turn(call, asker))._replace(tries=number)
            if reply.accepted or reply.final or number > webhook.retries:
                break
            wait = max(self._delay(number), reply.retry_after or 0.0)
            if wait > LONGEST_ASKED_S:
                said = f"; it wants to be left alone for {wait:.0f}s, which is longer than a call waits"
                return reply._replace(detail=reply.detail + said)
            await asyncio.sleep(wait)
        return reply

    def _delay(self, tries: int) -> float:
        longest = min(LONGEST_DELAY_S, self._first_delay * 2.0 ** min(tries - 1, 10))
        return longest * random.uniform(0.5, 1.0)

    async def _in_turn(self, call: Call, asker: str) -> Reply:
        """One try, when it is its turn."""
        await self._left_alone(call.where)
        try:
            async with self._queue.place(_server(call.url), asker):
                return await self._try(call)
        except _NoTurn:
            return Reply(False, f"{call.where} has had other calls before this one for {PATIENCE_S:g}s")

    async def _left_alone(self, where: str) -> None:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(self._quiet.get(where, now) - now)

    def _leave_alone(self, where: str, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        self._quiet = {known: until for known, until in self._quiet.items() if until > now}
        self._quiet[where] = now + min(seconds, LONGEST_ASKED_S)

    async def _try(self, call: Call) -> Reply:
        try:
            async with asyncio.timeout(call.timeout_s):
                reply = await self._post(call)
        except (TimeoutError, httpx.TimeoutException):
            return Reply(False, f"no answer from {call.where} within {call.timeout_s:g}s")
        except TlsProblem as problem:
            return Reply(False, str(problem), unknown=True, final=True)
        except (httpx.LocalProtocolError, UnicodeError):
            why = "a header or its credential has characters that no header can have"
            return Reply(False, f"{call.where} could not be called: {why}", final=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as trouble:
            return _not_called(call, trouble)
        if reply.retry_after is not None:
            self._leave_alone(call.where, reply.retry_after)
        return reply

    async def _post(self, call: Call) -> Reply:
        """A connection that was kept may have been given up by the server at the very moment; then the same is said
        once more over another, by the rule of RFC 9110 §9.2.2 for what has an idempotency key."""
        new = 0

        async def seen(event: str, _: Mapping[str, Any]) -> None:
            nonlocal new
            new += event == "connection.connect_tcp.started"

        try:
            return await self._sent(call, {"trace": seen})
        except _BROKEN:
            if new:
                raise
        return await self._sent(call, {})

    async def _sent(self, call: Call, extensions: dict[str, Any]) -> Reply:
        async with (
            self._clients.client(call.manner) as client,
            client.stream("POST", call.url, json=call.payload, headers=call.headers, extensions=extensions) as answer,
        ):
            body = mask(await _beginning(answer), call.secrets)[:SHOWN]
        if answer.is_success:
            return Reply(True, body, answer.status_code)
        said = f": {body}" if body else ""
        if answer.is_redirect:
            said = f": it points to {_elsewhere(answer, call.secrets)}, and is not followed there"
        wait = retry_after(answer.headers) if answer.status_code in _BUSY else None
        status = answer.status_code
        return Reply(False, f"it answered {status}{said}", status, retry_after=wait, unknown=status == 401)


class _NoTurn(Exception):
    """A call's turn did not come."""


class _Queue:
    """Places at each server, and in all. Who waits for one in all stands in the line of his server."""

    def __init__(self, at_one: int, in_all: int) -> None:
        self._at_one = at_one
        self._all = Places(in_all)
        self._servers: dict[str, Places] = {}

    @asynccontextmanager
    async def place(self, server: str, asker: str) -> AsyncIterator[None]:
        """Raises `_NoTurn`."""
        places = self._servers.setdefault(server, Places(self._at_one))
        places.users += 1
        try:
            async with AsyncExitStack() as held:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        await held.enter_async_context(places.place(asker))
                        await held.enter_async_context(self._all.place(server))
                except TimeoutError:
                    raise _NoTurn from None
                yield
        finally:
            places.users -= 1
            if not places.users:
                del self._servers[server]


def _call(webhook: Webhook, payload: Payload, key: str, credential: Credential) -> Call:
    """Raises `TlsProblem`, and ValueError for what is no URL."""
    own = {name.lower() for name in webhook.headers}
    lent = {name: value for name, value in credential.headers.items() if name.lower() not in own}
    headers = {"Accept-Encoding": "identity", "Idempotency-Key": key, **lent, **webhook.headers}
    tls = material(credential.tls, verify=not webhook.insecure_skip_verify)
    return Call(
        url=webhook.url,
        payload=payload,
        headers=headers,
        manner=Manner(tls),
        timeout_s=webhook.timeout_ms / 1000,
        where=safe_url(webhook.url),
        secrets=secrets_of(webhook.url, headers),
    )


def _server(url: str) -> str:
    """What of a URL says which server it is."""
    return safe_url(url).partition("://")[2].partition("/")[0].partition("?")[0].lower()


def _not_called(call: Call, trouble: Exception) -> Reply:
    """Why there is no answer."""
    if (never := refused(trouble)) is not None:
        return Reply(False, f"{call.where} is not called: {never}", final=True)
    if (why := not_secured(call.where, trouble)) is not None:
        return Reply(False, mask(why, call.secrets)[:SHOWN], unknown=True)
    why = mask(str(trouble) or type(trouble).__name__, call.secrets)[:SHOWN]
    if isinstance(trouble, httpx.RemoteProtocolError) and "disconnected" not in why:
        return Reply(False, f"the answer of {call.where} is broken: {why}")
    if isinstance(trouble, _BROKEN):
        # The alert of TLS that would say why is often lost with the connection.
        secured = call.where.startswith("https:")
        more = "; one that asks for another certificate (`tls.crt` and `tls.key` of the Secret) does so too"
        said = f"{call.where} closed the connection without an answer{more if secured else ''}"
        return Reply(False, said, unknown=secured)
    return Reply(False, f"{call.where} could not be called: {why}")


def asking(gate: str, key: str, state: State) -> CallAction:
    """What a gate is told is what any webhook is told."""
    run = state.run
    return CallAction(
        key=key,
        webhook=gate,
        phase=state.phase.value,
        revision=run.revision if run else "",
        weight=state.routing.weight,
        failed_checks=run.failed_checks if run else 0,
        iterations=run.iterations if run else 0,
    )


def payload_of(program: Program, webhook: Webhook, action: CallAction) -> dict[str, object]:
    """The JSON of a call, in the form that Flagger's users have servers for, and a little more."""
    return {
        "name": program.name,
        "namespace": program.namespace,
        "phase": action.phase,
        "checksum": action.revision,
        "metadata": dict(webhook.body),
        "revision": action.revision,
        "weight": action.weight,
        "failedChecks": action.failed_checks,
        "iterations": action.iterations,
        "idempotencyKey": action.key,
    }


async def _beginning(answer: httpx.Response) -> str:
    """The first characters of the body, for people; the rest is not read."""
    read = bytearray()
    try:
        unpack = unpacking(answer.headers.get("Content-Encoding", ""))
        async for piece in answer.aiter_raw():
            read += unpack(piece, MOST_READ - len(read))
            if len(read) >= MOST_READ:
                break
    except UnpackProblem as problem:
        return f"(the answer {problem})"
    return _plain(bytes(read).decode("utf-8", errors="replace"))


def _elsewhere(answer: httpx.Response, secrets: frozenset[str]) -> str:
    try:
        return mask(_plain(safe_url(answer.headers["Location"])), secrets)[:SHOWN]
    except ValueError:
        return "what is no URL"


def _plain(text: str) -> str:
    """In one line, of what can be seen."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
