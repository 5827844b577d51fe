"""A steady load: so many requests a second, whether the answers come or not.

Requests start by the clock and not when the one before ended, so that a slow revision gets as many requests as a quick
one, and its slowness is seen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import aiohttp

MOST_AT_ONCE = 1000


class Load:
    """Sends GET requests to `url` at `rate` a second until it is stopped; what would be more than `at_once` is left."""

    def __init__(self, url: str, rate: float, *, keep_latencies: bool = False, at_once: int = MOST_AT_ONCE) -> None:
        self._url = url
        self._rate = rate
        self._keep = keep_latencies
        self._at_once = at_once
        self.sent = 0
        self.good = 0
        self.failed = 0
        self.latencies: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._runner = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Send no more, and wait for the answers that are still to come."""
        if self._runner is None:
            return
        self._runner.cancel()
        await asyncio.gather(self._runner, return_exceptions=True)
        self._runner = None

    async def for_seconds(self, seconds: float) -> Sequence[float]:
        """Load for so long; the latencies that were seen."""
        self.start()
        await asyncio.sleep(seconds)
        await self.stop()
        return self.latencies

    async def _run(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            try:
                await self._pace(session)
            finally:
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pace(self, session: aiohttp.ClientSession) -> None:
        began = time.monotonic()
        passed = 0
        while True:
            due = int((time.monotonic() - began) * self._rate) + 1
            for _ in range(min(due - passed, self._at_once - len(self._tasks))):
                self._launch(session)
            passed = due
            await asyncio.sleep(max(0.0, began + passed / self._rate - time.monotonic()))

    def _launch(self, session: aiohttp.ClientSession) -> None:
        self.sent += 1
        task = asyncio.create_task(self._one(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, session: aiohttp.ClientSession) -> None:
        began = time.perf_counter()
        try:
            async with session.get(self._url) as answer:
                await answer.read()
                good = answer.status < 500
        except (aiohttp.ClientError, TimeoutError, OSError):
            good = False
        if self._keep:
            self.latencies.append(time.perf_counter() - began)
        if good:
            self.good += 1
        else:
            self.failed += 1
