"""Which rollouts are to be looked at, and when.

A key stands in the queue once however often it is added, is never with two workers at a time, and comes again if it was
added while a worker had it. For later there is one timer a key: the earliest time wins, and a key that is to come now
needs none. What fails is put off, longer each time and never all at once, until it is forgotten.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 300.0
_DOUBLINGS = 10  # 0.5 s doubled ten times is past the longest

K = TypeVar("K")


class WorkQueue(Generic[K]):
    """Keys for workers. Times are seconds of `clock`; `jitter` gives a number from 0 to 1; `waited` is told how
    long ago a key was due when a worker takes it."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        waited: Callable[[float], None] | None = None,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._waited = waited
        self._ready: OrderedDict[K, float] = OrderedDict()
        self._working: set[K] = set()
        self._again: dict[K, float] = {}
        self._timers: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []  # every timer, and some that hold no more
        self._count = 0
        self._failures: dict[K, int] = {}
        self._changed = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """How many wait for a worker now."""
        self._fire()
        return len(self._ready)

    @property
    def oldest_age(self) -> float:
        """Seconds for which the first in the queue has waited; 0 if there is none."""
        self._fire()
        return max(0.0, self._clock() - next(iter(self._ready.values()))) if self._ready else 0.0

    @property
    def busy(self) -> int:
        """How many keys workers have."""
        return len(self._working)

    def add(self, key: K) -> None:
        """Now, or again as soon as the worker that has it is done."""
        self._due(key, self._clock())
        self._changed.set()

    def add_at(self, key: K, when: float) -> None:
        """At this time of the clock, unless it comes earlier anyway."""
        if key in self._ready or key in self._again:
            return
        if key in self._timers and self._timers[key] <= when:
            return
        self._timers[key] = when
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, key))
        self._changed.set()

    def retry(self, key: K) -> None:
        """After a time that doubles with every failure, from half a second to five minutes, give or take a quarter."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures, _DOUBLINGS))
        self.add_at(key, self._clock() + delay * (0.75 + 0.5 * self._jitter()))

    def failures(self, key: K) -> int:
        """How often in a row it has been put off."""
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """It went well: the next failure is a first one."""
        self._failures.pop(key, None)

    def discard(self, key: K) -> None:
        """It is no more: no timer, no place in the queue, no failures. A worker that has it keeps it until `done`."""
        for where in (self._ready, self._again, self._timers, self._failures):
            where.pop(key, None)

    async def get(self) -> K | None:
        """The next key, which is the caller's until `done`; None once the queue is closed."""
        while not self._closed:
            self._fire()
            if self._ready:
                key, since = self._ready.popitem(last=False)
                if self._waited is not None:
                    self._waited(self._clock() - since)
                self._working.add(key)
                return key
            self._changed.clear()
            await self._wait()
        return None

    def done(self, key: K) -> None:
        """The worker has finished with it."""
        self._working.discard(key)
        since = self._again.pop(key, None)
        if since is not None:
            self._ready[key] = since
            self._changed.set()

    def close(self) -> None:
        """Nothing comes any more; every `get` returns None."""
        self._closed = True
        self._changed.set()

    async def _wait(self) -> None:
        """Until something was added, or the next timer is due."""
        delay = max(0.0, self._heap[0][0] - self._clock()) if self._heap else None
        try:
            async with asyncio.timeout(delay):
                await self._changed.wait()
        except TimeoutError:
            return

    def _fire(self) -> None:
        now = self._clock()
        while self._heap and (self._heap[0][0] <= now or not self._holds(self._heap[0])):
            timer = heapq.heappop(self._heap)
            if self._holds(timer):
                self._due(timer[2], timer[0])

    def _holds(self, timer: tuple[float, int, K]) -> bool:
        return self._timers.get(timer[2]) == timer[0]

    def _due(self, key: K, since: float) -> None:
        self._timers.pop(key, None)
        if key in self._working:
            self._again.setdefault(key, since)
        else:
            self._ready.setdefault(key, since)
