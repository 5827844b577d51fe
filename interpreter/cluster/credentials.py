"""Credentials for webhooks, gates, metric servers and channels, from Secrets.

A Secret is watched from when it is first needed until some minutes after it was last, so that a rotated credential is
used with the next request, and a check costs no request for its credential. A rollout at rest needs none, and nothing
is asked for it. Where a Secret may not be watched, or too many are, it is read, and kept for a minute.

A server may refuse a credential before the watch has brought the new one: `fresh` reads the Secret there and then.
Nothing here is put into an object, a message or a log; what a Secret holds lives in memory and in the request.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable, Mapping

from interpreter.cluster.api import Api, ApiError
from interpreter.cluster.watched_secret import Encoded, WatchedSecret
from interpreter.credential import Credential, CredentialProblem, credential
from interpreter.objects import Ref

KEPT_S = 60.0
"""How long a Secret that cannot be watched is kept."""
IDLE_S = 300.0
"""How long after it was last needed a Secret is watched."""
MOST_WATCHED = 256


class CredentialTrouble(Exception):
    """A credential is not to be had. The message names the Secret and never what is in it."""


class Credentials:
    """Secrets by name, for all rollouts of a controller."""

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.monotonic, idle: float = IDLE_S) -> None:
        self._api = api
        self._clock = clock
        self._idle = idle
        self._kept: dict[tuple[str, str], tuple[float, Encoded | None]] = {}
        self._watched: dict[tuple[str, str], WatchedSecret] = {}
        self._ends: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def watched(self) -> int:
        """How many Secrets are watched now."""
        return len(self._watched)

    async def data(self, namespace: str, name: str) -> Mapping[str, str]:
        """What a Secret holds, as far as it is text. Raises `CredentialTrouble`."""
        key = (namespace, name)
        watched = self._watch(key)
        if watched is not None:
            await watched.settled.wait()
            if watched.live:
                self._kept[key] = (self._clock(), watched.data)
                return _decoded(key, watched.data)
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept[0] < KEPT_S:
            return _decoded(key, kept[1])
        return await self.fresh(namespace, name)

    async def fresh(self, namespace: str, name: str) -> Mapping[str, str]:
        """The same, read now. Raises `CredentialTrouble`."""
        try:
            secret = await self._api.get(Ref("v1", "Secret", namespace, name))
        except ApiError as error:
            raise CredentialTrouble(f"the Secret `{namespace}/{name}` cannot be read: {error}") from error
        encoded = None if secret is None else dict(secret.get("data") or {})
        self._kept[namespace, name] = (self._clock(), encoded)
        return _decoded((namespace, name), encoded)

    async def credential(self, namespace: str, name: str, *, fresh: bool = False) -> Credential:
        """What a Secret holds to let us in at a server; read now, if `fresh`. Raises `CredentialTrouble`."""
        data = await (self.fresh if fresh else self.data)(namespace, name)
        try:
            return credential(data)
        except CredentialProblem as problem:
            raise CredentialTrouble(f"the Secret `{namespace}/{name}` {problem}") from problem

    async def aclose(self) -> None:
        """End every watch, and forget what was read."""
        for key in tuple(self._watched):
            self._let_go(key)
        await asyncio.gather(*self._ending)

    def _watch(self, key: tuple[str, str]) -> WatchedSecret | None:
        """The watch of a Secret, begun now or before; it lasts from now on. None if there are too many."""
        watched = self._watched.get(key)
        if watched is None:
            if len(self._watched) >= MOST_WATCHED:
                return None
            watched = self._watched[key] = WatchedSecret(self._api, *key)
            watched.start()
        if key in self._ends:
            self._ends[key].cancel()
        self._ends[key] = asyncio.get_running_loop().call_later(self._idle, self._let_go, key)
        return watched

    def _let_go(self, key: tuple[str, str]) -> None:
        self._ends.pop(key).cancel()
        self._kept.pop(key, None)
        ending = asyncio.create_task(self._watched.pop(key).aclose())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


def _decoded(key: tuple[str, str], encoded: Encoded | None) -> dict[str, str]:
    """What is text in it. Raises `CredentialTrouble`."""
    if encoded is None:
        raise CredentialTrouble(f"there is no Secret `{'/'.join(key)}`")
    texts = ((name, _text(value)) for name, value in encoded.items())
    return {name: text for name, text in texts if text is not None}


def _text(value: str) -> str | None:
    """None for what is no text: a keystore beside a certificate is nobody's mistake."""
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
