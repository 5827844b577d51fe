"""Every way to say who we are to a Prometheus; and credentials of ours go nowhere but to their own cloud."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from interpreter.addresses import Addresses
from interpreter.http_client import Clients
from interpreter.providers import amazon, google
from interpreter.providers.http import Http
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble, guarded
from tests.interpreter.providers.wire import Asked, Said, Wire, wired

ONE = Said({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]}})
QUERY = RenderedQuery("sum(up) + 1", at_ms=1_795_413_067_184, window_ms=60_000)


@pytest.fixture
async def server() -> AsyncIterator[Wire]:
    async with wired() as made:
        made.answers = [ONE]
        yield made


async def ask(server: Wire, prometheus: Prometheus | None = None, **secret: str) -> Measurement:
    mine = prometheus or Prometheus()
    try:
        return await guarded(
            mine, QUERY._replace(server=server.url, secret={k.replace("__", "."): v for k, v in secret.items()}),
            first_delay=0.001,
        )  # fmt: skip
    finally:
        if prometheus is None:
            await mine.close()


def service_account(token_url: str) -> str:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "project_id": "acme", "private_key": pem.decode(), "token_uri": token_url}
    return json.dumps({**account, "client_email": "r@acme.test", "private_key_id": "1"})


async def test_the_tenant_is_a_header(server: Wire) -> None:
    await ask(server, tenant="team-a\n", username="u", password="pass-word")
    headers = server.asked[0].headers
    assert headers["x-scope-orgid"] == "team-a"
    assert headers["authorization"].startswith("Basic ")


async def test_infos_are_no_missing_data(server: Wire) -> None:
    server.answers = [Said({**ONE.body, "infos": ["metric might not be a counter"]})]  # type: ignore[dict-item]
    assert await ask(server) == Measurement((Sample({}, 1.0),), ("metric might not be a counter",))


async def test_a_token_of_oauth_is_got_once_and_used(server: Wire) -> None:
    server.by_path = {"/token": Said({"access_token": "got-t0ken", "expires_in": 3600})}
    prometheus = Prometheus()
    given = {"client_id": "me", "client_secret": "hush-hush", "token_url": f"{server.url}/token", "scope": "read"}
    for _ in range(2):
        await ask(server, prometheus, **given)
    await ask(server, prometheus, **{**given, "client_secret": "rotated"})
    await prometheus.close()
    tokens = [asked for asked in server.asked if asked.path == "/token"]
    assert len(tokens) == 2
    assert parse_qs(tokens[0].body.decode()) == {"grant_type": ["client_credentials"], "scope": ["read"]}
    assert tokens[0].headers["authorization"].startswith("Basic ")
    used = [asked.headers["authorization"] for asked in server.asked if asked.path != "/token"]
    assert used == ["Bearer got-t0ken"] * 3


async def test_a_token_that_has_run_out_is_got_anew(server: Wire) -> None:
    server.by_path = {"/token": Said({"access_token": "short", "expires_in": 1e-9})}
    prometheus = Prometheus()
    for _ in range(2):
        await ask(server, prometheus, client_id="me", client_secret="hush-hush", token_url=f"{server.url}/token")
    await prometheus.close()
    assert len(server.asked) == 4


@pytest.mark.parametrize("said", [Said({"error": "invalid_client hush-hush"}, 401), Said({"token": "x"}), Said("<x>")])
async def test_no_token_is_named_without_the_secret(server: Wire, said: Said) -> None:
    server.by_path = {"/token": said}
    with pytest.raises(ProviderError) as caught:
        await ask(server, client_id="me", client_secret="hush-hush", token_url=f"{server.url}/token")
    assert "/token" in str(caught.value)
    assert "hush-hush" not in str(caught.value)
    assert [asked.path for asked in server.asked] == ["/token"]


def signature(asked: Asked, secret: str, region: str) -> str:
    """Signature Version 4, from its description."""
    head = asked.headers["authorization"]
    names = head.split("SignedHeaders=")[1].split(",")[0]
    lines = "".join(f"{name}:{asked.headers[name]}\n" for name in names.split(";"))
    body = hashlib.sha256(asked.body).hexdigest()
    canonical = f"{asked.method}\n{asked.path}\n\n{lines}\n{names}\n{body}"
    moment = asked.headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/aps/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


async def test_a_request_is_signed_with_the_secrets_keys(server: Wire) -> None:
    await ask(
        server, aws_access_key_id="AKIA1", aws_secret_access_key="s3cr3t/key", aws_session_token="sess", region="eu-x-1"
    )
    asked = server.asked[0]
    assert "Credential=AKIA1/" in asked.headers["authorization"]
    assert asked.headers["authorization"].endswith(f"Signature={signature(asked, 's3cr3t/key', 'eu-x-1')}")
    assert asked.headers["x-amz-security-token"] == "sess"


async def test_half_a_pair_of_keys_and_no_region_are_named(server: Wire) -> None:
    with pytest.raises(ProviderError, match="`aws_secret_access_key` is missing"):
        await ask(server, aws_access_key_id="AKIA1", region="eu-x-1")
    with pytest.raises(ProviderError, match="needs a `region`"):
        await ask(server, aws_access_key_id="AKIA1", aws_secret_access_key="s3cr3t/key")
    assert not server.asked


def test_credentials_around_us_are_for_amazons_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOURS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ours")
    amazon.session.cache_clear()
    own = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/query"
    assert "AKIAOURS" in amazon.signed("POST", own, {}, b"", QUERY)["Authorization"]
    assert "/eu-west-1/aps/" in amazon.signed("POST", own, {}, b"", QUERY)["Authorization"]
    for other in (own.replace("https", "http"), own.replace(".com/", ".com.evil.test/"), "https://prometheus.test/"):
        assert not amazon.is_prometheus(other)
        with pytest.raises(ProviderError, match="not Amazon's"):
            amazon.signed("POST", other, {}, b"", QUERY._replace(region="eu-west-1"))
    amazon.session.cache_clear()


async def test_a_service_accounts_key_gets_a_token_once(server: Wire) -> None:
    server.by_path = {"/token": Said({"access_token": "ya29.g00gle", "expires_in": 3600})}
    key, prometheus = service_account(f"{server.url}/token"), Prometheus()
    for _ in range(2):
        await ask(server, prometheus, serviceAccountKey=key)
    await prometheus.close()
    assert [asked.path for asked in server.asked] == ["/token", "/api/v1/query", "/api/v1/query"]
    assert server.asked[1].headers["authorization"] == "Bearer ya29.g00gle"


@pytest.mark.parametrize("key", ["{}", "no json", '{"type":"external_account","credential_source":{"executable":{}}}',
                                 '{"type":"service_account"}'])  # fmt: skip
async def test_only_the_key_of_a_service_account_is_taken(server: Wire, key: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await ask(server, serviceAccountKey=key)
    assert caught.value.trouble is Trouble.AUTH
    assert not server.asked


async def test_a_key_gets_its_token_nowhere_that_is_refused(server: Wire) -> None:
    prometheus = Prometheus(http=Http(Clients(Addresses())))
    with pytest.raises(ProviderError, match=r"is not asked: .* nothing in 127\.0\.0\.0/8 is connected to"):
        await ask(server, prometheus, serviceAccountKey=service_account(f"{server.url}/token"))
    await prometheus.close()
    assert not server.asked


async def test_a_refused_key_is_named_without_it(server: Wire) -> None:
    server.by_path = {"/token": Said({"error": "invalid_grant", "error_description": "no"}, 400)}
    with pytest.raises(ProviderError, match="gives no token") as caught:
        await ask(server, serviceAccountKey=service_account(f"{server.url}/token"))
    assert caught.value.trouble is Trouble.AUTH


async def test_google_tokens_around_us_are_for_googles_addresses() -> None:
    tokens = google.Tokens(Http())
    for other in ("http://monitoring.googleapis.com", "https://monitoring.googleapis.com.evil.test", "https://p.test"):
        with pytest.raises(ProviderError, match="not Google's"):
            await tokens.headers({}, other)
    tokens.close()


def certificates(folder: Path) -> dict[str, str]:
    """An authority, and a pair for 127.0.0.1 that it signed."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=ca")
    openssl("req", *new, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=x")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(
        "x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tls.crt",
        "-days", "2", "-extfile", "ext",
    )  # fmt: skip
    return {name: (folder / name).read_text() for name in ("ca.crt", "tls.crt", "tls.key")}


async def test_certificates_of_the_secret_secure_the_connection(tmp_path: Path) -> None:
    given = certificates(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.crt"))
    tls.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    prometheus = Prometheus()
    async with wired(tls) as server:
        server.answers = [ONE]
        for secret in ({}, {"ca__crt": given["ca.crt"]}):
            with pytest.raises(ProviderError, match=r"is not trusted: self-signed|could not be asked"):
                await ask(server, prometheus, **secret)
        whole = {name.replace(".", "__"): text for name, text in given.items()}
        assert (await ask(server, prometheus, **whole)).samples[0].value == 1.0
        with pytest.raises(ProviderError, match=r"only one of `tls\.crt` and `tls\.key`"):
            await ask(server, prometheus, tls__crt=given["tls.crt"])
        with pytest.raises(ProviderError, match="no certificate and its key") as caught:
            await ask(server, prometheus, tls__crt=given["tls.crt"], tls__key="PRIVATE")
        assert "PRIVATE" not in str(caught.value)
        with pytest.raises(ProviderError, match=r"`ca\.crt` of the Secret"):
            await ask(server, prometheus, ca__crt="nothing")
    await prometheus.close()
