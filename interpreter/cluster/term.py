"""One term of leadership: informers, a queue, and workers that look at one rollout at a time.

Whatever changes (an owner, a workload, a Service, a route, a library) wakes the rollouts that it matters to: their keys
go into the work queue, each once. A worker takes a key and lets its `Actor` look. A look says when to come next; a look
that fails is repeated, later each time. One key is never with two workers. Nothing polls, and a rollout at rest is a
key that nobody puts into the queue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog

from interpreter.channels.delivery import Delivery
from interpreter.channels.posting import Poster
from interpreter.cluster import names
from interpreter.cluster.actor import Actor, Stuck
from interpreter.cluster.adopting import Adopting
from interpreter.cluster.api import Api
from interpreter.cluster.asking import asking
from interpreter.cluster.caches import Caches
from interpreter.cluster.calling import Calling
from interpreter.cluster.chores import Chore
from interpreter.cluster.credentials import Credentials
from interpreter.cluster.errors import ApiError, Conflict, NotLeader, NotServed
from interpreter.cluster.events import Recorder
from interpreter.cluster.jobs import Jobs
from interpreter.cluster.libraries import Libraries
from interpreter.cluster.lines import KIND as ALERTS
from interpreter.cluster.lines import Lines
from interpreter.cluster.logging import about
from interpreter.cluster.measuring import API_VERSIONS as TEMPLATES
from interpreter.cluster.measuring import KIND as TEMPLATE
from interpreter.cluster.measuring import Measuring
from interpreter.cluster.messaging import Messaging
from interpreter.cluster.outside import Outside
from interpreter.cluster.owner import API_VERSIONS, CANARY
from interpreter.cluster.parts import Parts
from interpreter.cluster.policy import CLUSTER_LIBRARY
from interpreter.cluster.queue import WorkQueue
from interpreter.cluster.runs import KIND as RUN
from interpreter.cluster.settings import Settings
from interpreter.cluster.telemetry.meters import Look, Meters
from interpreter.cluster.telemetry.standing import Standing
from interpreter.desired import Instant
from interpreter.http_client import Clients
from interpreter.objects import Manifest, Ref
from interpreter.providers.http import Http
from interpreter.providers.registry import Providers
from interpreter.traffic.provider import TrafficError
from interpreter.webhooks import Caller
from interpreter.workloads.kind import WorkloadError

GRACE_S = 8.0
"""How long looks that have begun may take when the term ends; less than what is left of the lease."""

LEAST_S = 1.0
"""A look that failed is not repeated sooner, though a check be due: what is due at once may fail at once again."""

log = structlog.get_logger(__name__)


class Term:
    """Everything that only a leader has; made anew for each term."""

    def __init__(self, api: Api, settings: Settings, meters: Meters) -> None:
        self._meters = meters
        self.queue = self._queue = WorkQueue[Ref](waited=meters.waited)
        self.caches = self._caches = Caches(api, api.discovery, settings.namespace, on_wake=self._queue.add)
        clients = Clients(settings.reach)
        self._caller = Caller(clients)
        self._recorder = Recorder(api, settings.identity)
        self._credentials = credentials = Credentials(api)
        ask = asking(api)
        servers: dict[str, dict[str, Any]] = {
            "prometheus": {"server": settings.metrics_server},
            "externalmetrics": {"ask": ask},
            "keptn": {"ask": ask},
        }
        self._measuring = Measuring(
            self._caches, credentials, Providers(servers, Http(clients)), Jobs(api), settings.clock, meters.queried
        )
        self._delivery = Delivery(Poster(clients))
        lines = Lines(self._caches, credentials)
        messaging = Messaging(self._delivery, lines, self._recorder, settings.make_link)
        outside = Outside(Calling(self._caller, credentials), self._measuring, messaging, self._recorder, meters)
        self._parts = Parts(
            api,
            self._caches,
            outside,
            self._recorder,
            settings.clock,
            settings.boundary,
            settings.default_provider,
            settings.cross_namespace_refs,
            settings.event_webhook,
            settings.history,
            meters,
        )
        self._flagger = settings.flagger
        self._many = settings.workers
        self._actors: dict[Ref, Actor] = {}

    @property
    def blind(self) -> str | None:
        """What cannot be watched and should be."""
        return self._caches.blind

    @property
    def events_dropped(self) -> int:
        """How many Kubernetes Events could not be written."""
        return self._recorder.dropped

    def standings(self) -> Iterator[Standing]:
        """How each rollout stands that has been looked at."""
        for actor in self._actors.values():
            try:
                standing = actor.standing
            except (ApiError, LookupError):  # its kind cannot be read now, or not any more
                continue
            if standing is not None:
                yield standing

    async def run(self, at_work: Callable[[], None]) -> None:
        """Work until cancelled; `at_work` is called when everything is known. Raises `ApiError` for what may not be
        read."""
        chores: tuple[Chore, ...] = (Libraries(self._parts), Adopting(self._parts))
        self._recorder.start()
        workers: list[asyncio.Task[None]] = []
        try:
            self._caches.listen(names.API_VERSION, CLUSTER_LIBRARY, self._guardrails_changed)
            await chores[0].begin()
            await self._listen()
            await chores[1].begin()
            workers = [asyncio.create_task(self._work()) for _ in range(self._many)]
            at_work()
            log.info("at work", rollouts=len(self._queue))
            await asyncio.wait(workers)
        finally:
            for chore in chores:
                await chore.close()
            await self._end(workers)

    async def _end(self, workers: list[asyncio.Task[None]]) -> None:
        """Looks that have begun are let end: what they write is written whole."""
        self._queue.close()
        if workers:
            _, late = await asyncio.wait(workers, timeout=GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        for actor in self._actors.values():
            await actor.close()
        await self._delivery.close()
        await self._recorder.aclose()
        await self._measuring.close()
        await self._caller.close()
        await self._credentials.aclose()
        await self._caches.aclose()

    # --- what there is ------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Know all owners, and all that is looked up by name; the kinds of a peer only if its CRDs are there."""
        for api_version, kind in self._kinds():
            if kind in API_VERSIONS:
                self._caches.listen(api_version, kind, self._owner_changed)
            try:
                await self._caches.ensure(api_version, kind)
            except NotServed:
                if api_version == names.API_VERSION:
                    raise
                log.info("kind is not served", kind=kind, api_version=api_version)

    def _kinds(self) -> Iterable[tuple[str, str]]:
        """The runs first: an owner is looked at as soon as it is known."""
        yield names.API_VERSION, RUN
        for api_version in TEMPLATES:
            if self._flagger or api_version == names.API_VERSION:
                yield api_version, TEMPLATE
                yield api_version, ALERTS
        for kind, api_version in API_VERSIONS.items():
            if self._flagger or kind != CANARY:
                yield api_version, kind

    def _owner_changed(self, ref: Ref, old: Manifest | None, new: Manifest | None) -> None:
        del old, new
        self._queue.add(ref)

    def _guardrails_changed(self, ref: Ref, old: Manifest | None, new: Manifest | None) -> None:
        """Guardrails bind every rollout."""
        del ref
        if (old or {}).get("spec") != (new or {}).get("spec"):
            for key in self._actors:
                self._queue.add(key)

    # --- work ---------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while (key := await self._queue.get()) is not None:
            try:
                with about(rollout=f"{key.namespace}/{key.name}", kind=key.kind), self._meters.look() as look:
                    await self._look(key, look)
            finally:
                self._queue.done(key)

    async def _look(self, key: Ref, told: Look) -> None:
        """One look, and what follows from it. Nothing that goes wrong in one rollout touches another."""
        actor = self._actors.get(key)
        if actor is None:
            actor = self._actors[key] = Actor(key, self._parts, lambda: self._queue.add(key))
        try:
            wake = await actor.look()
        except Conflict as conflict:
            told.outcome = "conflict"
            log.info("somebody else has written; looking again", why=str(conflict))
            await actor.close()
            self._queue.retry(key)
        except NotLeader as held_back:
            told.outcome = "not_leader"
            log.info("not the leader any more; the next one goes on", why=str(held_back))
        except (ApiError, TrafficError, WorkloadError, Stuck) as error:
            told.outcome = "trouble"
            await self._trouble(key, actor, error)
        except Exception as error:
            told.outcome = "bug"
            log.exception("a bug: this rollout is looked at again")
            await self._trouble(key, actor, error)
        else:
            self._queue.forget(key)
            self._come_back(key, wake)
            if self._caches.get(key) is None:
                await self._drop(key)

    async def _trouble(self, key: Ref, actor: Actor, error: Exception) -> None:
        log.warning("a rollout is stuck", why=str(error))
        self._queue.retry(key)
        self._come_back(key, actor.wake_at_ms, at_least=LEAST_S)
        try:
            await actor.trouble(error)
        except (ApiError, NotLeader) as other:
            log.warning("its trouble could not be shown", why=str(other))

    def _come_back(self, key: Ref, wake: Instant | None, at_least: float = 0.0) -> None:
        if wake is not None:
            seconds = max(at_least, self._parts.clock.seconds_until(wake))
            self._queue.add_at(key, time.monotonic() + seconds)

    async def _drop(self, key: Ref) -> None:
        actor = self._actors.pop(key, None)
        if actor is not None:
            await actor.close()
        self._caches.watch_for(key, ())
