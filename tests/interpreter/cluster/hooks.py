"""A server for webhooks and gates, on the loopback interface: a policy without metrics is steered by it.

Every path is a hook of its own. A hook accepts unless it is shut, and what it was told is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from aiohttp import web


class Call(NamedTuple):
    """What a hook was told."""

    hook: str
    key: str
    body: dict[str, Any]


class Hooks:
    """`declare` gives a policy its gates and webhooks. They accept unless they are in `shut`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.shut: set[str] = set()
        self.refuse: Callable[[Call], bool] = lambda call: False
        """Whether a call is refused of which `shut` does not say so."""
        self.hanging: set[str] = set()
        """Hooks that say nothing for as long as they are in here."""
        self.port = 0
        self.scheme = "http"

    def url(self, hook: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/{hook}"

    def gate(self, *hooks: str) -> str:
        """Gates for a policy, shut to begin with."""
        self.shut |= set(hooks)
        return "\n".join(f'gate {hook} {{ url "{self.url(hook)}" }}' for hook in hooks)

    def webhook(self, *hooks: str) -> str:
        """Webhooks for a policy, which accept."""
        return "\n".join(f'webhook {hook} {{ url "{self.url(hook)}" }}' for hook in hooks)

    def open(self, *hooks: str) -> None:
        self.shut -= set(hooks)

    def called(self, hook: str) -> list[Call]:
        return [call for call in self.calls if call.hook == hook]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        hook = request.path.strip("/")
        call = Call(hook, request.headers.get("Idempotency-Key", ""), await request.json())
        self.calls.append(call)
        while hook in self.hanging:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)
        if hook in self.shut or self.refuse(call):
            return web.Response(status=403, text="not yet")
        return web.Response(text="fine")


@contextlib.asynccontextmanager
async def hooks(tls: ssl.SSLContext | None = None) -> AsyncIterator[Hooks]:
    """A server until the end of the block."""
    made = Hooks()
    made.scheme = "http" if tls is None else "https"
    runner = web.ServerRunner(web.Server(made.answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    made.port = int(runner.addresses[0][1])
    try:
        yield made
    finally:
        await runner.cleanup()
