"""Connections that hold on and say nothing are let go; TLS shows the certificate that is there now."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import os
import ssl
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from interpreter.web.certificate import Certificate, CertificateTrouble
from interpreter.web.server import WebServer

PATIENCE_S = 20


async def _slow(_: web.Request) -> web.Response:
    await asyncio.sleep(1.0)
    return web.Response(text="done")


def application() -> web.Application:
    app = web.Application()
    app.router.add_get("/slow", _slow)
    return app


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /slow HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"POST /slow HTTP/1.1\r\n"],
    ids=["nothing", "half a head", "a line"],
)
async def test_who_never_ends_a_request_is_let_go(sent: bytes) -> None:
    server = WebServer(application(), idle_s=0.3)
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(PATIENCE_S):
        await ended(reader)
    writer.close()
    await server.aclose()


async def ended(reader: asyncio.StreamReader) -> None:
    """Wait until the other side has closed."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(100):
            pass


async def test_a_request_that_is_being_answered_is_not_idle() -> None:
    server = WebServer(application(), idle_s=0.3)
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(PATIENCE_S):
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.close()
    await server.aclose()


async def test_beyond_so_many_connections_the_newest_are_closed() -> None:
    server = WebServer(application(), most_connections=2)
    port = await server.start("127.0.0.1", 0)
    made = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
    ends = [asyncio.create_task(ended(reader)) for reader, _ in made]
    async with asyncio.timeout(PATIENCE_S):
        for closed in itertools.islice(asyncio.as_completed(ends), 3):
            await closed
    assert sum(one.done() for one in ends) == 3
    for _, writer in made:
        writer.close()
    await server.aclose()
    await asyncio.gather(*ends)


def write(folder: Path, name: str) -> tuple[str, str]:
    """A certificate of this name that signs itself, and its key, in place of those that are there."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    chain = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for file, data in (("tls.crt", chain.public_bytes(pem)), ("tls.key", plain)):
        (folder / f"new-{file}").write_bytes(data)
        os.replace(folder / f"new-{file}", folder / file)
    return str(folder / "tls.crt"), str(folder / "tls.key")


async def shown(port: int) -> str:
    """The name in the certificate that is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    data = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(data).subject.rfc4514_string()


async def test_a_renewed_certificate_is_shown_and_a_broken_one_is_not(tmp_path: Path) -> None:
    certificate = Certificate(*write(tmp_path, "first"), looks_s=0.05)
    server = WebServer(application(), certificate=certificate)
    port = await server.start("127.0.0.1", 0)
    assert await shown(port) == "CN=first"
    (tmp_path / "tls.key").write_text("nonsense")
    await asyncio.sleep(0.2)
    assert await shown(port) == "CN=first"
    write(tmp_path, "second")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await shown(port) == "CN=second":
                break
            await asyncio.sleep(0.05)
    await server.aclose()


def test_a_certificate_that_cannot_be_used_is_said_by_its_file(tmp_path: Path) -> None:
    with pytest.raises(CertificateTrouble, match=r"tls\.crt: No such file"):
        Certificate(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
    chain, key = write(tmp_path, "first")
    Path(key).write_text("nonsense")
    with pytest.raises(CertificateTrouble, match=r"tls\.key"):
        Certificate(chain, key)


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    first, second = WebServer(application()), WebServer(application())
    port = await first.start("127.0.0.1", 0)
    with pytest.raises(OSError, match="address already in use"):
        await second.start("127.0.0.1", port)
    await first.aclose()
    await second.aclose()
