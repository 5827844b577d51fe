"""Protects calls over TLS: authorities of one's own, certificates that we show, tokens; what is wrong with any of them
is said in words that help, and shows nothing of it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dsl.ir import Webhook
from interpreter import tls
from interpreter.addresses import ANY
from interpreter.credential import CredentialProblem, credential
from interpreter.http_client import Clients, Manner
from interpreter.webhooks import Caller, Reply
from tests.interpreter.providers.authority import Authority, Secure
from tests.interpreter.providers.server import Server, says, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        made.answers = [says(200, "fine")]
        yield made


@pytest.fixture
async def secure(server: Server) -> AsyncIterator[Secure]:
    made = Secure(server)
    yield made
    await made.end()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with Caller(ANY, first_delay=0.01) as made:
        yield made


OURS, THEIRS = Authority("ours"), Authority("theirs")
CERTIFICATE, KEY = OURS.pair("rollway")


async def call(caller: Caller, secure: Secure, secret: dict[str, str], **more: bool) -> Reply:
    hook = Webhook(f"{secure.url}/hook", secret="s", **more)  # type: ignore[arg-type]
    return await caller.call(hook, {"name": "web"}, "key", credential=credential(secret))


async def test_a_secret_brings_the_authority_the_certificate_and_the_token_at_once(
    caller: Caller, secure: Secure, server: Server, tmp_path: Path
) -> None:
    await secure.begin(OURS.server(tmp_path, asks=OURS))
    secret = {"ca.crt": OURS.certificate, "tls.crt": CERTIFICATE, "tls.key": KEY, "token": "sesame\n"}
    reply = await call(caller, secure, secret)
    assert (reply.accepted, reply.detail) == (True, "fine")
    assert server.asked[0][1]["authorization"] == "Bearer sesame"


async def test_the_policys_own_header_stands_before_the_secrets(
    caller: Caller, secure: Secure, server: Server, tmp_path: Path
) -> None:
    await secure.begin(OURS.server(tmp_path))
    hook = Webhook(secure.url, secret="s", headers={"authorization": "Own scheme"})
    lent = credential({"ca.crt": OURS.certificate, "username": "ann", "password": "secret"})
    assert (await caller.call(hook, {}, "k", credential=lent)).accepted
    assert server.asked[0][1]["authorization"] == "Own scheme"


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ({"token": "t"}, "is not trusted: unable to get local issuer certificate; if its authority is one of your own"),
        ({"ca.crt": THEIRS.certificate}, "is not trusted: unable to get local issuer certificate; if its authority"),
    ],
)
async def test_a_server_that_nobody_vouches_for_gets_nothing(
    caller: Caller, secure: Secure, server: Server, tmp_path: Path, secret: dict[str, str], why: str
) -> None:
    await secure.begin(OURS.server(tmp_path))
    reply = await call(caller, secure, secret)
    assert not reply.accepted
    assert reply.unknown
    assert f"the certificate of {secure.url}/hook {why}" in reply.detail
    assert server.asked == []
    assert (await call(caller, secure, secret, insecure_skip_verify=True)).accepted


@pytest.mark.parametrize("ours", [{}, dict(zip(("tls.crt", "tls.key"), THEIRS.pair(), strict=True))])
async def test_a_server_that_does_not_know_our_certificate_says_so(
    caller: Caller, secure: Secure, server: Server, tmp_path: Path, ours: dict[str, str]
) -> None:
    await secure.begin(OURS.server(tmp_path, asks=OURS))
    reply = await call(caller, secure, {"ca.crt": OURS.certificate, **ours})
    assert not reply.accepted
    assert reply.unknown
    assert f"{secure.url}/hook " in reply.detail
    assert "`tls.crt` and `tls.key`" in reply.detail or "handshake of TLS: unknown ca" in reply.detail
    assert server.asked == []


async def test_a_certificate_that_rotates_has_connections_of_its_own(
    caller: Caller, secure: Secure, server: Server, tmp_path: Path
) -> None:
    await secure.begin(OURS.server(tmp_path, asks=OURS))
    secret = {"ca.crt": OURS.certificate, "tls.crt": CERTIFICATE, "tls.key": KEY}
    assert (await call(caller, secure, secret)).accepted
    await secure.begin(THEIRS.server(tmp_path, asks=THEIRS))
    assert not (await call(caller, secure, secret)).accepted
    certificate, key = THEIRS.pair("rollway")
    assert (await call(caller, secure, {"ca.crt": THEIRS.certificate, "tls.crt": certificate, "tls.key": key})).accepted


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ({"ca.crt": "nonsense"}, "`ca.crt` of the Secret is no certificate in PEM"),
        ({"tls.crt": CERTIFICATE, "tls.key": THEIRS.pair()[1]}, "are no certificate and its key in PEM"),
        ({"tls.crt": "c\0", "tls.key": "k"}, "are no certificate and its key in PEM"),
    ],
)
async def test_what_is_no_certificate_is_said_to_be_none(
    caller: Caller, secure: Secure, secret: dict[str, str], why: str, tmp_path: Path
) -> None:
    await secure.begin(OURS.server(tmp_path))
    reply = await call(caller, secure, secret)
    assert not reply.accepted
    assert why in reply.detail


@pytest.mark.parametrize("token", ["caf\xe9-1234567890", "two\nlines-1234567890", "nul\0-1234567890"])
async def test_a_token_that_no_header_can_have_is_not_shown(
    caller: Caller, secure: Secure, tmp_path: Path, token: str
) -> None:
    await secure.begin(OURS.server(tmp_path))
    reply = await call(caller, secure, {"ca.crt": OURS.certificate, "token": token})
    assert not reply.accepted
    assert "characters that no header can have" in reply.detail
    assert "1234" not in reply.detail


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ({}, "has nothing: it must have `token`, `username` and `password`, `ca.crt`, or `tls.crt` and `tls.key`"),
        ({"Token": "x", "password": "x"}, "has `Token`, `password`: it must have `token`"),
        ({"token": "x", "tls.crt": "x"}, "has only one of `tls.crt` and `tls.key`, and both are needed"),
        ({"tls.key": "x", "tls.crt": " "}, "has only one of `tls.crt` and `tls.key`"),
    ],
)
def test_a_secret_that_lets_nobody_in_says_what_it_lacks(secret: dict[str, str], why: str) -> None:
    with pytest.raises(CredentialProblem) as caught:
        credential(secret)
    assert str(caught.value).startswith(why)


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_key_is_on_no_disk_when_it_has_been_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    """Where the kernel has files in memory it never is: a pod's disk is read-only."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if in_memory:
        tmp_path.chmod(0o500)
        monkeypatch.setattr("tempfile.mkstemp", None)
    else:
        monkeypatch.delattr("os.memfd_create")
    made = tls.context(tls.Material(certificate=CERTIFICATE, key=KEY))
    assert isinstance(made, ssl.SSLContext)
    assert list(tmp_path.iterdir()) == []


async def test_certificates_that_nobody_uses_any_more_are_forgotten() -> None:
    now = 0.0
    clients = Clients(ANY, idle=300, clock=lambda: now)
    old = tls.Material(certificate=CERTIFICATE, key=KEY)
    async with clients.client(Manner(old)) as used:
        now = 1000.0
        async with clients.client():
            assert not used.is_closed
    now += 299
    async with clients.client(), clients.client(Manner(old)) as again:
        assert again is used
    now += 301
    async with clients.client():
        assert used.is_closed
        assert clients.kept == 1
    await clients.close()
