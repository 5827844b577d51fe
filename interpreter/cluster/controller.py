"""The controller as a process: health, election, and one `Term` of work after another.

Only the leader works. The others are ready too: they hold nothing, and begin when the lease is theirs. Who loses it
ends the term, and writes no more from that moment: every write passes the leader's gate. When it is told to stop, looks
that have begun are let end while the lease still holds, and the lease is given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

import structlog

from interpreter.cluster.api import Api, NotLeader
from interpreter.cluster.health import Check, Health
from interpreter.cluster.lease import Leader
from interpreter.cluster.settings import Settings
from interpreter.cluster.telemetry.collector import Telemetry
from interpreter.cluster.term import Term

__all__ = ["Controller", "Settings"]

LEASE = "rollway-controller"

log = structlog.get_logger(__name__)


class Controller:
    """Looks after all rollouts of a cluster, or of one namespace. `ready` are checks of what runs beside it."""

    def __init__(self, api: Api, settings: Settings, ready: Mapping[str, Check] | None = None) -> None:
        self._api = api
        self._ready = dict(ready or {})
        self._settings = settings
        self._telemetry = Telemetry(api.requests, _release(), settings.default_provider)
        self._begun = False
        self._working: Term | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`. Raises `ApiError` if the API server does not let us begin, `OSError` for the port."""
        health = Health(self._telemetry.registry, alive={}, ready={"controller": self._unready, **self._ready})
        port = await health.start(self._settings.port, self._settings.host)
        log.info("health and metrics are served", port=port)
        working = asyncio.create_task(self._elected() if self._settings.elect else self._term(self._api))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = working.done()
            working.cancel()
            stopping.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await health.aclose()
        if ended:
            working.result()

    async def _elected(self) -> None:
        """Work whenever, and only while, the lease is ours."""
        settings = self._settings
        leader = Leader(self._api, settings.lease_namespace, LEASE, settings.identity)
        api = self._api.gated(leader.held)
        self._begun = True
        while True:
            try:
                await leader.run(lambda: self._term(api), self._idle)
            except NotLeader as lost:
                log.info("the lease was lost before the term had begun", why=str(lost))

    async def _idle(self) -> None:
        self._working = self._telemetry.work = None
        log.info("the term has ended")

    async def _term(self, api: Api) -> None:
        term = Term(api, self._settings, self._telemetry.meters)
        self._working = self._telemetry.work = term
        await term.run(self._at_work)

    def _at_work(self) -> None:
        self._begun = True

    def _unready(self) -> str | None:
        """What keeps us from working; one that waits for the lease is ready to."""
        if not self._begun:
            return "starting"
        return self._working.blind if self._working is not None else None


def _release() -> str:
    try:
        return version("rollway")
    except PackageNotFoundError:  # it runs from its sources
        return "unknown"
