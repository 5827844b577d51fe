"""Keeps the server's certificate: in a Secret that all replicas share, and in what the API server trusts.

Whoever finds the pair due makes the next one and writes it with the `resourceVersion` that was read: of two who do so
at the same time one is refused, and takes what the other wrote. Then the API server is told whom to trust, and only
then is the new certificate served. The bundle holds the authority before as well, so the replicas need not do this at
the same moment; each looks once an hour.

With cert-manager none of this runs: it writes the files of a mounted Secret (`interpreter.web.certificate` reads them),
and puts the authority into the webhook's configuration by itself.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import structlog

from interpreter.admission.certificates import Pair, is_due, issue, read
from interpreter.cluster.api import Api
from interpreter.cluster.errors import ApiError, Conflict
from interpreter.objects import Manifest, Ref
from interpreter.tls import TlsProblem, introduce

SECRET = "rollway-admission"
CONFIGURATION = "rollway"
CHECK_S = 3600.0
RETRY_S = 30.0
_TRIES = 5

log = structlog.get_logger(__name__)


class NoCertificate(Exception):
    """There is none, and none can be had. The message says why and what to do."""


class SecretKeeper:
    """Makes and renews the pair by itself. `names` are those that the API server calls us by."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        names: tuple[str, ...],
        *,
        configuration: str = CONFIGURATION,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = api
        self._secret = Ref("v1", "Secret", namespace, SECRET)
        self._configuration = Ref(
            "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", configuration
        )
        self._names = names
        self._now = now

    async def pair(self) -> Pair:
        """The one to serve now. Raises `NoCertificate` and `ApiError`."""
        pair = await self._kept()
        await self._trusted(pair)
        return pair

    async def _kept(self) -> Pair:
        for _ in range(_TRIES):
            secret = await self._api.get(self._secret)
            pair = read(_decoded(secret)) if secret is not None else None
            if pair is not None and not is_due(pair, self._names, self._now()):
                return pair
            made = issue(self._names, self._now(), pair)
            try:
                await self._write(secret, made)
            except Conflict:
                continue  # another replica was quicker
            log.info("a certificate for the admission webhook was made", names=self._names)
            return made
        raise NoCertificate(f"{self._secret} is written by somebody else all the time: look who does")

    async def _write(self, secret: Manifest | None, pair: Pair) -> None:
        data = {key: base64.b64encode(text.encode()).decode() for key, text in pair.secret().items()}
        if secret is not None:
            await self._api.replace({**secret, "data": data})
            return
        metadata = {"name": self._secret.name, "namespace": self._secret.namespace}
        await self._api.create(
            {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data}
        )

    async def _trusted(self, pair: Pair) -> None:
        """Have the API server trust the bundle."""
        found = await self._api.get(self._configuration)
        if found is None:
            raise NoCertificate(
                f"there is no {self._configuration}, so nobody asks: install it (`rollway install --admission`), "
                "or start without `--admission`"
            )
        bundle = base64.b64encode(pair.bundle.encode()).decode()
        hooks = found.get("webhooks") or []
        if all(hook["clientConfig"].get("caBundle") == bundle for hook in hooks):
            return
        told = [{**hook, "clientConfig": {**hook["clientConfig"], "caBundle": bundle}} for hook in hooks]
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        try:
            await self._api.patch(self._configuration, {"metadata": version, "webhooks": told})
        except Conflict:
            await self._trusted(pair)


class KeptCertificate:
    """The server's TLS, with the certificate that holds now. `run` gets it and renews it for as long as it runs; until
    there is one nobody can connect."""

    def __init__(self, keeper: SecretKeeper, *, check_s: float = CHECK_S, retry_s: float = RETRY_S) -> None:
        self._keeper = keeper
        self._check_s = check_s
        self._retry_s = retry_s
        self._served: Pair | None = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.trouble: str | None = "there is no certificate yet"
        """Why there is none, or why it could not be looked after the last time."""

    async def run(self) -> None:
        """Look every so often, and sooner after trouble; what is served goes on being served meanwhile."""
        while True:
            try:
                await self.look()
                self.trouble = None
            except (NoCertificate, ApiError) as trouble:
                self.trouble = str(trouble)
                log.warning("the admission webhook has no good certificate", why=self.trouble)
            await asyncio.sleep(self._retry_s if self.trouble else self._check_s)

    async def look(self) -> None:
        """Serve the pair that holds now. Raises `NoCertificate` and `ApiError`."""
        pair = await self._keeper.pair()
        if pair == self._served:
            return
        try:
            introduce(self.context, pair.certificate, pair.key)
        except TlsProblem as problem:
            raise NoCertificate("`tls.crt` and `tls.key` are no certificate and its key, in PEM") from problem
        self._served = pair


def _decoded(secret: Manifest) -> Mapping[str, str]:
    """Whatever is no text is left out: then there is no pair."""
    found: dict[str, str] = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except ValueError:
            continue
    return found
