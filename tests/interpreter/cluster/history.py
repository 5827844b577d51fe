"""Everything that happened to the objects of some kinds in a namespace, in the order in which it happened.

Versions of one API server are numbers of one counter, so the histories of several kinds can be laid side by side: at
each moment it is known what every Service selected and which pods were ready.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from interpreter.objects import Manifest, Ref, ref_of
from tests.interpreter.cluster.life import KNOWN, Life

World = dict[Ref, Manifest]


class Change(NamedTuple):
    """An object as it was from then on; None if it was gone. `version` is the moment."""

    version: int
    ref: Ref
    manifest: Manifest | None


class History:
    """What was seen so far."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.before: list[Manifest] = []
        """What was there when it began."""
        self.changes: list[Change] = []

    def note(self, kind: str, manifest: Manifest) -> None:
        version = int(manifest["metadata"]["resourceVersion"])
        self.changes.append(Change(version, ref_of(manifest), None if kind == "DELETED" else manifest))

    def worlds(self) -> Iterator[World]:
        """All that there was, at every moment. The same dictionary each time."""
        world: World = {ref_of(one): one for one in self.before}
        yield world
        for change in sorted(self.changes, key=lambda one: one.version):
            if change.manifest is None:
                world.pop(change.ref, None)
            else:
                world[change.ref] = change.manifest
            yield world

    def values(self, kind: str, name: str, value: Callable[[Manifest], Any]) -> list[Any]:
        """What `value` gave of an object, one after the other, each once in a row."""
        ref = Ref(KNOWN.get(kind, "v1"), kind, self.namespace, name)
        return [one for one, _ in groupby(value(world[ref]) for world in self.worlds() if ref in world)]

    def behind(self, service: str) -> list[int]:
        """How many ready pods a Service selected, at each moment since it was there, each once in a row."""
        ref = Ref("v1", "Service", self.namespace, service)
        counts = (self.ready(world, world[ref]) for world in self.worlds() if ref in world)
        return [one for one, _ in groupby(counts)]

    def ready(self, world: World, service: Manifest) -> int:
        """How many ready pods a Service selects."""
        selector = service["spec"].get("selector") or {}
        pods = [one for ref, one in world.items() if ref.kind == "Pod" and _is_ready(one)]
        return sum(all(_label(pod, key) == value for key, value in selector.items()) for pod in pods)

    def endpoints(self, service: str) -> list[int]:
        """How many endpoints a data plane was told that are ready, from the first moment on that there was one."""
        counts: list[int] = []
        for world in self.worlds():
            slices = [one for one in world.values() if _label(one, "kubernetes.io/service-name") == service]
            ready = sum(_is_serving(each) for one in slices for each in one.get("endpoints") or ())
            if ready or counts:
                counts.append(ready)
        return [one for one, _ in groupby(counts)]


@contextlib.asynccontextmanager
async def history(life: Life, *kinds: str) -> AsyncIterator[History]:
    """Watch kinds until the end of the block."""
    found = History(life.namespace)
    versions = {"EndpointSlice": "discovery.k8s.io/v1"}
    tasks = []
    for name in kinds:
        kind = (KNOWN.get(name, versions.get(name, "v1")), name)
        listing = await life.api.list(kind, life.namespace)
        found.before += listing
        tasks.append(asyncio.create_task(_follow(life, kind, listing.resource_version, found)))
    try:
        yield found
        await asyncio.sleep(0.3)  # what has happened is to be seen
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one for one in ended if not isinstance(one, asyncio.CancelledError)] == []


async def _follow(life: Life, kind: tuple[str, str], version: str, found: History) -> None:
    async for event, manifest in life.api.watch(kind, life.namespace, version):
        if event != "BOOKMARK":
            found.note(event, manifest)
    raise AssertionError("the watch has ended")


def _label(manifest: Manifest, label: str) -> str | None:
    return (manifest["metadata"].get("labels") or {}).get(label)


def _is_ready(pod: Manifest) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


def _is_serving(endpoint: dict[str, Any]) -> bool:
    return (endpoint.get("conditions") or {}).get("ready", True) is not False
