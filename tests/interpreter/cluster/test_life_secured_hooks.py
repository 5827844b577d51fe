"""Protects rollouts that are steered by servers which want to know who asks: credentials come from a Secret, may change
while a rollout is under way, and may be gone; a server that may not be called is named, with the reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interpreter.addresses import Addresses
from interpreter.objects import Manifest
from tests.interpreter.cluster import hooks as server
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import life
from tests.interpreter.providers.authority import Authority

POLICY = """
    webhook smoke { url "URL/smoke"; secret "caller" }
    gate    go    { url "URL/go"; secret "caller"; timeout 5s }
    rollout web in NAMESPACE {
      target   deployment/web
      service  { port 80; target_port http }
      traffic  istio
      deadline 10m
      steps    { run smoke; shift to 20%; wait for gate go; promote }
      on finished { run smoke }
    }
"""
OURS = Authority("ours")


def secret(authority: Authority = OURS) -> Manifest:
    """As cert-manager writes it."""
    certificate, key = authority.pair("rollway")
    data = {"ca.crt": OURS.certificate, "tls.crt": certificate, "tls.key": key}
    metadata = {"name": "caller"}
    return {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "stringData": data,
        "data": {"keystore.p12": "/////w=="},
    }  # fmt: skip


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Hooks]:
    async with server.hooks(OURS.server(tmp_path, asks=OURS)) as made:
        made.shut.add("go")
        yield made


def policy(hooks: Hooks) -> str:
    return POLICY.replace("URL", hooks.url("").rstrip("/"))


async def test_a_certificate_from_a_secret_that_goes_and_comes_again(
    kubeconfig: str, namespace: str, secured: Hooks
) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_work.apply(secret())
        await at_work.deployment()
        await at_work.rollout(policy(secured))
        await at_work.phase("Initialized")
        await at_work.push("web:2")
        await at_work.until(lambda seen: "waiting for gate `go`: it answered 403: not yet" in seen.get("reason", ""))
        assert [call.body["name"] for call in secured.called("smoke")] == ["web"]

        await at_work.api.delete(at_work.ref("Secret", "caller"))
        gone = f"waiting for gate `go`: there is no Secret `{namespace}/caller`"
        status = await at_work.until(lambda seen: seen.get("reason", "") == gone)
        assert status["weight"] == 20
        secured.open("go")
        assert (await at_work.until(lambda seen: seen.get("reason", "") == gone))["phase"] == "WaitingPromotion"

        await at_work.apply(secret())
        await at_work.phase("Succeeded")
        assert await at_work.image("web-primary") == "web:2"


async def test_a_certificate_that_is_not_theirs_holds_the_rollout_and_says_so(
    kubeconfig: str, namespace: str, secured: Hooks
) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_work.apply(secret())
        await at_work.deployment()
        await at_work.rollout(policy(secured))
        await at_work.phase("Initialized")
        await at_work.push("web:2")
        await at_work.until(lambda seen: "it answered 403" in seen.get("reason", ""))
        await at_work.apply(secret(Authority("theirs")))
        await at_work.until(lambda seen: "TLS" in seen.get("reason", "") or "`tls.crt`" in seen.get("reason", ""))
        assert "PRIVATE KEY" not in await at_work.story()
        secured.open("go")
        await at_work.apply(secret())
        await at_work.phase("Succeeded")


async def test_a_server_that_may_not_be_called_is_named(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """By the operator's defaults: a policy's author finds out why, and whom to ask."""
    await_go = POLICY.replace('; secret "caller"', "").replace("URL", f"http://127.0.0.1:{hooks.port}")
    async with life(kubeconfig, namespace, speed=20, addresses=Addresses()) as at_work:
        await at_work.deployment()
        await at_work.rollout(await_go)
        await at_work.phase("Initialized")
        await at_work.push("web:2")
        status = await at_work.phase("Failed")
        why = f"http://127.0.0.1:{hooks.port}/smoke is not called: 127.0.0.1 is refused: nothing in 127.0.0.0/8 is"
        assert why in status["reason"]
        assert "--allow-addresses 127.0.0.1" in await at_work.happened("WebhookRefused")
        assert hooks.calls == []
