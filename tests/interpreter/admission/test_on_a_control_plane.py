"""Protects the webhook before a real API server: who is refused, in what words, and that the certificate is renewed
under its eyes."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from interpreter.admission.certificates import LIFE
from interpreter.admission.keeper import CONFIGURATION, SECRET, KeptCertificate, NoCertificate, SecretKeeper
from interpreter.admission.service import AdmissionService, AdmissionSettings
from interpreter.cluster.api import Api
from interpreter.cluster.connection import connect
from interpreter.cluster.errors import ApiError
from interpreter.cluster.manifests import Installation, documents
from interpreter.objects import Manifest, Ref
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.admission.test_judging import GOOD, STEEP

OURS = "rollway.dev/v1alpha1"
SYSTEM = "rollway-system"


class Stage:
    """An API server that asks us."""

    def __init__(self, api: Api, service: AdmissionService) -> None:
        self.api = api
        self.service = service

    async def apply(self, kind: str, spec: dict[str, Any], name: str = "web") -> Manifest:
        metadata = {"name": name, **({} if kind.startswith("Cluster") else {"namespace": "shop"})}
        return await self.api.apply({"apiVersion": OURS, "kind": kind, "metadata": metadata, "spec": spec})

    async def refused(self, kind: str, spec: dict[str, Any]) -> str:
        with pytest.raises(ApiError) as refusal:
            await self.apply(kind, spec)
        return str(refusal.value)


@pytest.fixture
async def stage(bare_api_server: ControlPlane) -> AsyncIterator[Stage]:
    """Installed as `rollway install --admission closed` says, and served as the controller's own account; the API
    server reaches us by an address, there being no Service that leads out of a cluster without nodes."""
    bare_api_server.install_crds("rollway")
    bare_api_server.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    wanted = Installation("rollway:1", SYSTEM, admission="closed")
    installed = [each for text in documents(wanted) for each in yaml.safe_load_all(text)]
    async with await connect(str(bare_api_server.kubeconfig), None) as api:
        for manifest in installed:
            if manifest["kind"] not in ("Deployment", "ValidatingWebhookConfiguration"):
                await api.apply(manifest)
        account = bare_api_server.kubeconfig_of(SYSTEM, "rollway-controller")
        async with await connect(str(account), None) as own:
            service = AdmissionService(own, AdmissionSettings("127.0.0.1", 0, SYSTEM, ("127.0.0.1",)))
            port = await service.start()
            try:
                for manifest in installed:
                    if manifest["kind"] == "ValidatingWebhookConfiguration":
                        await api.create(by_address(manifest, port))
                assert service.kept is not None
                await service.kept.look()  # as it does by itself, half a minute later
                yield Stage(api, service)
            finally:
                await service.aclose()


def by_address(configuration: Manifest, port: int) -> Manifest:
    for hook in configuration["webhooks"]:
        hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}/validate"}
    return configuration


async def test_what_is_refused_and_what_is_not(stage: Stage) -> None:
    assert (await stage.apply("Rollout", {"source": GOOD}))["spec"]["source"] == GOOD
    said = await stage.refused("Rollout", {"source": GOOD.replace("istio", "istoi")})
    assert "web.rollout:5:" in said
    assert "istoi" in said
    await stage.apply("ClusterRolloutLibrary", {"source": STEEP}, "org")
    await stage.api.patch(Ref(OURS, "Rollout", "shop", "web"), {"metadata": {"annotations": {"a": "b"}}})

    async def bound() -> bool:
        try:
            await stage.apply("Rollout", {"source": GOOD.replace("5m", "6m")})
        except ApiError as refusal:
            return "too early" in str(refusal)
        return False

    for _ in range(100):
        if await bound():
            break
    else:
        pytest.fail("the guardrail binds nobody")


async def test_two_replicas_share_one_certificate(stage: Stage) -> None:
    keepers = [SecretKeeper(stage.api, SYSTEM, ("127.0.0.1",)) for _ in range(2)]
    first, second = [await keeper.pair() for keeper in keepers]
    assert first == second


async def test_the_certificate_is_renewed_under_the_api_servers_eyes(stage: Stage) -> None:
    certified = stage.service.kept
    assert certified is not None
    before = certified._served
    later = datetime.now(UTC) + LIFE - timedelta(days=30)
    made = await SecretKeeper(stage.api, SYSTEM, ("127.0.0.1",), now=lambda: later).pair()
    assert before is not None
    assert made != before
    await stage.apply("Rollout", {"source": GOOD})  # with the old certificate, while the new one is trusted already
    await certified.look()
    assert certified._served == made
    await stage.apply("Rollout", {"source": GOOD.replace("5m", "6m")})


async def test_a_secret_that_somebody_spoilt_is_made_anew(stage: Stage) -> None:
    nonsense = base64.b64encode(b"nonsense").decode()
    await stage.api.patch(Ref("v1", "Secret", SYSTEM, SECRET), {"data": {"tls.crt": nonsense}})
    pair = await SecretKeeper(stage.api, SYSTEM, ("127.0.0.1",)).pair()
    assert "BEGIN CERTIFICATE" in pair.certificate


async def test_without_a_configuration_nobody_asks(stage: Stage) -> None:
    await stage.api.delete(Ref("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", CONFIGURATION))
    keeper = SecretKeeper(stage.api, SYSTEM, ("127.0.0.1",))
    with pytest.raises(NoCertificate, match="nobody asks"):
        await keeper.pair()
    certified = KeptCertificate(keeper)
    assert certified.trouble == "there is no certificate yet"
