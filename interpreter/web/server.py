"""The listening side: connections, how many and for how long, and TLS.

A connection on which nothing is being answered is closed after `IDLE_S`: one that never ends its headers holds nothing
for longer than that. Beyond `MOST_CONNECTIONS` a new one is closed at once.
"""

from __future__ import annotations

import asyncio
import ssl
import weakref

import structlog
from aiohttp import web

IDLE_S = 20.0
MOST_CONNECTIONS = 500
SHUTDOWN_S = 5.0

log = structlog.get_logger(__name__)


class WebServer:
    """One application on one port."""

    def __init__(
        self,
        application: web.Application,
        *,
        tls: ssl.SSLContext | None = None,
        idle_s: float = IDLE_S,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._application = application
        self._tls = tls
        self._idle_s = idle_s
        self._most = most_connections
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._open: weakref.WeakSet[asyncio.BaseProtocol] = weakref.WeakSet()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port is returned, of which 0 means any. Raises `OSError` if it cannot be had."""
        self._runner = web.AppRunner(
            self._application,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=self._idle_s,
            shutdown_timeout=SHUTDOWN_S,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=self._tls)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def aclose(self) -> None:
        """Stop listening, let what has begun be answered for a few seconds, and close."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
