"""A stand-in for Knative's controller, which needs a kubelet and an ingress of its own: it says in the status of each
Service of a namespace what Knative would say, over the real API, and nothing else.

Of every template that a Service gets a Revision is made, called `NAME-00001` and so on, and written down as the latest
made; a moment later it is ready, unless its image ends in `:broken`: then the condition `ConfigurationsReady` says what
Knative says of it. Percentages that do not come to 100 are a mistake of the test's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from interpreter.objects import Manifest
from interpreter.workloads.knative import API_VERSION
from tests.interpreter.cluster.life import Life

KIND = (API_VERSION, "Service")


class Knative:
    """At work in the namespace of a test. `wrongs` are Services that the real one would refuse."""

    def __init__(self, at_work: Life) -> None:
        self._life = at_work
        self._made: dict[str, list[str]] = {}
        self.seen: list[list[tuple[str, int]]] = []
        """What the Service's traffic was, by Revision, each once in a row."""
        self.wrongs: list[str] = []

    async def work(self) -> None:
        listing = await self._life.api.list(KIND, self._life.namespace)
        for found in listing:
            await self._see_to(found)
        async for event, found in self._life.api.watch(KIND, self._life.namespace, listing.resource_version):
            if event in ("ADDED", "MODIFIED"):
                await self._see_to(found)

    async def _see_to(self, service: Manifest) -> None:
        name, status = service["metadata"]["name"], service.get("status") or {}
        template = json.dumps(service["spec"]["template"], sort_keys=True)
        made = self._made.setdefault(name, [])
        if not made or made[-1] != template:
            made.append(template)
        latest = f"{name}-{len(made):05d}"
        self._note(service, latest)
        broken = ":broken" in template
        failed = {"type": "ConfigurationsReady", "status": "False", "reason": "RevisionFailed"}
        failed["message"] = f'Revision "{latest}" failed with message: Unable to fetch image'
        wanted = {
            "observedGeneration": service["metadata"]["generation"],
            "latestCreatedRevisionName": latest,
            "latestReadyRevisionName": status.get("latestReadyRevisionName") if broken else latest,
            "conditions": [failed] if broken else [{"type": "ConfigurationsReady", "status": "True"}],
        }
        wanted = {key: value for key, value in wanted.items() if value is not None}
        if {key: status.get(key) for key in wanted} != wanted:
            ref = self._life.ref("Service", name, API_VERSION)
            await self._life.api.patch(ref, {"status": wanted}, "status")

    def _note(self, service: Manifest, latest: str) -> None:
        traffic: list[dict[str, Any]] = service["spec"].get("traffic") or [{"latestRevision": True, "percent": 100}]
        shares = [(each.get("revisionName", "latest"), each.get("percent", 0)) for each in traffic]
        if sum(percent for _, percent in shares) != 100:
            self.wrongs.append(f"{shares} of {latest} is not 100%")
        if not self.seen or self.seen[-1] != shares:
            self.seen.append(shares)


@asynccontextmanager
async def knative(at_work: Life) -> AsyncIterator[Knative]:
    """At work until the end of the block."""
    made = Knative(at_work)
    task = asyncio.create_task(made.work())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert made.wrongs == []
