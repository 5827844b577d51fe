"""Objects as they are from moment to moment: listed once, then watched.

Nothing is polled. A watch that the server ends goes on from the last version seen; after a cut connection, or when that
version is too old, the objects are listed anew. Only what trying again cannot mend ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple, Self

from interpreter.cluster.api import Api, ApiError, Gone, Unreachable
from interpreter.objects import Manifest

WATCH_S = 60.0
"""A watch is asked for anew this often, so that a connection that died without a word is noticed soon."""
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 10.0


class Wanted(NamedTuple):
    """What to follow: a kind, in one namespace or (None) all, as far as the labels fit, and the fields."""

    kind: tuple[str, str]
    namespace: str | None
    selector: str = ""
    fields: str = ""


class Following:
    """Use it as a context."""

    def __init__(self, api: Api, wanted: list[Wanted]) -> None:
        self._api = api
        self._wanted = list(wanted)
        self._found: list[dict[tuple[str, str], Manifest]] = [{} for _ in wanted]
        self._refused: dict[Wanted, str] = {}
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._troubles = ["" for _ in wanted]

    async def __aenter__(self) -> Self:
        """The first lists; raises `ApiError` if they cannot be had."""
        versions = await asyncio.gather(*(self._list(number) for number in range(len(self._wanted))))
        self._tasks = [asyncio.create_task(self._follow(number, version)) for number, version in enumerate(versions)]
        for task in self._tasks:
            task.add_done_callback(lambda _: self._news.set())
        self._news.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def trouble(self) -> str:
        """What is wrong with the connection; empty while nothing is."""
        return next(filter(None, self._troubles), "")

    def objects(self) -> list[Manifest]:
        """All of them, as they are now."""
        return [manifest for found in self._found for manifest in found.values()]

    @property
    def refused(self) -> dict[Wanted, str]:
        """Why what was wanted besides cannot be followed; it is done without."""
        return dict(self._refused)

    async def also(self, wanted: Wanted) -> None:
        """Follow this besides, from now on. It is no error if that cannot be: it is in `refused` then."""
        if wanted in self._wanted:
            return
        number = len(self._wanted)
        self._wanted.append(wanted)
        self._found.append({})
        self._troubles.append("")
        version = ""
        try:
            version = await self._list(number)
        except ApiError as error:
            if not _passes(error):
                self._refused[wanted] = error.message
                return
        self._tasks.append(asyncio.create_task(self._follow_besides(number, version)))

    async def _follow_besides(self, number: int, version: str) -> None:
        try:
            await self._follow(number, version)
        except ApiError as error:
            self._refused[self._wanted[number]] = error.message
            self._found[number].clear()
            self._news.set()

    async def changed(self) -> None:
        """Returns when something has changed since the last time; raises the `ApiError` that ends it all."""
        await self._news.wait()
        self._news.clear()
        for task in self._tasks:
            if task.done():
                task.result()

    async def _list(self, number: int) -> str:
        kind, namespace, selector, fields = self._wanted[number]
        listing = await self._api.list(kind, namespace, selector, field_selector=fields)
        self._found[number] = {_key(manifest): manifest for manifest in listing}
        return listing.resource_version

    async def _follow(self, number: int, version: str) -> None:
        delay = FIRST_DELAY_S
        while True:
            try:
                if not version:
                    version = await self._list(number)
                    self._news.set()
                self._is(number, "")
                version = await self._watch(number, version)
                delay = FIRST_DELAY_S
            except Gone:
                version = ""
            except ApiError as error:
                if not _passes(error):
                    raise
                version = ""
                self._is(number, error.message)
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY_S)

    async def _watch(self, number: int, version: str) -> str:
        """Until the server ends it; the version to go on from."""
        kind, namespace, selector, fields = self._wanted[number]
        found = self._found[number]
        watch = self._api.watch(kind, namespace, version, WATCH_S, label_selector=selector, field_selector=fields)
        async for what, manifest in watch:
            version = manifest["metadata"]["resourceVersion"]
            if what == "BOOKMARK":
                continue
            if what == "DELETED":
                found.pop(_key(manifest), None)
            else:
                found[_key(manifest)] = manifest
            self._news.set()
        return version

    def _is(self, number: int, trouble: str) -> None:
        if self._troubles[number] != trouble:
            self._troubles[number] = trouble
            self._news.set()


async def until(following: Following, limit_s: float | None) -> bool:
    """Waits for a change; false when there was none within the time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await following.changed()
            return True
    return False


def _passes(error: ApiError) -> bool:
    """Whether it is worth trying again."""
    return isinstance(error, Unreachable) or error.status == 429 or error.status >= 500


def _key(manifest: Mapping[str, Manifest]) -> tuple[str, str]:
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
