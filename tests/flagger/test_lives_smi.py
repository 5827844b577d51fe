"""Protects the lives of Flagger's own Canaries on SMI: what Flagger's tests had for Open Service Mesh, and the same on
Linkerd, which Flagger's word `linkerd` means by a TrafficSplit."""

from __future__ import annotations

import pytest

from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.flagger.stage import PHASES_OF_A_PROMOTION, phases, podinfo, stage, weights
from tests.flagger.town import Town

STEPS = "legacy/e2e-osm/test-steps--01-canary-podinfo.yaml"
SHARES = [0, 10, 20, 30, 40, 50, 60, 0]


def canary_share(split: Manifest) -> int:
    found: dict[str, int] = {one["service"]: one["weight"] for one in split["spec"]["backends"]}
    return found["podinfo-canary"]


@pytest.mark.parametrize(
    ("provider", "version"), [("osm", "v1alpha2"), ("linkerd", "v1alpha1"), ("smi:v1alpha1", "v1alpha1")]
)
async def test_steps_that_are_listed(cluster: ControlPlane, around: Town, provider: str, version: str) -> None:
    metrics: dict[str, list[object]] = {"analysis__metrics": []} if provider.startswith("smi") else {}
    async with stage(cluster, around) as at_work:
        await at_work.life.apply(podinfo())
        await at_work.canary(STEPS, provider=provider, **metrics)
        await at_work.phase("Initialized")
        async with at_work.seeing("TrafficSplit") as seen:
            await at_work.push()
            await at_work.promoted()
        split = await at_work.life.get("TrafficSplit", "podinfo")
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert weights(seen) == SHARES
    assert seen.values("TrafficSplit", "podinfo", canary_share) == SHARES
    written = {one["apiVersion"] for one in split["metadata"]["managedFields"] if one["manager"].startswith("rollway")}
    assert written == {f"split.smi-spec.io/{version}"}
    assert split["spec"]["service"] == "podinfo"
