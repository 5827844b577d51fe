"""The places at one server: how many requests are with it at a time, who is next, and when it wants quiet.

Who waits stands in the line of its rollout, and the lines take turns: a rollout with a hundred questions does not hold
up one that has a single one. A server that says how long to wait (with 429, most often) is asked nothing by anybody
until then, though for no longer than `LONGEST_PAUSE_S`: after that somebody looks whether it still means it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

LONGEST_PAUSE_S = 900.0


class Places:
    """`many` places. `clock` gives seconds that only grow."""

    def __init__(self, many: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.users = 0
        self._free = many
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._clock = clock
        self._quiet_until = 0.0

    @asynccontextmanager
    async def place(self, asker: str) -> AsyncIterator[None]:
        """A place, when it is the asker's turn."""
        await self._take(asker)
        try:
            yield
        finally:
            self._give()

    @property
    def quiet(self) -> float:
        """For how many seconds from now the server wants to be left alone."""
        return max(0.0, self._quiet_until - self._clock())

    def pause(self, seconds: float) -> None:
        """The server has said so."""
        self._quiet_until = max(self._quiet_until, self._clock() + min(seconds, LONGEST_PAUSE_S))

    async def _take(self, asker: str) -> None:
        if self._free and not self._lines:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(asker, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give()  # it had just come to be its turn
            raise

    def _give(self) -> None:
        """To the first that still waits, of the line whose turn it is; that line is the last then."""
        while self._lines:
            asker, line = self._lines.popitem(last=False)
            turn = line.popleft()
            if line:
                self._lines[asker] = line
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
