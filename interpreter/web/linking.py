"""Makes the links that messages carry."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

import structlog

from interpreter.cluster.api import ApiError
from interpreter.web import links
from interpreter.web.keys import LinkKeys
from interpreter.web.links import Link

PATH = "/l/"
AGAIN_S = 30.0

MakeLink = Callable[[Link], str]
"""The URL of a link whose `expires_ms` and `nonce` are filled in; empty where there can be none."""

log = structlog.get_logger(__name__)


class Linker:
    """Links below one address. The keys are read beside the work, so that a message never waits for them: one that is
    sent before they are known has no links."""

    def __init__(
        self, keys: LinkKeys, external_url: str, *, life_ms: int = links.LIFE_MS, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._base = external_url.rstrip("/") + PATH
        self._life_ms = life_ms
        self._clock = clock

    def __call__(self, link: Link) -> str:
        """The URL of this link. Its `expires_ms` may only shorten the life of it, and its `nonce` is made if empty."""
        keys = self._keys.known
        if keys is None or link.verb not in links.VERBS:
            return ""
        latest = links.expiry(int(self._clock() * 1000), self._life_ms)
        whole = link._replace(
            expires_ms=min(link.expires_ms or latest, latest), nonce=link.nonce or secrets.token_urlsafe(9)
        )
        return self._base + links.sign(keys.current, whole)

    async def run(self) -> None:
        """Keep the keys known, until cancelled."""
        while True:
            try:
                await self._keys.get()
            except ApiError as error:
                log.warning("messages have no links for now: their key cannot be read", why=str(error))
            await asyncio.sleep(AGAIN_S)
