"""A tester that listens, and somebody to be tested, whose requests are counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from interpreter.tester.server import Server, Settings


class Client:
    """Calls a tester as a rollout's webhooks do."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=60, verify=False)

    async def post(
        self, path: str = "/", name: str = "podinfo", namespace: str = "test", checksum: str = "1",
        headers: dict[str, str] | None = None, **metadata: str,
    ) -> httpx.Response:  # fmt: skip
        body = {"name": name, "namespace": namespace, "phase": "Progressing", "checksum": checksum}
        return await self.http.post(path, json={**body, "metadata": metadata}, headers=headers)

    async def task(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"/tasks/{name}")).json()
        return found

    async def ended(self, name: str) -> dict[str, Any]:
        """The task, once it does not run any more."""
        while (found := await self.task(name))["state"] == "running":  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.02)
        return found

    async def metric(self, line: str) -> bool:
        return f"\n{line}\n" in (await self.http.get("/metrics")).text


Starts = Callable[..., Any]


@pytest.fixture
async def tester() -> AsyncIterator[Starts]:
    """`await tester(**settings)` starts one on a free port; all end with the test."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Client:
            return await stack.enter_async_context(running(**settings))

        yield start


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Client]:
    server = Server(Settings(**{"host": "127.0.0.1", "port": 0, **settings}))
    try:
        client = Client(f"http://127.0.0.1:{await server.start()}")
        yield client
        await client.http.aclose()
    finally:
        await server.aclose()


class Podinfo:
    """Answers 200, or 500 below `/bad`. `requests` counts by method and path; `headers` and `body` are of the last."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.headers: dict[str, str] = {}
        self.body = b""
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests[f"{request.method} {request.path}"] += 1
        self.headers = dict(request.headers)
        self.body = await request.read()
        return web.Response(status=500 if request.path.startswith("/bad") else 200, text='{"token":"t"}')


@pytest.fixture
async def podinfo() -> AsyncIterator[Podinfo]:
    made = Podinfo()
    runner = web.ServerRunner(web.Server(made.answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """`programs(NAME, SHELL SCRIPT)` puts a program on PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def make(name: str, script: str) -> Path:
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    return make
