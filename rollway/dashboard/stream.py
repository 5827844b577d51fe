"""The stream of one viewer: server-sent events (WHATWG HTML, "Server-sent events") that say *that* something is new.

An event has a number as its id, so that a browser which comes back (`Last-Event-ID`), or a page that was rendered a
moment ago (`seen`), is told at once of what it missed. Nothing is queued: between two looks at the number any amount
may have happened. A viewer that does not take what is sent is dropped. A comment every few seconds keeps proxies from
closing the connection, and shows whether anybody is still there. The stream ends when the session does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from aiohttp import web

from interpreter.cluster.errors import ApiError
from interpreter.web import session
from interpreter.web.application import lasting
from interpreter.web.fitting import Refused
from interpreter.web.people import Authority, Person, Unavailable
from interpreter.web.problems import page_or_problem, told
from rollway.dashboard.frame import key_of, somebody
from rollway.dashboard.rights import Rights
from rollway.dashboard.watch import Key, Watch

MOST = 200
"""Viewers at a time; one that comes beyond that is told to come again, and its page loads itself now and then."""
HEARTBEAT_S = 15.0
SEND_S = 10.0
GAP_S = 1.0
"""At most one event in this time."""
PULSE_S = 10.0
"""The page of a rollout that is under way is fresh at least so often: pods are not watched."""
RECHECK_S = 60.0
_FULL = "too many are looking already; the page goes on without being told of changes"


class Streams:
    """All viewers. `close` ends them."""

    def __init__(
        self,
        watch: Watch,
        rights: Rights,
        authority: Authority,
        *,
        most: int = MOST,
        heartbeat_s: float = HEARTBEAT_S,
        send_s: float = SEND_S,
        recheck_s: float = RECHECK_S,
    ) -> None:
        self._watch = watch
        self._rights = rights
        self._authority = authority
        self._most = most
        self._heartbeat_s = heartbeat_s
        self._send_s = send_s
        self._recheck_s = recheck_s
        self._closing = asyncio.Event()
        self.viewers = 0

    async def close(self, _: web.Application | None = None) -> None:
        """Let every stream end."""
        self._closing.set()

    async def list_of(self, request: web.Request) -> web.StreamResponse:
        """For the list: any change."""
        return await self._serve(request, somebody(request), None)

    async def one_of(self, request: web.Request) -> web.StreamResponse:
        """For one rollout: its changes, and a pulse while it is under way."""
        person = somebody(request)
        try:
            key = key_of(request)
            await self._rights.see(person, key)
        except (Refused, Unavailable, ApiError) as error:
            return page_or_problem(request, told(error))
        return await self._serve(request, person, key)

    async def _serve(self, request: web.Request, person: Person, key: Key | None) -> web.StreamResponse:
        if self.viewers >= self._most or self._closing.is_set():
            raise web.HTTPServiceUnavailable(text=_FULL, headers={"Retry-After": "30"})
        self.viewers += 1
        try:
            async with self._watch.used():
                return await self._follow(request, person, key)
        finally:
            self.viewers -= 1

    async def _follow(self, request: web.Request, person: Person, key: Key | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        response.charset = "utf-8"
        await response.prepare(request)
        if request.transport is not None:
            request.transport.set_write_buffer_limits(0)
        try:
            await self._send(response, "retry: 3000\n\n")
            async for words in self._words(request, person, key):
                await self._send(response, words)
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()  # it does not take what is sent
        return response

    async def _words(self, request: web.Request, person: Person, key: Key | None) -> AsyncIterator[str]:
        """What is sent, piece by piece."""
        seen = self._seen(request)
        checked = pulsed = time.monotonic()
        while not self._closing.is_set():
            now = time.monotonic()
            if now - checked >= self._recheck_s:
                checked = now
                if not await self._still(request, person, key):
                    yield "event: end\ndata: the session has ended\n\n"
                    return
            number = self._watch.changed(key)
            beats = key is not None and now - pulsed >= PULSE_S and self._watch.is_busy(key)
            if number > seen or beats:
                seen, pulsed = max(seen, number), now
                yield f"id: {self._watch.epoch}-{number}\nevent: changed\ndata: {number}\n\n"
                await self._sleep(GAP_S)
            elif not await self._news(key):
                yield ": still here\n\n"

    async def _news(self, key: Key | None) -> bool:
        """Wait for a change; False if none has come for a while."""
        wait = self._heartbeat_s if key is None else min(self._heartbeat_s, PULSE_S)
        news, closing = asyncio.create_task(self._watch.news()), asyncio.create_task(self._closing.wait())
        try:
            done, _ = await asyncio.wait((news, closing), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            return bool(done)
        finally:
            news.cancel()
            closing.cancel()

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _send(self, response: web.StreamResponse, words: str) -> None:
        async with asyncio.timeout(self._send_s):
            await response.write(words.encode())

    async def _still(self, request: web.Request, person: Person, key: Key | None) -> bool:
        """Whether the session goes on, and may still see this. While nobody can say, it does."""
        token = request.cookies.get(session.COOKIE) or request.headers.get("Authorization", "").partition(" ")[2]
        try:
            if await self._authority.person(token.strip()) is None:
                return False
            if key is not None:
                await self._rights.see(person, key)
        except Refused:
            return False
        except (Unavailable, ApiError):
            return True
        return True

    def _seen(self, request: web.Request) -> int:
        """The number of what this viewer has seen; of another process' numbers none."""
        said = request.headers.get("Last-Event-ID") or request.query.get("seen", "")
        epoch, _, number = said.rpartition("-")
        return int(number) if epoch == self._watch.epoch and number.isdecimal() and len(number) < 16 else -1


STREAMS = web.AppKey("streams", Streams)


@lasting
async def list_stream(request: web.Request) -> web.StreamResponse:
    """The stream of the list."""
    return await request.app[STREAMS].list_of(request)


@lasting
async def one_stream(request: web.Request) -> web.StreamResponse:
    """The stream of one rollout."""
    return await request.app[STREAMS].one_of(request)
