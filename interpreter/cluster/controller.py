"""The controller: informers, a queue, and workers that look at one rollout at a time.

Theory of operation. Whatever changes (an owner, a workload, a Service, a route, a library) wakes the rollouts that it
matters to: their keys go into the work queue, each once. A worker takes a key and lets its `Actor` look. A look says
when to come next; a look that fails is repeated, later each time. One key is never with two workers. Nothing polls, and
a rollout at rest is a key that nobody puts into the queue.

Only the leader works. Who loses the lease lets go of everything at once and writes no more: every write passes the
leader's gate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry

from interpreter.cluster import names
from interpreter.cluster.actor import Actor, Stuck
from interpreter.cluster.adopting import Adopting
from interpreter.cluster.api import Api
from interpreter.cluster.caches import Caches
from interpreter.cluster.credentials import Credentials
from interpreter.cluster.errors import ApiError, Conflict, NotServed
from interpreter.cluster.events import Recorder
from interpreter.cluster.health import Health
from interpreter.cluster.lease import Leader
from interpreter.cluster.measuring import API_VERSIONS as TEMPLATES
from interpreter.cluster.measuring import KIND as TEMPLATE
from interpreter.cluster.measuring import Measuring
from interpreter.cluster.outside import Outside
from interpreter.cluster.owner import API_VERSIONS, CANARY
from interpreter.cluster.parts import Parts
from interpreter.cluster.queue import WorkQueue
from interpreter.cluster.runs import KIND as RUN
from interpreter.objects import Manifest, Ref
from interpreter.providers.prometheus import Prometheus
from interpreter.state import Instant
from interpreter.traffic.provider import TrafficError
from interpreter.webhooks import Caller
from interpreter.workloads.kind import WorkloadError

LEASE = "rollway-controller"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says. `namespace` None looks after all namespaces; `lease_namespace` is where the Lease
    stands; `identity` tells this process from others; `port` 0 takes any free port."""

    identity: str
    namespace: str | None = None
    lease_namespace: str = "rollway-system"
    elect: bool = True
    metrics_server: str | None = None
    default_provider: str = "kubernetes"
    flagger: bool = True
    workers: int = 8
    host: str = "0.0.0.0"  # noqa: S104 - the kubelet asks from outside the pod
    port: int = 8080


class Controller:
    """Looks after all rollouts of a cluster, or of one namespace."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._log = structlog.get_logger()
        self._settings = settings
        self._leader = Leader(api, settings.lease_namespace, LEASE, settings.identity) if settings.elect else None
        self._api = api.gated(self._leader.held) if self._leader is not None else api
        self._queue: WorkQueue[Ref] = WorkQueue()
        self._caches = Caches(self._api, self._api.discovery, settings.namespace, on_wake=self._queue.add)
        self._actors: dict[Ref, Actor] = {}
        self._registry = CollectorRegistry()
        self._ready = "starting"

    @property
    def caches(self) -> Caches:
        """What is known of the cluster."""
        return self._caches

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`. Raises `ApiError` if the API server does not let us begin."""
        health = Health(self._settings.host, self._settings.port, self._registry, {"controller": lambda: self._ready})
        async with health:
            self._log.info("serving health", port=health.port)
            if self._leader is None:
                await self._lead(stop)
            else:
                await self._leader.run(self._lead, stop)

    async def _lead(self, stop: asyncio.Event) -> None:
        """Everything that only the leader does, until `stop`."""
        caller, recorder = Caller(), Recorder(self._api, self._settings.identity)
        credentials = Credentials(self._api)
        measuring = Measuring(self._caches, credentials, {"prometheus": Prometheus(self._settings.metrics_server)})
        outside = Outside(caller, measuring, credentials, recorder)
        parts = Parts(self._api, self._caches, outside, recorder, self._settings.default_provider)
        workers: list[asyncio.Task[None]] = []
        adopting = Adopting(parts)
        try:
            await self._listen()
            await adopting.begin()
            workers = [asyncio.create_task(self._work(parts)) for _ in range(self._settings.workers)]
            self._ready = ""
            self._log.info("at work", rollouts=len(self._queue))
            await stop.wait()
        finally:
            self._ready = "stopping"
            await adopting.close()
            await self._stop(workers)
            await recorder.aclose()
            await measuring.close()
            await caller.close()
            await self._caches.aclose()

    # --- what there is ------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Know all owners, and all that is looked up by name; the kinds of a peer only if its CRDs are there."""
        for api_version, kind in self._kinds():
            try:
                await self._caches.ensure(api_version, kind)
            except NotServed:
                if api_version == names.API_VERSION:
                    raise
                self._log.info("kind is not served", kind=kind, api_version=api_version)
                continue
            if kind in API_VERSIONS:
                self._caches.listen(api_version, kind, self._owner_changed)

    def _kinds(self) -> Iterable[tuple[str, str]]:
        yield names.API_VERSION, RUN
        for api_version in TEMPLATES:
            if self._settings.flagger or api_version == names.API_VERSION:
                yield api_version, TEMPLATE
        for kind, api_version in API_VERSIONS.items():
            if self._settings.flagger or kind != CANARY:
                yield api_version, kind

    def _owner_changed(self, ref: Ref, old: Manifest | None, new: Manifest | None) -> None:
        del old, new
        self._queue.add(ref)

    # --- work ---------------------------------------------------------------------------------------------------

    async def _work(self, parts: Parts) -> None:
        while (key := await self._queue.get()) is not None:
            try:
                await self._look(key, parts)
            finally:
                self._queue.done(key)

    async def _look(self, key: Ref, parts: Parts) -> None:
        """One look, and what follows from it. Nothing that goes wrong in one rollout touches another."""
        actor = self._actors.setdefault(key, Actor(key, parts, lambda: self._queue.add(key)))
        structlog.contextvars.bind_contextvars(rollout=f"{key.namespace}/{key.name}", kind=key.kind)
        try:
            wake = await actor.look()
        except Conflict as conflict:
            self._log.info("somebody else has written; looking again", why=str(conflict))
            await actor.close()
            self._queue.retry(key)
        except (ApiError, NotServed, TrafficError, WorkloadError, Stuck) as error:
            await self._trouble(key, actor, error)
        except Exception as error:
            self._log.exception("a bug: this rollout is looked at again")
            await self._trouble(key, actor, error)
        else:
            self._queue.forget(key)
            self._come_back(key, wake)
            if self._caches.get(key) is None:
                await self._drop(key)

    async def _trouble(self, key: Ref, actor: Actor, error: Exception) -> None:
        self._log.warning("a rollout is stuck", why=str(error))
        self._queue.retry(key)
        try:
            await actor.trouble(error)
        except ApiError as other:
            self._log.warning("its trouble could not be shown", why=str(other))

    def _come_back(self, key: Ref, wake: Instant | None) -> None:
        if wake is not None:
            delay = max(0.0, wake / 1000 - time.time())
            self._queue.add_at(key, time.monotonic() + delay)

    async def _drop(self, key: Ref) -> None:
        actor = self._actors.pop(key, None)
        if actor is not None:
            await actor.close()
        self._caches.watch_for(key, ())

    async def _stop(self, workers: list[asyncio.Task[None]]) -> None:
        """Let looks that have begun end: what they write is written whole."""
        self._queue.close()
        await asyncio.gather(*workers, return_exceptions=True)
        for actor in self._actors.values():
            await actor.close()
        self._actors.clear()
