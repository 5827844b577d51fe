"""A steady load on one host, of which every request is counted: when it began and ended, and who answered what.

Requests start by the clock and not when the one before has ended, each on a connection that is free, or on a new one.
One that is not answered within its time, or whose connection breaks, counts as failed by nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.e2e.pods import VERSION_HEADER, WORKLOAD_HEADER, Answer

PATIENCE_S = 10.0
NOBODY = ""
"""The version of an answer that no pod gave: the data plane's own, or none at all (status 0)."""

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Sent(NamedTuple):
    """One request; times are of the monotonic clock, in seconds. `workload` is that of the pod that answered."""

    began: float
    ended: float
    answer: Answer
    workload: str


class Load:
    """GET requests at `rate` a second from the start to the end of the block; `sent` has all that have ended."""

    def __init__(self, url: str, host: str, rate: float) -> None:
        parts = urlsplit(url)
        self._address, self._port = parts.hostname or "", parts.port or 80
        self._text = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._rate = rate
        self._idle: list[_Connection] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._pacing: asyncio.Task[None] | None = None
        self.started = 0
        self.sent: list[Sent] = []

    async def __aenter__(self) -> Load:
        self._pacing = asyncio.create_task(self._pace())
        return self

    async def __aexit__(self, *_: object) -> None:
        """No more, but all that are under way."""
        if self._pacing is not None:
            self._pacing.cancel()
            await asyncio.gather(self._pacing, return_exceptions=True)
        await asyncio.gather(*self._under_way)
        for connection in self._idle:
            connection[1].close()

    async def _pace(self) -> None:
        began = time.monotonic()
        while True:
            due = int((time.monotonic() - began) * self._rate) + 1
            for _ in range(due - self.started):
                self.started += 1
                task = asyncio.create_task(self._one())
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(max(0.0, began + self.started / self._rate - time.monotonic()))

    async def _one(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer, workload = await self._ask()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            answer, workload = Answer(NOBODY, 0), NOBODY
        self.sent.append(Sent(began, time.monotonic(), answer, workload))

    async def _ask(self) -> tuple[Answer, str]:
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        try:
            writer.write(self._text)
            answer, workload, length = _read(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return answer, workload

    async def _connect(self) -> _Connection:
        return await asyncio.open_connection(self._address, self._port)


def counted(sent: Iterable[Sent]) -> Counter[Answer]:
    """How many there are of each kind."""
    return Counter(one.answer for one in sent)


def _read(head: bytes) -> tuple[Answer, str, int]:
    """What was answered, by whose pod, and how many bytes follow."""
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "transfer-encoding" in headers:
        raise ConnectionError("an answer in pieces, which nobody here gives")
    answer = Answer(headers.get(VERSION_HEADER.lower(), NOBODY), int(first.split(" ")[1]))
    return answer, headers.get(WORKLOAD_HEADER.lower(), NOBODY), int(headers.get("content-length", 0))
