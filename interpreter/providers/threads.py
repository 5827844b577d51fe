"""Threads for the libraries of clouds, which know no asyncio: a few for each provider, none before the first call.

They are its own: a cloud that hangs must not take the threads in which the event loop looks up names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MANY = 4

Result = TypeVar("Result")


class Threads:
    """Runs what blocks."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(MANY, thread_name_prefix=name)

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises. It goes on unheard if nobody waits any more: give it limits of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Take no more work; what runs ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
