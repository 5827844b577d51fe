"""The certificate that is shown over TLS, read anew when its file changes, as it does where cert-manager renews it."""

from __future__ import annotations

import asyncio
import os
import ssl

import structlog

LOOKS_S = 30.0

log = structlog.get_logger(__name__)


class CertificateTrouble(Exception):
    """It cannot be used; the text says which file and why."""


class Certificate:
    """A chain and its key, as PEM files. Raises `CertificateTrouble`."""

    def __init__(self, chain: str, key: str, *, looks_s: float = LOOKS_S) -> None:
        self._files = (chain, key)
        self._looks_s = looks_s
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seen = self._marks()
        self._load()

    async def run(self) -> None:
        """Look whether it has changed, until cancelled. One that cannot be used leaves the one before in use."""
        while True:
            await asyncio.sleep(self._looks_s)
            try:
                marks = self._marks()
                if marks != self._seen:
                    self._load()
                    self._seen = marks
                    log.info("the certificate has been read anew", file=self._files[0])
            except CertificateTrouble as trouble:
                log.warning("the certificate has changed and cannot be used; the one before is", why=str(trouble))

    def _load(self) -> None:
        # Tried first on a context of its own: a chain without its key would be half of a change.
        for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
            try:
                context.load_cert_chain(*self._files, password=_no_password)
            except (OSError, ValueError) as error:
                raise CertificateTrouble(f"{self._files[0]} with {self._files[1]}: {error}") from error

    def _marks(self) -> tuple[tuple[int, int], ...]:
        try:
            return tuple((found.st_mtime_ns, found.st_ino) for found in map(os.stat, self._files))
        except OSError as error:
            raise CertificateTrouble(f"{error.filename}: {error.strerror}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted; give it without a password")
