"""What stands around Flagger's samples, on the loopback interface.

The samples name servers of a cluster: `http://flagger-loadtester.test/`, `http://prometheus.istio-system:9090`. The
tests' controller is told of a proxy (`HTTP_PROXY`), and `Town` is that proxy, so that no address in a sample changes.
It plays some servers itself, and hands what is for Prometheus on to a real one:

* The load tester answers by Flagger's contract (peers.md §5.2): tasks are taken with 202 and not carried out,
  `/gate/approve` is open, `/gate/halt` shut, `/gate/check` and `/rollback/check` as `open_gates` says.
  Any other path is refused with 403, but for `/after`.
* Chat rooms and receivers of events take everything.

What each was told is in `calls`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
from aiohttp import web

LOAD_TESTER = "flagger-loadtester.test"
CHAT = "chat.test"
EVENTS = "events.test"


class Call(NamedTuple):
    """What somebody was told."""

    host: str
    path: str
    body: dict[str, Any]

    @property
    def cmd(self) -> str:
        """The command of a task."""
        return str(self.body["metadata"].get("cmd", ""))


class Town:
    """`open_gates` holds `gate` or `rollback` for what a `/gate/check` or `/rollback/check` answers."""

    def __init__(self, prometheus: str) -> None:
        self.calls: list[Call] = []
        self.open_gates: set[str] = set()
        self.url = ""
        self._prometheus = prometheus
        self._client = httpx.AsyncClient(trust_env=False, timeout=30)

    def said_to(self, host: str, path: str | None = None) -> list[dict[str, Any]]:
        """The bodies of all calls to a server."""
        return [call.body for call in self.calls if call.host == host and path in (None, call.path)]

    def tasks(self) -> list[Call]:
        """What the load tester was to do."""
        return [call for call in self.calls if (call.host, call.path) == (LOAD_TESTER, "/")]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        host = request.host.partition(":")[0]
        if "prometheus" in host:
            return await self._ask_prometheus(request)
        call = Call(host, request.path, await request.json())
        self.calls.append(call)
        return self._load_tester(request.path) if host == LOAD_TESTER else web.Response(text="ok")

    def _load_tester(self, path: str) -> web.Response:
        match path:
            case "/":
                return web.Response(status=202)
            case "/gate/approve" | "/after":
                return web.Response(text="OK")
            case "/gate/check" | "/rollback/check":
                is_open = path.split("/")[1] in self.open_gates
                return web.Response(text="Approved") if is_open else web.Response(status=403, text="Forbidden")
            case _:
                return web.Response(status=403, text="Forbidden")

    async def _ask_prometheus(self, request: web.BaseRequest) -> web.Response:
        answer = await self._client.request(
            request.method,
            f"{self._prometheus}{request.path_qs}",
            content=await request.read(),
            headers={"Content-Type": request.content_type},
        )
        return web.Response(status=answer.status_code, body=answer.content, content_type="application/json")

    async def aclose(self) -> None:
        await self._client.aclose()


@contextlib.asynccontextmanager
async def town(prometheus: str) -> AsyncIterator[Town]:
    """In front of a Prometheus at this address, until the end of the block."""
    made = Town(prometheus)
    runner = web.ServerRunner(web.Server(made.answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await asyncio.gather(runner.cleanup(), made.aclose())
