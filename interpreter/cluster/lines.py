"""Where a channel of a policy is reached: its own Secret, or an AlertProvider object, ours or Flagger's.

A Secret has the address under `address`, a token, if the service wants one, under `token`, or `username` and
`password`, and for TLS `ca.crt`, `tls.crt` and `tls.key`. An AlertProvider's Secret is one of its own namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsl.flagger.templates import AlertProvider, read_alert_provider
from dsl.ir import Channel
from interpreter.channels.line import Line, LineTrouble
from interpreter.channels.registry import OPEN, SERVICES
from interpreter.cluster import names
from interpreter.cluster.caches import Caches
from interpreter.cluster.credentials import Credentials, CredentialTrouble
from interpreter.cluster.errors import ApiError
from interpreter.credential import TLS_KEYS
from interpreter.objects import Ref

KIND = "AlertProvider"
API_VERSIONS = (names.API_VERSION, names.FLAGGER_API_VERSION)
_BY_TOKEN = frozenset({"slack", "pagerduty"})
"""Services whose address is known: a token is enough."""


class Lines:
    """Finds lines for all rollouts of a controller."""

    def __init__(self, caches: Caches, credentials: Credentials) -> None:
        self._caches = caches
        self._credentials = credentials

    async def line(self, channel: Channel, namespace: str) -> Line:
        """Raises `LineTrouble`."""
        if channel.kind == "provider":
            return await self._of_provider(self._provider(channel.to), channel.fields)
        if channel.secret is None and channel.kind not in OPEN:
            raise LineTrouble(f"it needs `secret`, the name of a Secret with the {channel.kind} address or token")
        data = await self._data(namespace, channel.secret)
        return _line(channel.kind, channel.to, channel.to if channel.kind in OPEN else "", data, channel.fields)

    def _provider(self, key: str) -> AlertProvider:
        namespace, _, name = key.partition("/")
        for api_version in API_VERSIONS:
            found = self._caches.find(Ref(api_version, KIND, namespace, name))
            if found is not None:
                provider = read_alert_provider(found)
                if isinstance(provider, str):
                    raise LineTrouble(f"the AlertProvider `{key}`: {provider}")
                return provider
        raise LineTrouble(f"there is no AlertProvider `{key}`{self._caches.unseen(namespace)}")

    async def _of_provider(self, provider: AlertProvider, fields: Mapping[str, Any]) -> Line:
        data = await self._data(provider.namespace, provider.secret or None)
        said = {"username": provider.username, "proxy": provider.proxy}
        settings = {**{key: value for key, value in said.items() if value}, **fields}
        return _line(provider.type, provider.channel, provider.address, data, settings)

    async def _data(self, namespace: str, secret: str | None) -> Mapping[str, str]:
        if secret is None:
            return {}
        try:
            return await self._credentials.data(namespace, secret)
        except CredentialTrouble as trouble:
            raise LineTrouble(str(trouble), passing=isinstance(trouble.__cause__, ApiError)) from trouble


def _line(kind: str, to: str, own: str, secret: Mapping[str, str], settings: Mapping[str, Any]) -> Line:
    """`own` is the address that stands in the open; one in the Secret goes before it."""
    if kind not in SERVICES:
        raise LineTrouble(f"messages cannot be sent to {kind}; use one of {', '.join(sorted(SERVICES))}")
    address = (secret.get("address") or own).strip()
    token = secret.get("token", "").strip()
    if not address and not (token and kind in _BY_TOKEN):
        raise LineTrouble("its Secret has no key `address`" + (" and no key `token`" if kind in _BY_TOKEN else ""))
    if kind == "pagerduty" and not token:
        raise LineTrouble("its Secret has no key `token`, the integration key of the service")
    return Line(
        kind=kind,
        address=address,
        to=to,
        token=token,
        user=secret.get("username", "").strip(),
        password=secret.get("password", "").strip(),
        hidden=kind not in OPEN or "address" in secret,
        tls={key: secret[key] for key in TLS_KEYS if secret.get(key, "").strip()},
        settings=settings,
    )
