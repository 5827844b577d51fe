"""The keys that links are signed with: a Secret of the controller's namespace, made by the controller.

It holds the key in use and the one before, so that links that are out stay good when a key is replaced. A key is in use
for `IN_USE_S`, which is more than a link may last; any replica replaces it, and if two want to at once, the one that
writes second reads what the first has written. Who sees a link that no key has signed looks at the Secret again, for
another replica may have replaced the key a moment ago.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from interpreter.cluster import names
from interpreter.cluster.api import Api, ApiError, Conflict
from interpreter.objects import Manifest, Ref

SECRET = "rollway-link-keys"
IN_USE_S = 14 * 24 * 3600.0
FRESH_S = 60.0
"""How long what was read is gone by, without a look."""
SOONEST_S = 5.0
"""A link that nobody signed makes us look no sooner than this after the last look."""
_BYTES = 32
_CURRENT, _PREVIOUS, _SINCE = "current", "previous", "since"

log = structlog.get_logger(__name__)


class Keys(NamedTuple):
    """`current` signs; `previous`, if there is one, is good still. `since_s` is when the current one was made."""

    current: bytes
    previous: bytes | None = None
    since_s: float = 0.0

    @property
    def all(self) -> tuple[bytes, ...]:
        """Every key that a link may be signed with, the current one first."""
        return (self.current,) if self.previous is None else (self.current, self.previous)


class LinkKeys:
    """The keys of one installation."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        *,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api.gated(None)
        self._ref = Ref("v1", "Secret", namespace, SECRET)
        self._clock = clock
        self._ticks = ticks
        self._lock = asyncio.Lock()
        self._keys: Keys | None = None
        self._read_at = 0.0

    @property
    def known(self) -> Keys | None:
        """As they were last read, without asking; None before the first time."""
        return self._keys

    async def get(self, *, again: bool = False) -> Keys:
        """The keys; made if there are none, and replaced if they are old. `again` asks for a fresh look. Raises
        `ApiError`."""
        async with self._lock:
            age = self._ticks() - self._read_at
            if self._keys is None or age >= FRESH_S or (again and age >= SOONEST_S):
                self._keys = await self._settled()
                self._read_at = self._ticks()
            return self._keys

    async def _settled(self) -> Keys:
        for _ in range(5):
            found = await self._api.get(self._ref)
            keys = read(found) if found is not None else None
            if keys is not None and self._clock() - keys.since_s < IN_USE_S:
                return keys
            fresh = Keys(secrets.token_bytes(_BYTES), keys.current if keys else None, float(int(self._clock())))
            try:
                if found is None:
                    await self._api.create(self._manifest(fresh))
                else:
                    version = found["metadata"]["resourceVersion"]
                    change = {"metadata": {"resourceVersion": version}, "data": self._manifest(fresh)["data"]}
                    await self._api.patch(self._ref, change)
            except Conflict:
                continue
            log.info("the key of links is new", secret=str(self._ref))
            return fresh
        raise ApiError(409, "Conflict", f"{self._ref} changes faster than it can be read")

    def _manifest(self, keys: Keys) -> Manifest:
        texts = {_CURRENT: keys.current, _PREVIOUS: keys.previous or b"", _SINCE: str(int(keys.since_s)).encode()}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self._ref.name,
                "namespace": self._ref.namespace,
                "labels": {names.MANAGED_BY: names.MANAGER},
            },
            "type": "Opaque",
            "data": {name: base64.b64encode(value).decode() for name, value in texts.items()},
        }


def read(secret: Manifest) -> Keys | None:
    """The keys in a Secret; None where there are none, or too short ones, which somebody else must have written."""
    data = secret.get("data") or {}
    current, previous, since = (_bytes(data.get(name)) for name in (_CURRENT, _PREVIOUS, _SINCE))
    if len(current) < _BYTES or not since.isdigit():
        return None
    return Keys(current, previous if len(previous) >= _BYTES else None, float(since))


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (ValueError, binascii.Error):
        return b""
