"""The tester as a process: its store is read, it listens, and when it is told to stop it ends what runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import structlog
from aiohttp import web

from interpreter.tester.allowed import Allowed
from interpreter.tester.application import Pattern, Tester, application
from interpreter.tester.gates import Gates
from interpreter.tester.guard import Guard, Nobody
from interpreter.tester.metrics import Metrics
from interpreter.tester.store import Memory, Store
from interpreter.tester.tasks import Limits, Tasks

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Settings:
    """`adopts`: this process is a tester and nothing else, so that it may kill children that it does not know.
    `where` says in a few words where gates and tasks are kept."""

    host: str = "0.0.0.0"  # noqa: S104 - webhooks come from other pods
    port: int = 9090
    allowed: Allowed = field(default_factory=Allowed)
    limits: Limits = field(default_factory=Limits)
    namespaces: Pattern | None = None
    scripts: PurePosixPath | None = None
    gates: Store = field(default_factory=Memory)
    tasks: Store = field(default_factory=Memory)
    guard: Guard = field(default_factory=Nobody)
    where: str = "in memory: gates are closed again, and tasks forgotten, when the tester stops"
    who: str = "nobody: whoever reaches the tester may run tasks and move gates"
    adopts: bool = False


class Server:
    """`start` gives the port. Raises `StoreError` if the store cannot be read, and `OSError` if it cannot listen."""

    def __init__(self, settings: Settings) -> None:
        metrics = Metrics()
        self._settings = settings
        self._tasks = Tasks(
            settings.tasks, metrics, settings.allowed, settings.limits, adopts=settings.adopts
        )  # fmt: skip
        self._tester = Tester(
            self._tasks, Gates(settings.gates), settings.guard, metrics, settings.namespaces, settings.scripts
        )
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen."""
        lost = await self._tasks.open()
        self._runner = web.AppRunner(application(self._tester), access_log=None, shutdown_timeout=5.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._settings.host, self._settings.port).start()
        port = int(self._runner.addresses[0][1])
        allowed = self._settings.allowed
        log.info(
            "the tester listens", port=port, kept=self._settings.where, asks=self._settings.who, lost_tasks=lost,
            lines=sorted(allowed.lines), tools=sorted(allowed.tools), shell=allowed.shell,
        )  # fmt: skip
        return port

    async def aclose(self) -> None:
        """Tasks first, so that whoever waits for one is answered."""
        await self._tasks.aclose()
        if self._runner is not None:
            await self._runner.cleanup()


async def serve(settings: Settings, stop: asyncio.Event, ready: Callable[[int], None] = lambda _port: None) -> None:
    """Until `stop` is set."""
    server = Server(settings)
    try:
        ready(await server.start())
        await stop.wait()
        log.info("the tester is told to stop")
    finally:
        await server.aclose()


def in_pod() -> bool:
    """Whether there is a service account to speak to a cluster with."""
    account = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and account.is_file()
