"""What a task has written: the last bytes of it, and whoever follows along.

The newest `most` bytes are kept, so that a task that talks without end costs no more than another. A follower who is
too slow is told how much has gone by.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

PIECE = 64 * 1024
MERGED = 4 * 1024


class Output:
    """Pieces in the order in which they came; `total` bytes so far, of which the first `dropped` are gone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self.total = 0
        self.dropped = 0
        self.closed = False

    def write(self, piece: bytes) -> None:
        """Add to it. Little pieces are put together, and none is larger than `PIECE`, or the bound would not hold."""
        if self._pieces and len(self._pieces[-1]) + len(piece) <= MERGED:
            self._pieces[-1] += piece
        else:
            self._pieces.append(piece)
        self.total += len(piece)
        while self.total - self.dropped > self._most and len(self._pieces) > 1:
            self.dropped += len(self._pieces.popleft())
        self._wake()

    def close(self) -> None:
        """No more will come."""
        self.closed = True
        self._wake()

    def text(self) -> str:
        """All that is kept, with a line that says so if it is not all."""
        kept = b"".join(self._pieces)
        over = max(0, len(kept) - self._most)
        gone = self.dropped + over
        before = f"[{gone} bytes before this are not kept]\n" if gone else ""
        return before + kept[over:].decode("utf-8", errors="replace")

    async def follow(self) -> AsyncIterator[bytes]:
        """What is kept, then what comes, until it is closed."""
        at = self.dropped
        while True:
            if at < self.dropped:
                yield f"[{self.dropped - at} bytes went by too fast]\n".encode()
                at = self.dropped
            pieces = self._after(at)
            at = self.total
            for piece in pieces:
                yield piece
            if at == self.total:
                if self.closed:
                    return
                await self._changed.wait()

    def _after(self, at: int) -> list[bytes]:
        begins, found = self.dropped, []
        for piece in self._pieces:
            if begins + len(piece) > at:
                found.append(piece[max(0, at - begins) :])
            begins += len(piece)
        return found

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
