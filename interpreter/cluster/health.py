"""What the kubelet and Prometheus ask: `/healthz`, `/readyz` and `/metrics`, on one port.

A check is a function that says what is wrong, or None. `/healthz` fails only for what a restart would mend; `/readyz`
for what keeps us from working. Both answer with one line a check, for a person to read: `ok`, or the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from interpreter.masking import mask

Check = Callable[[], str | None]

log = structlog.get_logger(__name__)


class Health:
    """The server. `alive` and `ready` map the name of a check to the check."""

    def __init__(self, registry: CollectorRegistry, alive: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
        self._registry = registry
        self._checks = {"/healthz": alive, "/readyz": ready}
        self._runner: web.ServerRunner | None = None

    async def start(self, port: int, host: str = "0.0.0.0") -> int:  # noqa: S104 - the kubelet comes from outside
        """Listen; the port is returned, of which 0 means any. Raises `OSError` if it cannot be had."""
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def aclose(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        if request.path == "/metrics":
            page = await asyncio.to_thread(generate_latest, _Collected(self._registry))
            return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_LATEST})
        checks = self._checks.get(request.path)
        if checks is None:
            return web.Response(status=404, text="there are /healthz, /readyz and /metrics here\n")
        troubles = {name: _ask(name, check) for name, check in checks.items()}
        lines = [f"{name}: {'ok' if trouble is None else mask(trouble)}" for name, trouble in troubles.items()]
        failed = any(trouble is not None for trouble in troubles.values())
        return web.Response(status=503 if failed else 200, text="\n".join(lines or ["ok"]) + "\n")


class _Collected(Collector):
    """What a registry has now. It is collected here, where nothing changes meanwhile, and may be written elsewhere."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._families = list(registry.collect())

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _ask(name: str, check: Check) -> str | None:
    """A check that itself fails is a trouble, not a reason to answer nothing."""
    try:
        return check()
    except Exception:
        log.exception("a health check failed", check=name)
        return "the check itself failed; see the log"
