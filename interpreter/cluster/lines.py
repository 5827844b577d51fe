"""Where a channel of a policy is reached: its own Secret, or an AlertProvider object, ours or Flagger's.

The address stands in the Secret under `address`, a token, if the service wants one, under `token`. An AlertProvider's
Secret is one of its own namespace.
"""

from __future__ import annotations

from dsl.flagger.templates import AlertProvider, read_alert_provider
from dsl.ir import Channel
from interpreter.channels import Line
from interpreter.chat import CHATS
from interpreter.cluster import names
from interpreter.cluster.caches import Caches
from interpreter.cluster.credentials import Credentials
from interpreter.objects import Ref

KIND = "AlertProvider"
API_VERSIONS = (names.API_VERSION, names.FLAGGER_API_VERSION)


class LineTrouble(Exception):
    """A channel cannot be reached from here. The message says why and what to do, and holds no secret."""


class Lines:
    """Finds lines for all rollouts of a controller."""

    def __init__(self, caches: Caches, credentials: Credentials) -> None:
        self._caches = caches
        self._credentials = credentials

    async def line(self, channel: Channel, namespace: str) -> Line | None:
        """None for a channel whose address stands in the policy. Raises `LineTrouble` and `CredentialTrouble`."""
        if channel.kind == "webhook":
            return None
        if channel.kind == "provider":
            return await self._of_provider(self._provider(channel.to))
        if channel.secret is None:
            raise LineTrouble(f"it needs `secret`, the name of a Secret with the {channel.kind} address")
        data = await self._credentials.data(namespace, channel.secret)
        username = str(channel.fields.get("username", ""))
        return _line(channel.kind, data.get("address", ""), data.get("token", ""), channel.to, username)

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

    async def _of_provider(self, provider: AlertProvider) -> Line:
        data = await self._credentials.data(provider.namespace, provider.secret) if provider.secret else {}
        where = data.get("address", provider.address)
        return _line(provider.type, where, data.get("token", ""), provider.channel, provider.username)


def _line(kind: str, address: str, token: str, channel: str, username: str) -> Line:
    if kind not in CHATS:
        raise LineTrouble(f"messages to {kind} cannot be sent yet; use one of {', '.join(sorted(CHATS))}, or webhook")
    if not address:
        raise LineTrouble("its Secret has no key `address`")
    return Line(kind, address.strip(), token.strip(), channel, username)
