"""An authority that makes certificates for 127.0.0.1, and a server of HTTPS that can begin anew with another."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.interpreter.providers.server import Server


class Authority:
    """`certificate` is its own, in PEM: what a Secret has as `ca.crt`."""

    def __init__(self, name: str) -> None:
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._made = self._signed(self._name, self._key.public_key(), timedelta(days=1), authority=True)
        self.certificate = self._made.public_bytes(serialization.Encoding.PEM).decode()

    def server(
        self, folder: Path, *, life: timedelta = timedelta(hours=1), asks: Authority | None = None
    ) -> ssl.SSLContext:
        """The context of a server with a new certificate; one of a `life` below zero has run out. It lets in only who
        has a certificate of the authority that it `asks`."""
        (folder / "server.pem").write_text("".join(self.pair(life=life)))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "server.pem")
        if asks is not None:
            context.load_verify_locations(cadata=asks.certificate)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def pair(self, name: str = "server", *, life: timedelta = timedelta(hours=1)) -> tuple[str, str]:
        """A new certificate and its key, in PEM: what a Secret has as `tls.crt` and `tls.key`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        made = self._signed(subject, key.public_key(), life, authority=False)
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        return made.public_bytes(pem).decode(), private.decode()

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta, *, authority: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        return builder.add_extension(addresses, critical=False).sign(self._key, hashes.SHA256())


class Secure:
    """A `Server` behind TLS, on one port for good."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listening: asyncio.Server | None = None
        self._port = 0

    async def begin(self, tls: ssl.SSLContext) -> None:
        """Begin, or end and begin anew with another certificate."""
        await self.end()
        self._listening = await asyncio.start_server(
            self._server.handle, "127.0.0.1", self._port, ssl=tls, reuse_address=True
        )
        self._port = self._listening.sockets[0].getsockname()[1]

    async def end(self) -> None:
        if self._listening is not None:
            self._listening.close()
            await self._listening.wait_closed()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"
