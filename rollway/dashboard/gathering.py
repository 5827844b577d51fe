"""All that the page of one rollout shows, read from the cluster: the object, its runs, its pods, its events, its text.

What was read is kept for a moment and shared: many viewers of one rollout cost as much as one. What cannot be read
because one may not, or because the cluster does not have it, is left out with a note; the rest is still worth seeing.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

from dsl.flagger.importer import import_canary
from interpreter.cluster.api import Api, ApiError
from interpreter.cluster.names import API_VERSION
from interpreter.cluster.policy import CLUSTER_LIBRARY, KEY
from interpreter.desired import Instant
from interpreter.masking import mask
from interpreter.objects import Manifest, Ref
from rollway.cluster.finding import Found, with_runs
from rollway.cluster.reading import instant, mapping, text, whole
from rollway.cluster.shown import CANARY
from rollway.cluster.tree import Tree, tree
from rollway.dashboard.watch import Key

T = TypeVar("T")

EVENTS = ("events.k8s.io/v1", "Event")
MOST_EVENTS = 40
KEPT_S = 5.0
MOST_KEPT = 64


class Event(NamedTuple):
    """A Kubernetes Event about the rollout; `times` is how often it came, `at` when it last did."""

    at: Instant | None
    reason: str
    note: str
    warning: bool
    times: int
    source: str


class PolicySource(NamedTuple):
    """A policy's text. `title` is the file name by which its Program knows it, `where` says it to people. `text` is
    empty where there is none, and `note` then says why."""

    title: str
    where: str
    text: str
    note: str = ""


class Gathered(NamedTuple):
    """What was read at one moment. `notes` say what could not be."""

    found: Found
    tree: Tree
    events: tuple[Event, ...]
    source: PolicySource
    notes: tuple[str, ...]


class Gathering:
    """Reads, and keeps what was read for `KEPT_S`, as long as the rollout has not changed."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._kept: OrderedDict[Key, tuple[int, float, asyncio.Task[Gathered | None]]] = OrderedDict()

    async def of(self, key: Key, number: int) -> Gathered | None:
        """All of one rollout, as of its change `number` or later; None if there is none. Raises `ApiError`."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] >= number and time.monotonic() - kept[1] < KEPT_S:
            return await asyncio.shield(kept[2])
        reading = asyncio.create_task(gathered(self._api, key), name="gathering for the dashboard")
        reading.add_done_callback(_seen)
        self._kept[key] = (number, time.monotonic(), reading)
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return await asyncio.shield(reading)

    def forget(self, key: Key) -> None:
        """It has just been written to: read it anew."""
        self._kept.pop(key, None)

    async def aclose(self) -> None:
        """End what is being read."""
        tasks = [task for _, _, task in self._kept.values()]
        self._kept.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def gathered(api: Api, key: Key) -> Gathered | None:
    """All of one rollout; None if there is none. Raises `ApiError`."""
    manifest = await api.get(key.ref)
    if manifest is None:
        return None
    found = await with_runs(api, manifest)
    notes: list[str] = []
    tree_of, events, source = await asyncio.gather(
        _or_note(tree(api, found), Tree(), notes),
        _or_note(_events(api, key), (), notes),
        _source(api, manifest),
    )
    return Gathered(found, tree_of, events, source, tuple(dict.fromkeys((*notes, *tree_of.notes))))


async def _or_note(asking: Awaitable[T], otherwise: T, notes: list[str]) -> T:
    try:
        return await asking
    except ApiError as error:
        notes.append(error.message)
        return otherwise


def _seen(task: asyncio.Task[Gathered | None]) -> None:
    """Who asked may have gone before it failed."""
    if not task.cancelled():
        task.exception()


# --- events -------------------------------------------------------------------------------------------------------


async def _events(api: Api, key: Key) -> tuple[Event, ...]:
    about = f"regarding.kind={key.kind},regarding.name={key.name}"
    listed = await api.list(EVENTS, key.namespace, field_selector=about)
    events = sorted(map(event_of, listed), key=lambda event: event.at or 0, reverse=True)
    return tuple(events[:MOST_EVENTS])


def event_of(manifest: Manifest) -> Event:
    """An Event as it is shown; one that repeats has its last time."""
    series = mapping(manifest.get("series"))
    last = series.get("lastObservedTime") or manifest.get("deprecatedLastTimestamp") or manifest.get("eventTime")
    at = instant(last) or instant(mapping(manifest.get("metadata")).get("creationTimestamp"))
    return Event(
        at=at,
        reason=text(manifest.get("reason")),
        note=mask(text(manifest.get("note"))),
        warning=manifest.get("type") == "Warning",
        times=max(1, whole(series.get("count")), whole(manifest.get("deprecatedCount"))),
        source=text(manifest.get("reportingController")),
    )


# --- the policy's text --------------------------------------------------------------------------------------------


async def _source(api: Api, manifest: Manifest) -> PolicySource:
    """Where the text of a rollout stands, and what it says. A Canary has none: it is shown as it would be written."""
    spec, metadata = mapping(manifest.get("spec")), manifest["metadata"]
    if manifest["kind"] == CANARY:
        return await asyncio.to_thread(_of_canary, manifest)
    if "source" in spec:
        return PolicySource(f"{metadata['name']}.rollout", "spec.source", text(spec.get("source")))
    at = mapping(spec.get("sourceRef"))
    kind, name = text(at.get("kind")) or "ConfigMap", text(at.get("name"))
    where = f"{kind} {name}"
    namespace = "" if kind == CLUSTER_LIBRARY else metadata["namespace"]
    ref = Ref("v1" if kind == "ConfigMap" else API_VERSION, kind, namespace, name)
    try:
        found = await api.get(ref)
    except ApiError as error:
        return PolicySource("", where, "", error.message)
    if found is None:
        return PolicySource("", where, "", f"{ref} does not exist")
    if kind != "ConfigMap":
        return PolicySource(f"library/{name}", where, text(mapping(found.get("spec")).get("source")))
    key = text(at.get("key")) or KEY
    return PolicySource(f"{name}/{key}", f"{where}, key {key}", text(mapping(found.get("data")).get(key)))


def _of_canary(manifest: Manifest) -> PolicySource:
    imported = import_canary(manifest)
    where = "as `rollway import` would write this Canary"
    if not imported.text:
        return PolicySource("", where, "", "; ".join(str(problem) for problem in imported.problems))
    return PolicySource("canary.yaml", where, imported.text)  # by this name the Program knows it
