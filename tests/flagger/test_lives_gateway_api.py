"""Protects the lives of Flagger's own Canaries on the Gateway API, each applied as it stands in Flagger's docs and
tests. No Gateway is there to accept a route: the metrics of the one that Flagger's tests have are stood for."""

from __future__ import annotations

from typing import Any

from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.flagger.stage import PHASES_OF_A_PROMOTION, Stage, phases, stage, weights
from tests.flagger.town import Town

TEMPLATES = (
    "tutorials/gatewayapi/gatewayapi-progressive-delivery--02-metrictemplate-latency.yaml",
    "tutorials/gatewayapi/gatewayapi-progressive-delivery--03-metrictemplate-error-rate.yaml",
)
WEIGHTS = "e2e/gatewayapi/test-canary--01-canary-podinfo.yaml"
AB = "e2e/gatewayapi/test-ab--01-canary-podinfo.yaml"
AFFINITY = "e2e/gatewayapi/test-session-affinity--01-canary-podinfo.yaml"
MIRRORED = "tutorials/gatewayapi/gatewayapi-progressive-delivery--07-canary-podinfo.yaml"
STEPS = "e2e/linkerd/test-steps--01-canary-podinfo.yaml"
BY_SOURCE = "gatewayapi:v1"
"""What these Canaries leave to `-mesh-provider`."""


def shares(route: Manifest) -> list[dict[str, int]]:
    """Of each rule: who gets how much."""
    return [{one["name"]: one.get("weight", 1) for one in rule["backendRefs"]} for rule in route["spec"]["rules"]]


def canary_share(route: Manifest) -> int:
    return shares(route)[-1].get("podinfo-canary", 0)


async def templates(at_work: Stage) -> None:
    for path in TEMPLATES:
        await at_work.apply(path)


async def test_a_canary_by_weights(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, default_provider=BY_SOURCE) as at_work:
        await templates(at_work)
        await at_work.begin(WEIGHTS)
        async with at_work.seeing("HTTPRoute") as seen:
            await at_work.push()
            await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert weights(seen) == [0, 10, 20, 30, 40, 50, 0]
    assert seen.values("HTTPRoute", "podinfo", canary_share) == [0, 10, 20, 30, 40, 50, 0]
    (route,) = {str(one) for one in seen.values("HTTPRoute", "podinfo", attached)}
    assert route == str((["www.example.com"], [("gateway", "istio-ingress")]))


def attached(route: Manifest) -> tuple[list[str], list[tuple[str, str]]]:
    spec = route["spec"]
    return spec["hostnames"], [(one["name"], one["namespace"]) for one in spec["parentRefs"]]


async def test_steps_that_are_listed(cluster: ControlPlane, around: Town) -> None:
    """Flagger's tests of Linkerd: the route is a Service's. Its metrics are Linkerd's, and left out here."""
    async with stage(cluster, around, default_provider=BY_SOURCE) as at_work:
        await at_work.life.deployment("podinfo", image="podinfo:1")
        await at_work.canary(STEPS, analysis__metrics=[])
        await at_work.phase("Initialized")
        async with at_work.seeing("HTTPRoute") as seen:
            await at_work.push()
            await at_work.promoted()
    assert seen.values("HTTPRoute", "podinfo", canary_share) == [0, 10, 20, 30, 40, 50, 60, 0]
    assert weights(seen) == [0, 10, 20, 30, 40, 50, 60, 0]


async def test_an_ab_test(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, "ab-test", default_provider=BY_SOURCE) as at_work:
        await templates(at_work)
        await at_work.begin(AB)
        async with at_work.seeing("HTTPRoute") as seen:
            await at_work.push()
            await at_work.promoted()
    headers = seen.values("HTTPRoute", "podinfo", lambda one: one["spec"]["rules"][0]["matches"][0].get("headers"))
    assert headers == [None, [{"name": "x-canary", "type": "Exact", "value": "insider"}], None]
    tested = [one for one in seen.values("HTTPRoute", "podinfo", shares) if len(one) == 2]
    assert [(rule.get("podinfo-canary", 0), rule.get("podinfo-primary", 0)) for rule in tested[0]] == [
        (100, 0),
        (0, 100),
    ]
    assert seen.values("Canary", "podinfo", lambda one: one["status"]["iterations"])[:11] == list(range(11))


async def test_session_affinity(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, "sa-test", default_provider=BY_SOURCE) as at_work:
        await templates(at_work)
        await at_work.begin(AFFINITY)
        async with at_work.seeing("HTTPRoute") as seen:
            await at_work.push()
            await at_work.promoted()
    kept = seen.values("HTTPRoute", "podinfo", cookies)
    assert any("canary-flagger-cookie=" in text and "Max-Age=86400" in text for one in kept for text in one)
    assert any("primary-flagger-cookie=" in text and "Max-Age=15" in text for one in kept for text in one)
    assert seen.values("HTTPRoute", "podinfo", canary_share)[-1] == 0
    assert phases(seen) == PHASES_OF_A_PROMOTION


def cookies(route: Manifest) -> list[str]:
    """What a route has browsers keep."""
    filters: list[dict[str, Any]] = [
        one
        for rule in route["spec"]["rules"]
        for holder in (rule, *rule["backendRefs"])
        for one in holder.get("filters", ())
    ]
    modified = [one["responseHeaderModifier"] for one in filters if one["type"] == "ResponseHeaderModifier"]
    return [header["value"] for one in modified for header in (*one.get("add", ()), *one.get("set", ()))]


async def test_blue_green_with_mirrored_traffic(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, default_provider=BY_SOURCE) as at_work:
        at_work.clock.fast = 150.0
        await at_work.begin(MIRRORED)
        async with at_work.seeing("HTTPRoute") as seen:
            await at_work.push()
            await at_work.promoted()
    mirrors = seen.values("HTTPRoute", "podinfo", mirrored_to)
    assert mirrors == [[], ["podinfo-canary"], []]
    assert seen.values("HTTPRoute", "podinfo", canary_share) == [0, 100, 0]
    assert phases(seen) == PHASES_OF_A_PROMOTION


def mirrored_to(route: Manifest) -> list[str]:
    filters = [one for rule in route["spec"]["rules"] for one in rule.get("filters", ())]
    return [one["requestMirror"]["backendRef"]["name"] for one in filters if one["type"] == "RequestMirror"]
