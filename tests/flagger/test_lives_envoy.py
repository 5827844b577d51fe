"""Protects the lives of Flagger's own Canaries on Gloo and App Mesh: what Flagger's tests promise of them."""

from __future__ import annotations

from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.flagger.stage import PHASES_OF_A_PROMOTION, phases, podinfo, stage, weights
from tests.flagger.town import Town

GLOO_UPSTREAM = "e2e/gloo/support/test-canary--02-upstream-config-upstream.yaml"
GLOO_WEIGHTS = "e2e/gloo/test-canary--03-canary-podinfo.yaml"
GLOO_AB = "e2e/gloo/test-canary--04-canary-podinfo.yaml"
APPMESH = "legacy/artifacts-examples/appmesh-canary--01-canary-podinfo.yaml"
SHARES = [0, 10, 20, 30, 40, 50, 0]


def canary_share(table: Manifest) -> int:
    entries = table["spec"]["routes"][-1]["routeAction"]["multi"]["destinations"]
    (found,) = [one["weight"] for one in entries if "-canaryupstream-" in one["destination"]["upstream"]["name"]]
    return int(found)


def headers(table: Manifest) -> list[str]:
    found = [one for route in table["spec"]["routes"] for each in route.get("matchers", ()) for one in each["headers"]]
    return [f"{one['name']}={one['value']}" for one in found]


async def test_gloo_by_weights(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, default_provider="gloo") as at_work:
        await at_work.apply(GLOO_UPSTREAM)
        await at_work.begin(GLOO_WEIGHTS)
        name = f"{at_work.life.namespace}-podinfo-canaryupstream-80"
        upstream = await at_work.life.get("Upstream", name)
        async with at_work.seeing("RouteTable") as seen:
            await at_work.push()
            await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert seen.values("RouteTable", "podinfo", canary_share) == SHARES
    assert upstream["spec"]["connectionConfig"] == {"connectTimeout": "2s", "maxRequestsPerConnection": 51}
    assert upstream["spec"]["kube"]["serviceName"] == "podinfo-canary"


async def test_gloo_ab(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, default_provider="gloo") as at_work:
        await at_work.begin(GLOO_AB)
        async with at_work.seeing("RouteTable") as seen:
            await at_work.push()
            await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert seen.values("RouteTable", "podinfo", headers) == [[], ["x-canary=insider"], []]


async def test_gloo_goes_back_when_requests_fail(cluster: ControlPlane, around_a_bad_one: Town) -> None:
    async with stage(cluster, around_a_bad_one, default_provider="gloo") as at_work:
        await at_work.begin(GLOO_AB)
        async with at_work.seeing("RouteTable") as seen:
            await at_work.push()
            await at_work.phase("Failed")
    assert seen.values("RouteTable", "podinfo", headers)[-1] == []


def router_share(router: Manifest) -> int:
    (route,) = router["spec"]["routes"]
    targets = route["httpRoute"]["action"]["weightedTargets"]
    return int(next(one["weight"] for one in targets if one["virtualNodeRef"]["name"] == "podinfo-canary"))


async def test_appmesh_by_weights(cluster: ControlPlane, around: Town) -> None:
    """The sample's provider is the retired version; what is written is the one that is served."""
    async with stage(cluster, around) as at_work:
        await at_work.life.apply(podinfo())
        await at_work.canary(APPMESH, analysis__stepWeight=25, autoscalerRef=None)
        await at_work.phase("Initialized")
        async with at_work.seeing("VirtualRouter") as seen:
            await at_work.push()
            await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert weights(seen) == [0, 25, 50, 0]
    assert seen.values("VirtualRouter", "podinfo", router_share) == [0, 25, 50, 0]
