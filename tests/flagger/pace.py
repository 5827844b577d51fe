"""Time that runs fast while nothing happens, and as the wall's while pods come and go.

A Canary says within what time its pods must be ready, and how often it is looked at. In a test the pods take as long as
the machine takes, and the intervals are to pass in no time: so a clock with two speeds, and somebody who watches the
workloads and shifts it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from interpreter.cluster.api import Api
from interpreter.cluster.clock import Clock
from interpreter.desired import Instant
from interpreter.objects import Manifest

FAST = 40.0
_LONGEST_SLEEP_S = 0.5
_KINDS = (("apps/v1", "Deployment"), ("apps/v1", "DaemonSet"))


class _Stretch(NamedTuple):
    """From the moment `wall` on, which was `shown` on this clock, it ran at `speed`."""

    wall: Instant
    shown: Instant
    speed: float


class PacedClock(Clock):
    """A clock whose speed can be changed while it runs. Whoever sleeps wakes now and then to see whether it was."""

    def __init__(self) -> None:
        super().__init__()
        self.fast = FAST
        """Its speed while nothing happens."""
        now = _wall()
        self._stretches = [_Stretch(now, now, 1.0)]

    def pace(self, speed: float) -> None:
        """From now on."""
        if speed != self._stretches[-1].speed:
            wall = _wall()
            self._stretches.append(_Stretch(wall, self._shown_at(wall), speed))

    def now(self) -> Instant:
        return self._shown_at(_wall())

    def seconds_until(self, moment: Instant) -> float:
        left = (moment - self.now()) / 1000 / self._stretches[-1].speed
        return min(_LONGEST_SLEEP_S, max(0.0, left))

    def on_the_wall(self, moment: Instant) -> Instant:
        stretch = next((one for one in reversed(self._stretches) if one.shown <= moment), self._stretches[0])
        return stretch.wall + int((moment - stretch.shown) / stretch.speed)

    def _shown_at(self, wall: Instant) -> Instant:
        last = self._stretches[-1]
        return last.shown + int((wall - last.wall) * last.speed)


@asynccontextmanager
async def paced(api: Api, clock: PacedClock, namespace: str) -> AsyncIterator[None]:
    """Shift `clock` by what the workloads of a namespace do, until the end of the block."""
    restless: set[tuple[str, str]] = set()
    tasks = []
    for kind in _KINDS:
        listing = await api.list(kind, namespace)
        for one in listing:
            _note(restless, one)
        following = _follow(api, kind, namespace, listing.resource_version, clock, restless)
        tasks.append(asyncio.create_task(following))
    clock.pace(1.0 if restless else clock.fast)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one for one in ended if not isinstance(one, asyncio.CancelledError)] == []


async def _follow(
    api: Api, kind: tuple[str, str], namespace: str, version: str, clock: PacedClock, restless: set[tuple[str, str]]
) -> None:
    async for event, manifest in api.watch(kind, namespace, version):
        if event == "DELETED":
            restless.discard((kind[1], manifest["metadata"]["name"]))
        elif event != "BOOKMARK":
            _note(restless, manifest | {"kind": kind[1]})
        clock.pace(1.0 if restless else clock.fast)
    raise AssertionError("the watch has ended")


def _note(restless: set[tuple[str, str]], workload: Manifest) -> None:
    key = (workload["kind"], workload["metadata"]["name"])
    (restless.discard if _at_rest(workload) else restless.add)(key)


def _at_rest(workload: Manifest) -> bool:
    """Whether all pods that are wanted are there and serve, and no others."""
    status: dict[str, Any] = workload.get("status") or {}
    if status.get("observedGeneration") != workload["metadata"]["generation"]:
        return False
    if workload["kind"] == "DaemonSet":
        names = ("currentNumberScheduled", "updatedNumberScheduled", "numberAvailable")
        wanted = status.get("desiredNumberScheduled", 0)
    else:
        names = ("replicas", "updatedReplicas", "availableReplicas")
        wanted = workload["spec"].get("replicas", 1)
    return all(status.get(name, 0) == wanted for name in names)


def _wall() -> Instant:
    return time.time_ns() // 1_000_000
