"""The listening side: connections, how many and for how long, and TLS.

A connection on which nothing is being answered is closed after `IDLE_S`, whether it has sent nothing, half of a
request's head, or reads its answer too slowly. Beyond `MOST_CONNECTIONS` the newest are closed. How long a
request may take once its head is read is the application's to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from aiohttp import web

IDLE_S = 20.0
MOST_CONNECTIONS = 500
SHUTDOWN_S = 5.0

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Connection(Protocol):
    """What we know of a connection of aiohttp's."""

    transport: asyncio.Transport | None


class Secured(Protocol):
    """What there is to say over TLS: a context, and a chore that keeps its certificate fresh until cancelled."""

    context: ssl.SSLContext

    async def run(self) -> None: ...


class WebServer:
    """One application on one port. With a `certificate` it speaks TLS."""

    def __init__(
        self,
        application: web.Application,
        *,
        certificate: Secured | None = None,
        idle_s: float = IDLE_S,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._application = application
        self._certificate = certificate
        self._idle_s = idle_s
        self._most = most_connections
        self._runner: web.AppRunner | None = None
        self._busy: dict[object, int] = {}
        self._idle: dict[object, float] = {}
        self._chores: list[asyncio.Task[None]] = []

    async def start(self, host: str, port: int) -> int:
        """Listen; the port is returned, of which 0 means any. Raises `OSError` if it cannot be had."""
        self._application.middlewares.insert(0, self._noted)
        self._runner = web.AppRunner(
            self._application,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=self._idle_s,
            shutdown_timeout=SHUTDOWN_S,
        )
        await self._runner.setup()
        context = self._certificate.context if self._certificate is not None else None
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=context).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._chores.append(asyncio.create_task(self._sweep()))
        if self._certificate is not None:
            self._chores.append(asyncio.create_task(self._certificate.run()))
        taken = int(self._runner.addresses[0][1])
        log.info("the web is served", host=host, port=taken, tls=context is not None)
        return taken

    async def aclose(self) -> None:
        """Stop listening, let what has begun be answered for a few seconds, and close."""
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self._chores.clear()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _noted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A connection on which a request is being answered is not idle."""
        connection = request.protocol
        self._busy[connection] = self._busy.get(connection, 0) + 1
        try:
            return await handler(request)
        finally:
            left = self._busy.pop(connection) - 1
            if left:
                self._busy[connection] = left
            self._idle[connection] = time.monotonic()

    async def _sweep(self) -> None:
        """Close what is idle, and what is too much."""
        while True:
            await asyncio.sleep(min(1.0, self._idle_s / 4))
            server = self._runner.server if self._runner is not None else None
            there = list(server.connections) if server is not None else []
            now = time.monotonic()
            self._idle = {one: self._idle.get(one, now) for one in there}
            for number, one in enumerate(there):
                late = one not in self._busy and now - self._idle[one] >= self._idle_s
                if late or number >= self._most:
                    _cut(one)


def _cut(connection: _Connection) -> None:
    with contextlib.suppress(AttributeError):
        if connection.transport is not None:
            connection.transport.abort()
