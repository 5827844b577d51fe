"""What a leader does beside the rollouts: looking after objects of some kinds, one at a time.

A chore listens to its kinds, and sees to each object that is new or has changed in a way that it cares for. What fails
is tried again, later each time, and never stands in a rollout's way.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence

import structlog

from interpreter.cluster.api import NotLeader
from interpreter.cluster.errors import ApiError, Forbidden, NotServed
from interpreter.cluster.parts import Parts
from interpreter.cluster.queue import WorkQueue
from interpreter.objects import Manifest, Ref

log = structlog.get_logger(__name__)


class Chore(ABC):
    """One chore. `kinds` are (api_version, kind); one that is not served, or that may not be read, is passed over."""

    def __init__(self, parts: Parts, kinds: Sequence[tuple[str, str]]) -> None:
        self.parts = parts
        self._kinds = list(kinds)
        self._queue: WorkQueue[Ref] = WorkQueue()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    def cares(self, old: Manifest | None, new: Manifest | None) -> bool:
        """Whether this change is one to see to."""

    @abstractmethod
    async def see_to(self, ref: Ref) -> None:
        """Do what is to be done for an object, as it is now. May raise `ApiError`, and is then called again."""

    def leave_out(self, api_version: str, kind: str) -> None:
        """Look after all the others only."""
        self._kinds.remove((api_version, kind))

    async def begin(self) -> None:
        """Listen, and see to what there is already."""
        for api_version, kind in self._kinds:
            self.parts.caches.listen(api_version, kind, self._changed)
            try:
                await self.parts.caches.ensure(api_version, kind)
            except (NotServed, Forbidden) as error:
                log.info("a kind cannot be looked after", kind=kind, why=str(error))
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Let what has begun end."""
        self._queue.close()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def add(self, ref: Ref) -> None:
        """See to an object that nobody has changed."""
        self._queue.add(ref)

    def _changed(self, ref: Ref, old: Manifest | None, new: Manifest | None) -> None:
        if self.cares(old, new):
            self._queue.add(ref)

    async def _work(self) -> None:
        while (ref := await self._queue.get()) is not None:
            try:
                await self.see_to(ref)
                self._queue.forget(ref)
            except ApiError as error:
                log.warning("an object could not be seen to", object=str(ref), why=str(error))
                self._queue.retry(ref)
            except NotLeader:
                return
            finally:
                self._queue.done(ref)
