"""What is known of all rollouts, followed once for all viewers, and which of them have changed.

Rollouts, Canaries and RolloutRuns are watched by one informer each, and only as much of them is kept as a list shows.
Every change has a number that grows; a viewer who knows the number of what was last seen knows whether there is
something new, and nothing needs to be kept for those who are slow. It begins with the first viewer, and ends when
nobody has looked for a few minutes.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import structlog

from interpreter.cluster.api import Api, NotServed
from interpreter.cluster.informer import Informer
from interpreter.cluster.names import GROUP, OWNER_KIND
from interpreter.objects import Manifest, Ref
from rollway.cluster.finding import CANARIES, ROLLOUTS, RUNS
from rollway.cluster.reading import items, mapping, text, whole
from rollway.cluster.shown import RunShown, Shown, run_shown, shown

SETTLE_S = 20.0
IDLE_S = 300.0
"""So long after the last viewer it still goes on, for the next one."""

_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_QUIET = frozenset({"Initialized", "Succeeded", "Failed", "Terminated"})
_RUN_STATUS = ("phase", "outcome", "reason", "weight", "step", "failedChecks", "iterations", "startedAt", "endedAt")

log = structlog.get_logger(__name__)


class Key(NamedTuple):
    """Which rollout."""

    kind: str
    namespace: str
    name: str

    @property
    def ref(self) -> Ref:
        api_version = next(version for version, kind in (ROLLOUTS, CANARIES) if kind == self.kind)
        return Ref(api_version, self.kind, self.namespace, self.name)


class Watch:
    """All rollouts of the cluster, or of one `namespace`. `aclose` ends it."""

    def __init__(self, api: Api, namespace: str | None = None, *, idle_s: float = IDLE_S) -> None:
        self._api = api
        self.namespace = namespace
        self._idle_s = idle_s
        self.epoch = secrets.token_hex(4)
        """Tells the numbers of this process from those of another."""
        self.number = 0
        """That of the latest change."""
        self._changed: dict[Key, int] = {}
        self._shown: dict[Key, Shown] = {}
        self._runs: dict[str, dict[int, Manifest]] = {}
        self._informers: dict[str, Informer] = {}
        self._uses = 0
        self._last_used = time.monotonic()
        self._ending: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def ready(self) -> None:
        """Begin, if it has not begun, and wait until all is known, or it is known why it cannot be."""
        self._last_used = time.monotonic()
        if not self._informers:
            self._begin()
        try:
            async with asyncio.timeout(SETTLE_S):
                await asyncio.gather(*(one.settled.wait() for one in self._informers.values()))
        except TimeoutError:
            log.warning("not all rollouts are known yet", waited_s=SETTLE_S)

    @asynccontextmanager
    async def used(self) -> AsyncIterator[None]:
        """While somebody looks it does not end."""
        self._uses += 1
        try:
            await self.ready()
            yield
        finally:
            self._uses -= 1
            self._last_used = time.monotonic()

    @property
    def troubles(self) -> list[str]:
        """What keeps some rollouts from being seen, in words; a kind that the cluster does not have is none."""
        found = []
        for informer in self._informers.values():
            absent = isinstance(informer.error, NotServed) and informer.kind.kind != ROLLOUTS[1]
            if informer.trouble is not None and not absent:
                found.append(informer.trouble)
            elif not informer.synced.is_set() and not absent:
                found.append(f"{informer.kind} could not be read yet")
        return list(dict.fromkeys(found))

    def rollouts(self) -> list[Shown]:
        """All of them, in no order."""
        found = []
        for kind in (ROLLOUTS[1], CANARIES[1]):
            for manifest in self._informers[kind].select() if kind in self._informers else ():
                key = Key(kind, manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])
                if key not in self._shown:
                    self._shown[key] = shown(manifest, self._latest(manifest["metadata"].get("uid", "")))
                found.append(self._shown[key])
        return found

    def _latest(self, uid: str) -> list[RunShown]:
        """The latest run of a rollout, if it has one."""
        runs = self._runs.get(uid)
        return [run_shown(runs[max(runs)])] if runs else []

    def changed(self, key: Key | None) -> int:
        """The number of the latest change of one rollout, or (None) of any."""
        return self.number if key is None else self._changed.get(key, 0)

    def is_busy(self, key: Key) -> bool:
        """Whether something is under way, so that its pods may change."""
        informer = self._informers.get(key.kind)
        found = informer.get(key.namespace, key.name) if informer is not None else None
        phase = text(mapping((found or {}).get("status")).get("phase"))
        return found is not None and phase not in _QUIET

    async def news(self) -> None:
        """Returns when something changes."""
        await self._news.wait()

    async def aclose(self) -> None:
        """End every watch."""
        ending, self._ending = self._ending, None
        if ending is not None:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
        await self._end()

    def _begin(self) -> None:
        for kind in (ROLLOUTS, CANARIES, RUNS):
            strip = _run_kept if kind == RUNS else _kept
            self._informers[kind[1]] = Informer(self._api, kind, self.namespace, strip, self._note)
        for informer in self._informers.values():
            informer.start()
        self._ending = asyncio.create_task(self._when_idle(), name="end of the dashboard's watch")

    async def _when_idle(self) -> None:
        while True:
            await asyncio.sleep(min(self._idle_s, 30.0))
            if not self._uses and time.monotonic() - self._last_used >= self._idle_s:
                break
        await self._end()

    async def _end(self) -> None:
        informers, self._informers = list(self._informers.values()), {}
        for known in (self._changed, self._shown, self._runs):
            known.clear()
        await asyncio.gather(*(one.aclose() for one in informers))

    def _note(self, ref: Ref, old: Manifest | None, new: Manifest | None) -> None:
        key = _key(ref, new or old or {})
        if ref.kind == RUNS[1]:
            self._note_run(old, new)
        self._shown.pop(key, None)
        self.number += 1
        self._changed[key] = self.number
        if new is None and ref.kind != RUNS[1] and len(self._changed) > _MOST_GONE + self._many():
            self._changed = {one: number for one, number in self._changed.items() if self._there(one)}
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _note_run(self, old: Manifest | None, new: Manifest | None) -> None:
        """A run that has no owner of whom it says so could be anybody's, and is nobody's."""
        if old is not None and (uid := _owner(old)) in self._runs:
            self._runs[uid].pop(_number(old), None)
            if not self._runs[uid]:
                del self._runs[uid]
        if new is not None and (uid := _owner(new)):
            self._runs.setdefault(uid, {})[_number(new)] = new

    def _many(self) -> int:
        return sum(len(one) for kind, one in self._informers.items() if kind != RUNS[1])

    def _there(self, key: Key) -> bool:
        informer = self._informers.get(key.kind)
        return informer is not None and informer.get(key.namespace, key.name) is not None


_MOST_GONE = 1000


def _owner(run: Manifest) -> str:
    return text(mapping(mapping(run.get("spec")).get("owner")).get("uid"))


def _number(run: Manifest) -> int:
    return whole(mapping(run.get("spec")).get("number"))


def _key(ref: Ref, manifest: Manifest) -> Key:
    """The rollout that an object is of: itself, or the owner of a run."""
    if ref.kind != RUNS[1]:
        return Key(ref.kind, ref.namespace, ref.name)
    owner = mapping(mapping(manifest.get("spec")).get("owner"))
    return Key(text(owner.get("kind")), ref.namespace, text(owner.get("name")))


def _kept(manifest: Manifest) -> Manifest:
    """A rollout with what a list shows of it."""
    metadata = manifest["metadata"]
    annotations = {
        name: value for name, value in mapping(metadata.get("annotations")).items() if name.startswith(f"{GROUP}/")
    }
    kept = {name: metadata[name] for name in _METADATA if name in metadata}
    status = {name: value for name, value in mapping(manifest.get("status")).items() if name != "trackedConfigs"}
    suspend = mapping(manifest.get("spec")).get("suspend")
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {**kept, "annotations": annotations},
        "spec": {"suspend": suspend},
        "status": status,
    }


def _run_kept(manifest: Manifest) -> Manifest:
    """A run with what a list shows of it, and what changes whenever more of it is kept."""
    metadata, spec, status = manifest["metadata"], mapping(manifest.get("spec")), mapping(manifest.get("status"))
    labels = mapping(metadata.get("labels"))
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {
            **{name: metadata[name] for name in _METADATA if name in metadata},
            "labels": {OWNER_KIND: labels.get(OWNER_KIND, "")},
        },
        "spec": {name: spec[name] for name in ("owner", "number", "revision") if name in spec},
        "status": {
            **{name: status[name] for name in _RUN_STATUS if name in status},
            "log": items(status.get("log"))[-1:],
        },
    }
