"""Protects the lives of Flagger's own Canaries on Apache APISIX and on Kuma, as they stand in Flagger's tests."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from interpreter.objects import Manifest
from interpreter.traffic.request_shares import percent_of
from tests.controlplane.cluster import ControlPlane
from tests.flagger.stage import PHASES_OF_A_PROMOTION, phases, stage, weights
from tests.flagger.town import Town

APISIX = "e2e/apisix/test-canary--02-canary-podinfo.yaml"
KUMA = "e2e/kuma/test-canary--02-canary-podinfo.yaml"
SHARES = [0, 10, 20, 30, 40, 50, 0]

ROUTE: Manifest = {
    "apiVersion": "apisix.apache.org/v2",
    "kind": "ApisixRoute",
    "metadata": {"name": "podinfo", "namespace": "test"},
    "spec": {
        "http": [
            {
                "name": "podinfo",
                "match": {"hosts": ["app.example.com"], "paths": ["/*"]},
                "backends": [{"serviceName": "podinfo", "servicePort": 80}],
            }
        ]
    },
}
"""As Flagger's tests have it, which make it on the fly."""


def canary_share(route: Manifest) -> float:
    shares = [rule for rule in route["spec"]["http"] if rule["name"].startswith("canary-weight-")]
    return percent_of(shares[0]["match"]["exprs"][0]["value"]) if shares else 0


async def test_apisix(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around) as at_work:
        await at_work.life.apply(ROUTE)
        await at_work.begin(APISIX)
        async with at_work.seeing("ApisixRoute") as seen:
            await at_work.push()
            await at_work.promoted()
        users = await at_work.life.get("ApisixRoute", "podinfo")
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert weights(seen) == SHARES
    assert seen.values("ApisixRoute", "podinfo-podinfo-canary", canary_share) == SHARES
    assert users["spec"] == ROUTE["spec"]


async def test_kuma(cluster: ControlPlane, around: Town) -> None:
    """The route has no namespace, and is called after the Service and its namespace."""

    async def route() -> dict[str, Any]:
        done = await asyncio.to_thread(cluster.kubectl, "get", "trafficroute", "podinfo.test", "-o", "json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    mesh = {"apiVersion": "kuma.io/v1alpha1", "kind": "Mesh", "metadata": {"name": "default"}}
    await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", stdin=json.dumps(mesh))
    async with stage(cluster, around, default_provider="kuma") as at_work:
        await at_work.begin(KUMA)
        async with at_work.seeing() as seen:
            await at_work.push()
            await at_work.promoted()
        made = await route()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert weights(seen) == SHARES
    assert made["mesh"] == "default"
    split = {one["destination"]["kuma.io/service"]: one["weight"] for one in made["spec"]["conf"]["split"]}
    assert split == {"podinfo-primary_test_svc_9898": 100, "podinfo-canary_test_svc_9898": 0}
    await asyncio.to_thread(cluster.kubectl, "delete", "trafficroute", "podinfo.test")
