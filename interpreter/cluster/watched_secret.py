"""One Secret, kept abreast by a watch on it alone: listed once, then followed.

Nothing but this one Secret is asked for (`fieldSelector`), so that no other comes into memory. `live` says whether what
is held is what the cluster has. A watch that breaks is begun anew, from the list on, later each time; one that is not
allowed is tried again from time to time, for somebody may allow it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping

import structlog

from interpreter.cluster.api import Api, ApiError, Forbidden, Gone
from interpreter.objects import Manifest

KIND = ("v1", "Secret")
WATCH_S = 300.0
SILENCE_S = 180.0
"""A watch on which not even a bookmark came for so long is dead, whatever TCP says."""
DENIED_S = 60.0
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0

log = structlog.get_logger(__name__)

Encoded = Mapping[str, str]
"""What a Secret holds, by key, in base64."""


class WatchedSecret:
    """Begins with `start`, ends with `aclose`. `settled` is set once the Secret is known, or cannot be watched."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._only = f"metadata.name={name}"
        self._version = ""
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self.settled = asyncio.Event()
        self.live = False
        self.data: Encoded | None = None
        """None if there is no such Secret."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"watch of Secret {self._namespace}/{self._name}")

    async def aclose(self) -> None:
        """End, and wait until it has."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._list()
                while True:
                    await self._watch()
            except Gone:
                delay = self._failed()
            except Forbidden as error:
                log.warning("a Secret cannot be watched, and is read now and then", why=error.message)
                delay = DENIED_S * random.uniform(0.75, 1.25)
                self._lost()
            except ApiError as error:
                log.info("the watch of a Secret broke, and is begun anew", why=error.message)
                delay = self._failed()
            except Exception:
                log.exception("the watch of a Secret stumbled, and is begun anew")
                delay = self._failed()
            await asyncio.sleep(delay)

    async def _list(self) -> None:
        found = await self._api.list(KIND, self._namespace, field_selector=self._only)
        self._put(found[0] if found else None)
        self._version = found.resource_version
        self.live = True
        self.settled.set()

    async def _watch(self) -> None:
        """Follow one watch to its end. Raises `ApiError`."""
        begun = asyncio.get_running_loop().time()
        seconds = WATCH_S * random.uniform(0.8, 1.2)  # all must not come back together
        stream = self._api.watch(
            KIND, self._namespace, self._version, seconds, field_selector=self._only, silence=SILENCE_S
        )
        async with contextlib.aclosing(stream) as events:
            async for kind, secret in events:
                self._version = secret["metadata"].get("resourceVersion") or self._version
                self._failures = 0
                if kind != "BOOKMARK":
                    self._put(None if kind == "DELETED" else secret)
        if asyncio.get_running_loop().time() - begun < 1.0:
            await asyncio.sleep(self._delay())

    def _put(self, secret: Manifest | None) -> None:
        self.data = None if secret is None else dict(secret.get("data") or {})

    def _failed(self) -> float:
        self._failures += 1
        self._lost()
        return self._delay()

    def _lost(self) -> None:
        self.live = False
        self.settled.set()

    def _delay(self) -> float:
        return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self._failures, 8)) * random.uniform(0.5, 1.0)
