"""Calls with the credential that a Secret of the rollout's namespace holds.

A server that does not know us is asked once more if the Secret holds something else by now: no call is lost to a
rotation. A Secret that is gone is a refusal that says so, as is one that holds no credential.
"""

from __future__ import annotations

from dsl.ir import Webhook
from interpreter.cluster.credentials import Credentials, CredentialTrouble
from interpreter.webhooks import Caller, Payload, Reply


class Calling:
    """Calls for the rollouts of a controller."""

    def __init__(self, caller: Caller, credentials: Credentials) -> None:
        self._caller = caller
        self._credentials = credentials

    def of(self, namespace: str, name: str) -> CallsOfOne:
        """For one rollout."""
        return CallsOfOne(self._caller, self._credentials, namespace, f"{namespace}/{name}")


class CallsOfOne:
    """Calls of one rollout, in its turn, with Secrets of its namespace."""

    def __init__(self, caller: Caller, credentials: Credentials, namespace: str, asker: str) -> None:
        self._caller = caller
        self._credentials = credentials
        self._namespace = namespace
        self._asker = asker

    async def call(self, webhook: Webhook, payload: Payload, key: str) -> Reply:
        """As `Caller.call`. Raises nothing."""
        secret = webhook.secret
        if secret is None:
            return await self._caller.call(webhook, payload, key, asker=self._asker)
        try:
            lent = await self._credentials.credential(self._namespace, secret)
        except CredentialTrouble as trouble:
            return Reply(False, str(trouble), tries=0)
        reply = await self._caller.call(webhook, payload, key, credential=lent, asker=self._asker)
        if not reply.unknown:
            return reply
        try:
            renewed = await self._credentials.credential(self._namespace, secret, fresh=True)
        except CredentialTrouble:
            return reply
        if renewed == lent:
            return reply
        return await self._caller.call(webhook, payload, key, credential=renewed, asker=self._asker)
