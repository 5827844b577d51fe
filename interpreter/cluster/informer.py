"""Keeps a copy of all objects of a kind: lists them once, then watches.

A watch ends often: the server ends it after some minutes, connections break. It goes on from the last version that was
seen, bookmarks included. When the server has forgotten that version (410), or the watch keeps failing, all is listed
again, and what was deleted meanwhile is noticed by its absence. A watch on which nothing came for three minutes, not
even one of the bookmarks that come every minute, is dead, whatever TCP says.

An informer never gives up. What a person must mend, a missing permission or a kind that is not installed, is said in
`trouble`, and tried again from time to time. What it held before stays, but for a kind that is not served any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator, Mapping

import structlog

from interpreter.cluster.api import PAGE, Api, ApiError, Forbidden, Gone, NotFound, NotServed, Unreachable
from interpreter.cluster.discovery import Kind
from interpreter.cluster.store import OnChange, Store, version_of
from interpreter.cluster.stripping import Strip, without_managed_fields
from interpreter.objects import Manifest, Ref, ref_of

WATCH_S = 300.0
SILENCE_S = 180.0
SLOWLY_S = 30.0
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
MOST_FAILURES = 5
"""So many watches in a row that fail at once make it list again."""

log = structlog.get_logger(__name__)


class Informer:
    """The objects of one kind, in one namespace or all. `start` it; `aclose` ends it.

    `strip` says what is kept of an object, None if nothing is. `synced` is set once all is known; `settled` then too,
    or when that needs a person's help first, with why in `trouble` and `error`. `on_restart` is told why a watch is
    begun anew: `ended`, `failed`, or `relisted`.
    """

    def __init__(
        self,
        api: Api,
        resource: tuple[str, str],
        namespace: str | None,
        strip: Strip,
        on_change: OnChange,
        *,
        on_restart: Callable[[str], None] | None = None,
        slowly: float = SLOWLY_S,
        watch_seconds: float = WATCH_S,
        silence: float = SILENCE_S,
    ) -> None:
        self._api = api
        self.kind = Kind(*resource[:2])
        self.namespace = namespace
        self._strip = strip
        self._listener = on_change
        self._on_restart = on_restart
        self._slowly = slowly
        self._watch_seconds = watch_seconds
        self._silence = silence
        self._store = Store(self._tell)
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._too_slow = False
        self.synced = asyncio.Event()
        self.settled = asyncio.Event()
        self.trouble: str | None = None
        self.error: ApiError | None = None

    def __len__(self) -> int:
        return len(self._store)

    @property
    def resource_version(self) -> str:
        """How far it has come."""
        return self._store.resource_version

    def start(self) -> None:
        """Begin; does nothing if it has begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"informer of {self.kind}")

    async def aclose(self) -> None:
        """End, and wait until it has."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def get(self, namespace: str, name: str) -> Manifest | None:
        """An object as it was last seen, or None. It is shared: not to be changed."""
        return self._store.get(namespace, name)

    def select(self, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> Iterator[Manifest]:
        """The objects of a namespace (None: of all) that have these labels."""
        return self._store.select(namespace, labels or {})

    def put(self, manifest: Manifest) -> None:
        """What a write of ours answered, so that it need not be waited for."""
        kept = self._stripped(manifest)
        if kept is not None and self.synced.is_set():
            self._store.put(kept)

    def remove(self, ref: Ref, uid: str | None = None) -> None:
        """We deleted it: the object with this `uid`, if it is known."""
        self._store.remove(ref, uid)

    async def _run(self) -> None:
        while True:
            try:
                await self._list()
                await self._watch()
            except ApiError as error:
                delay = self._note(error)
            except Exception:
                log.exception("an informer stumbled, and begins anew", kind=str(self.kind))
                self._failures += 1
                delay = self._delay()
            else:
                delay = self._delay()
            await asyncio.sleep(delay)
            self._restarted("relisted")

    async def _list(self) -> None:
        """Read all, page by page, keeping of each page only what is to be kept."""
        self._store.begin_list()
        listed: dict[Ref, Manifest] = {}
        version = ""
        limit = 0 if self._too_slow else PAGE  # all at once, if the pages did not last
        async with contextlib.aclosing(self._api.pages(self.kind, self.namespace, limit=limit)) as pages:
            async for page in pages:
                version = page.resource_version
                for manifest in page:
                    kept = self._stripped(manifest)
                    if kept is not None:
                        listed[ref_of(manifest)] = kept
        self._store.finish_list(listed, version)
        self._well()
        self.synced.set()
        self.settled.set()

    async def _watch(self) -> None:
        """Watch until all must be listed again."""
        while self._failures < MOST_FAILURES:
            try:
                if await self._watch_once():
                    self._well()
                    self._restarted("ended")
                    continue
                self._failures += 1
                delay = self._delay()
            except Gone:
                return
            except (Forbidden, NotFound, NotServed):
                raise
            except ApiError as error:
                delay = self._note(error)
            self._restarted("failed")
            await asyncio.sleep(delay)

    async def _watch_once(self) -> bool:
        """Follow one watch to its end. Whether it was any good: it brought something, or lasted."""
        loop, good = asyncio.get_running_loop(), False
        seconds = self._watch_seconds * random.uniform(0.8, 1.2)  # informers must not all come back together
        begun = loop.time()
        silence = min(self._silence, seconds + 15)
        stream = self._api.watch(
            self.kind, self.namespace, self.resource_version, seconds, silence=silence, on_open=self._untroubled
        )
        async with contextlib.aclosing(stream) as events:
            async for kind, manifest in events:
                good = True
                self._well()
                if kind == "BOOKMARK":
                    self._store.resource_version = version_of(manifest) or self.resource_version
                else:
                    self._store.event(kind, manifest, self._stripped(manifest))
                del manifest  # of a Secret no value may stay while nothing else happens
        return good or loop.time() - begun >= min(1.0, seconds / 2)

    def _stripped(self, manifest: Manifest) -> Manifest | None:
        kept = self._strip(manifest)
        return None if kept is None else without_managed_fields(kept)

    def _restarted(self, why: str) -> None:
        if self._on_restart is not None:
            self._on_restart(why)

    def _well(self) -> None:
        self._failures = 0
        self._untroubled()

    def _untroubled(self) -> None:
        self.trouble = self.error = None

    def _note(self, error: ApiError) -> float:
        """Show what is wrong. Returns for how long to wait."""
        self._failures += 1
        if isinstance(error, Gone):
            self._too_slow = True
            return self._delay()
        if self._failures > 1 or not isinstance(error, Unreachable) or not self.synced.is_set():
            if self.trouble != error.message:
                log.warning("objects cannot be watched", kind=str(self.kind), why=error.message)
            self.trouble, self.error = error.message, error
        if isinstance(error, NotServed | NotFound):
            self._api.discovery.forget(self.kind.api_version)
            self._store.clear()
        if isinstance(error, NotServed | NotFound | Forbidden):
            self.settled.set()
            return self._slowly * random.uniform(0.75, 1.25)
        return self._delay()

    def _delay(self) -> float:
        return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self._failures - 1, 8)) * random.uniform(0.5, 1.0)

    def _tell(self, ref: Ref, old: Manifest | None, new: Manifest | None) -> None:
        """A listener that fails must not stop the watch."""
        try:
            self._listener(ref, old, new)
        except Exception:
            log.exception("a listener failed", object=str(ref))
