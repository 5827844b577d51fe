"""A server of JSON, CSV or bytes that a test scripts: what it was asked is kept whole, bodies too."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web


class Asked(NamedTuple):
    """One request. `query` are the parameters of its URL."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Said(NamedTuple):
    """One answer. A `body` that is neither text nor bytes is sent as JSON, after `wait` seconds."""

    body: object = b""
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012
    wait: float = 0.0


class Wire:
    """`answers` are given in order, the last one for ever; `by_path` come first, and may be made from the request."""

    def __init__(self) -> None:
        self.answers: list[Said] = []
        self.by_path: dict[str, Said | Callable[[Asked], Said]] = {}
        self.asked: list[Asked] = []
        self.at_once = 0
        self.most_at_once = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.path, dict(request.query), headers, await request.read())
        self.asked.append(asked)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            said = self._said(asked)
            await asyncio.sleep(said.wait)
        finally:
            self.at_once -= 1
        body = said.body
        if isinstance(body, str):
            body = body.encode()
        return web.Response(
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            status=said.status,
            headers=said.headers,
        )

    def _said(self, asked: Asked) -> Said:
        said = self.by_path.get(asked.path)
        if said is None:
            said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return said if isinstance(said, Said) else said(asked)


@asynccontextmanager
async def wired(tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    made = Wire()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(30):
            yield made
    finally:
        await runner.cleanup()
