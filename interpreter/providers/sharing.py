"""What is done once around the metric servers of all rollouts: one question is asked once, and none is asked too much.

Rollouts that ask the same at the same time (provider, text, server, credentials, second) get one answer: the first one
asks, the others wait with it, its tries included. Who gives up waiting leaves the others their answer; when nobody is
left the question is dropped. At most `MOST_AT_ONCE` queries are with one server at a time, the others wait for a place
(`places.py`: rollouts take turns); between two tries no place is held. To wait for the first place is not the server's
fault and takes nothing of a question's limit of time: a controller that starts has a question of every rollout at
once. A server that asked one of them to wait is asked by none of them until then.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from time import monotonic
from typing import Self

from interpreter.places import Places
from interpreter.providers.provider import (
    TIMEOUT_S,
    Measurement,
    Provider,
    ProviderError,
    RenderedQuery,
    Trouble,
    guarded,
    safe_host,
)

MOST_AT_ONCE = 16
PATIENCE_S = 60.0
"""For how long a question waits for its first place."""

Question = tuple[object, ...]
Heard = Callable[[str, str, float], None]
"""Told of each query: the provider, `ok`, `unanswered` (in time) or a word of `Trouble`, and the seconds."""


class Sharing:
    """The questions under way. One for all that ask the same servers, on one event loop."""

    def __init__(
        self, most_at_once: int = MOST_AT_ONCE, patience: float = PATIENCE_S, heard: Heard | None = None
    ) -> None:
        self._most = most_at_once
        self._heard = heard
        self._patience = patience
        self._asked: dict[Question, _Asked] = {}
        self._places: dict[tuple[int, str], Places] = {}

    async def measure(
        self,
        provider: Provider,
        query: RenderedQuery,
        *,
        asker: str = "",
        timeout: float = TIMEOUT_S,  # noqa: ASYNC109 - for all tries together
    ) -> Measurement:
        """As `guarded`. `asker` is the rollout whose turn it takes. Raises `ProviderError`."""
        name = question(provider, query, timeout)
        asked = self._asked.get(name)
        if asked is None:
            asked = self._asked[name] = _Asked(asyncio.create_task(self._ask(provider, query, asker, timeout)))
            asked.task.add_done_callback(lambda task: self._done(name, task))
        asked.waiting += 1
        try:
            return await asyncio.shield(asked.task)
        finally:
            asked.waiting -= 1
            if not asked.waiting and not asked.task.done():
                del self._asked[name]
                asked.task.cancel()

    def _done(self, name: Question, task: asyncio.Task[Measurement]) -> None:
        """The question may be under way again, if this one was dropped. Its error is not unheard: nobody was left."""
        if not task.cancelled():
            task.exception()
        if name in self._asked and self._asked[name].task is task:
            del self._asked[name]

    async def _ask(self, provider: Provider, query: RenderedQuery, asker: str, limit: float) -> Measurement:
        server = (id(provider), safe_host(query.server) if query.server else "")
        places = self._places.setdefault(server, Places(self._most))
        places.users += 1
        try:
            async with _Limited(provider, places, asker, query.server, self._patience, self._heard) as limited:
                return await guarded(limited, query, timeout=limit)
        finally:
            places.users -= 1
            self._places = {name: kept for name, kept in self._places.items() if kept.users or kept.quiet}


class _Asked:
    """A question under way, and how many wait for its answer."""

    def __init__(self, task: asyncio.Task[Measurement]) -> None:
        self.task = task
        self.waiting = 0


class _Limited:
    """A provider whose queries each take a place, and none while the server wants quiet. As a context manager it has
    the place of the first query already."""

    def __init__(
        self,
        provider: Provider,
        places: Places,
        asker: str,
        server: str | None,
        patience: float,
        heard: Heard | None = None,
    ) -> None:
        self._provider = provider
        self._places = places
        self._asker = asker
        self._where = safe_host(server) if server else "the server"
        self._patience = patience
        self._heard = heard
        self._first = AsyncExitStack()
        self._is_first = True

    @property
    def name(self) -> str:
        return self._provider.name

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._patience):
                await self._first.enter_async_context(self._places.place(self._asker))
        except TimeoutError:
            said = f"{self.name}: {self._where} has had other questions before this one for {self._patience:g}s"
            raise ProviderError(Trouble.TRANSIENT, said) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._first.aclose()

    async def measure(self, query: RenderedQuery) -> Measurement:
        async with self._first.pop_all(), AsyncExitStack() as later:
            if not self._is_first:
                await later.enter_async_context(self._places.place(self._asker))
            self._is_first = False
            if quiet := self._places.quiet:
                said = f"{self.name}: {self._where} has asked for fewer queries, and is left alone"
                raise ProviderError(Trouble.TRANSIENT, said, retry_after=quiet)
            try:
                return await self._measured(query)
            except ProviderError as error:
                if error.trouble is Trouble.TRANSIENT and error.retry_after is not None:
                    self._places.pause(error.retry_after)
                raise

    async def _measured(self, query: RenderedQuery) -> Measurement:
        begun, outcome = monotonic(), "unanswered"
        try:
            measured = await self._provider.measure(query)
            outcome = "ok"
        except ProviderError as error:
            outcome = str(error.trouble)
            raise
        finally:
            if self._heard is not None:
                self._heard(self.name, outcome, monotonic() - begun)
        return measured

    async def close(self) -> None:
        """The provider is not ours to close."""


def question(provider: Provider, query: RenderedQuery, timeout: float) -> Question:
    """What two queries have in common if one answer does for both. Secrets are in it as a digest only."""
    same = query._replace(at_ms=query.at_ms // 1000, headers={}, secret={})
    plain = tuple(value for value in same if not isinstance(value, Mapping))
    return (id(provider), *plain, _digest(query.headers), _digest(query.secret), timeout)


def _digest(secret: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(secret.items())).encode()).hexdigest()
