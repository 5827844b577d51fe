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
from interpreter.objects import Manifest
from interpreter.state import Instant

FAST = 40.0
_LOOKED_AT_EVERY_S = 0.15
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
    task = asyncio.create_task(_shift(api, clock, namespace))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _shift(api: Api, clock: PacedClock, namespace: str) -> None:
    while True:
        workloads = [one for kind in _KINDS for one in await api.list(kind, namespace)]
        clock.pace(clock.fast if all(map(_at_rest, workloads)) else 1.0)
        await asyncio.sleep(_LOOKED_AT_EVERY_S)


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
