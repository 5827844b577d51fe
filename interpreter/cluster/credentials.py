"""Credentials from Secrets, as headers of a request.

A Secret is fetched when it is needed and kept for a minute, so that a rotated one is soon in use and a busy rollout
does not ask for it at each check. It is read by name, in the rollout's own namespace; the values go nowhere but into
the request.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping

from interpreter.cluster.api import Api, ApiError
from interpreter.objects import Ref

KEPT_S = 60.0


class CredentialTrouble(Exception):
    """A credential is not to be had. The message names the Secret and never what is in it."""


class Credentials:
    """Secrets by name, for all rollouts of a controller."""

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[float, dict[str, str]]] = {}

    async def data(self, namespace: str, name: str) -> Mapping[str, str]:
        """What a Secret holds, as text. Raises `CredentialTrouble`."""
        kept = self._kept.get((namespace, name))
        if kept is not None and self._clock() - kept[0] < KEPT_S:
            return kept[1]
        try:
            secret = await self._api.get(Ref("v1", "Secret", namespace, name))
        except ApiError as error:
            raise CredentialTrouble(f"the Secret `{namespace}/{name}` cannot be read: {error}") from error
        if secret is None:
            raise CredentialTrouble(f"there is no Secret `{namespace}/{name}`")
        data = {key: _text(namespace, name, key, value) for key, value in (secret.get("data") or {}).items()}
        self._kept[namespace, name] = (self._clock(), data)
        return data

    async def headers(self, namespace: str, name: str) -> dict[str, str]:
        """An `Authorization` header, from `token` or from `username` and `password`. Raises `CredentialTrouble`."""
        data = await self.data(namespace, name)
        if "token" in data:
            return {"Authorization": f"Bearer {data['token'].strip()}"}
        if "username" in data and "password" in data:
            pair = f"{data['username']}:{data['password']}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        keys = ", ".join(f"`{key}`" for key in sorted(data)) or "nothing"
        needed = "it must have `token`, or `username` and `password`"
        raise CredentialTrouble(f"the Secret `{namespace}/{name}` has {keys}: {needed}")


def _text(namespace: str, name: str, key: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise CredentialTrouble(f"`{key}` of the Secret `{namespace}/{name}` is not text") from error
