"""The admission webhook as a part of a process: everything that it is made of, begun and ended together.

It runs in every replica, leader or not: the API server asks whichever it comes to. What binds every policy is watched
here, for that is needed with each question; what a single policy names is read when it is asked about.
"""

from __future__ import annotations

from types import TracebackType
from typing import NamedTuple

import structlog

from interpreter.admission.judging import Judge
from interpreter.admission.keeper import KeptCertificate, SecretKeeper
from interpreter.admission.server import Admission
from interpreter.cluster import names
from interpreter.cluster.api import Api
from interpreter.cluster.caches import Caches
from interpreter.cluster.libraries import guardrails
from interpreter.cluster.policy import CLUSTER_LIBRARY
from interpreter.web.certificate import Certificate

log = structlog.get_logger(__name__)


class AdmissionSettings(NamedTuple):
    """Where to listen, by what names the API server calls us (of a Service `NAME.NAMESPACE.svc`), and where the
    certificate is: in a Secret of `namespace` that we keep ourselves, or in the folder `certificates`."""

    host: str
    port: int
    namespace: str
    names: tuple[str, ...]
    certificates: str | None = None
    default_provider: str = "istio"
    cross_namespace_refs: bool = True


class AdmissionService:
    """`start` it, ask `unready` what is wrong, `aclose` it."""

    def __init__(self, api: Api, settings: AdmissionSettings) -> None:
        self._api = api
        self._settings = settings
        self._caches = Caches(api, api.discovery)
        self.kept = (
            None if settings.certificates else KeptCertificate(SecretKeeper(api, settings.namespace, settings.names))
        )
        """The certificate, where it is ours to look after."""
        judge = Judge(
            api.get,
            lambda: guardrails(self._caches),
            default_provider=settings.default_provider,
            cross_namespace_refs=settings.cross_namespace_refs,
        )
        self._server = Admission(judge, self.kept or _mounted(settings.certificates or ""), lambda: self._caches.blind)

    async def start(self) -> int:
        """Listen; the port is returned. Raises `OSError` if it cannot be had, `ApiError` if guardrails cannot be read:
        to judge without them would let in what they forbid."""
        await self._caches.ensure(names.API_VERSION, CLUSTER_LIBRARY)
        port = await self._server.start(self._settings.host, self._settings.port)
        log.info("the admission webhook listens", port=port)
        return port

    def unready(self) -> str | None:
        """What keeps it from answering."""
        return (self.kept.trouble if self.kept is not None else None) or self._caches.blind

    async def __aenter__(self) -> AdmissionService:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._server.aclose()
        await self._caches.aclose()


def _mounted(folder: str) -> Certificate:
    """What cert-manager, or a person, keeps. Raises `CertificateTrouble`."""
    return Certificate(f"{folder}/tls.crt", f"{folder}/tls.key")
