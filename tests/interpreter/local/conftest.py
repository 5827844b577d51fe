"""A proxy with services behind it that do what a test wants, all on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

from interpreter.desired import Role
from interpreter.local.metering import Metering
from interpreter.local.proxy import Proxy
from interpreter.local.upstreams import Endpoint, Upstreams

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Stand:
    """What a test of the proxy needs."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.upstreams = Upstreams()
        self.metering = Metering()
        self.proxy = Proxy(self.upstreams, self.metering)
        self.url = ""
        self.client = aiohttp.ClientSession(auto_decompress=False)

    async def open(self) -> None:
        taken = socket.create_server(("127.0.0.1", 0))
        taken.setblocking(False)
        await self.proxy.serve(taken)
        self._stack.push_async_callback(self.proxy.close)
        self._stack.push_async_callback(self.client.close)
        self.url = f"http://127.0.0.1:{taken.getsockname()[1]}"

    async def service(self, role: Role, handler: Handler) -> Endpoint:
        """Put a service behind the proxy."""
        runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return self.at(role, int(runner.addresses[0][1]))

    def at(self, role: Role, port: int) -> Endpoint:
        endpoint = Endpoint(role, f"{role}-revision", port)
        self.upstreams.put(role, endpoint.revision, (endpoint,))
        self.proxy.refresh()
        return endpoint

    def counts(self, role: Role) -> dict[int, int]:
        found = {}
        for subject, counts in self.metering.everything():
            if subject.role == role:
                found = dict(counts.codes)
        return found


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        made = Stand(stack)
        await made.open()
        yield made
