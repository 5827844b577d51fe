"""Kubernetes Events (`events.k8s.io/v1`): what `kubectl describe` shows of a rollout.

To record one takes no time and never fails: it is put in a queue, and written when the API server has time. What does
not fit in the queue is dropped and counted. An event that repeats another within ten minutes is added to that one's
series, at most once a minute, so that a loop cannot flood the cluster. Secrets are masked by the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import structlog

from interpreter.cluster.api import Api, ApiError, NotFound, NotLeader
from interpreter.cluster.names import GROUP, MANAGER
from interpreter.objects import Manifest, Ref, ref_of

API_VERSION = "events.k8s.io/v1"
CONTROLLER = f"{GROUP}/{MANAGER}"
MOST_WAITING = 1000
MOST_KNOWN = 4096
SERIES_S = 600.0
PATCH_S = 60.0
LONGEST_NOTE = 1024
LONGEST_WORD = 128
LONGEST_NAME = 253

Type = Literal["Normal", "Warning"]

log = structlog.get_logger(__name__)


class _Event(NamedTuple):
    """An event but for when it happened. Equal ones are a series."""

    regarding: Ref
    uid: str
    type: Type
    reason: str
    action: str
    note: str


@dataclass
class _Series:
    """An event that was written, and how often it has happened."""

    ref: Ref
    last: float
    patched: float
    count: int = 1
    patched_count: int = 1


class Recorder:
    """Writes events. `start` it; `aclose` writes what is left, for a few seconds. `dropped` counts what was lost."""

    def __init__(self, api: Api, instance: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`instance` is the pod's name."""
        self._api = api
        self._instance = instance[:LONGEST_WORD]
        self._clock = clock
        self._queue: asyncio.Queue[tuple[_Event, str] | None] = asyncio.Queue(MOST_WAITING)
        self._known: OrderedDict[_Event, _Series] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def record(self, regarding: Manifest, reason: str, note: str, *, action: str = "", type: Type = "Normal") -> None:
        """Tell of an object (its manifest, for its uid). `reason` is CamelCase; so is `action`, by default the same.
        A note ends after 1024 bytes."""
        event = _Event(
            ref_of(regarding),
            regarding["metadata"].get("uid", ""),
            type,
            reason[:LONGEST_WORD],
            (action or reason)[:LONGEST_WORD],
            _cut(note),
        )
        try:
            self._queue.put_nowait((event, _micro_time()))
        except asyncio.QueueFull:
            self.dropped += 1

    def start(self) -> None:
        """Begin to write."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="events")

    async def aclose(self, seconds: float = 5.0) -> None:
        """Write what is left, within so many seconds."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._queue.put(None)
                await asyncio.shield(self._task)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while (item := await self._queue.get()) is not None:
            try:
                await self._write(*item)
            except (ApiError, NotLeader) as error:
                self.dropped += 1
                log.warning("an event was not written", object=str(item[0].regarding), why=str(error))
        for series in self._known.values():
            if series.count > series.patched_count:
                with contextlib.suppress(ApiError, NotLeader):
                    await self._patch(series, _micro_time())

    async def _write(self, event: _Event, when: str) -> None:
        now = self._clock()
        series = self._known.get(event)
        if series is not None and now - series.last < SERIES_S:
            self._known.move_to_end(event)
            series.last = now
            series.count += 1
            if series.count > 2 and now - series.patched < PATCH_S:
                return
            with contextlib.suppress(NotFound):  # it has been deleted: begin anew
                series.patched = now
                await self._patch(series, when)
                return
        made = await self._api.create(self._manifest(event, when))
        self._known[event] = _Series(ref_of(made), now, now)
        self._known.move_to_end(event)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    async def _patch(self, series: _Series, when: str) -> None:
        await self._api.patch(series.ref, {"series": {"count": series.count, "lastObservedTime": when}})
        series.patched_count = series.count

    def _manifest(self, event: _Event, when: str) -> Manifest:
        ref = event.regarding
        regarding: dict[str, Any] = {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "name": ref.name,
            **({"namespace": ref.namespace} if ref.namespace else {}),
            **({"uid": event.uid} if event.uid else {}),
        }
        ending = f".{secrets.token_hex(8)}"
        return {
            "apiVersion": API_VERSION,
            "kind": "Event",
            "metadata": {
                "namespace": ref.namespace or "default",
                "name": ref.name[: LONGEST_NAME - len(ending)].rstrip("-.") + ending,
            },
            "eventTime": when,
            "type": event.type,
            "reason": event.reason,
            "action": event.action,
            "note": event.note,
            "regarding": regarding,
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
        }


def _cut(note: str) -> str:
    """At most 1024 bytes, and no half character."""
    data = note.encode("utf-8", errors="replace")
    if len(data) <= LONGEST_NOTE:
        return data.decode()
    return data[: LONGEST_NOTE - 3].decode("utf-8", errors="ignore") + "…"


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
