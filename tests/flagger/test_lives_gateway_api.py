"""Protects the lives of Flagger's own Canaries on the Gateway API, each applied as it stands in Flagger's docs and
tests. No Gateway is there to accept a route: the metrics of the one that Flagger's tests have are stood for."""

from __future__ import annotations

from typing import Any

from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.flagger.stage import PHASES_OF_A_PROMOTION, Stage, phases, sample, stage, weights
from tests.flagger.town import Town

TEMPLATES = (
    "tutorials/gatewayapi/gatewayapi-progressive-delivery--02-metrictemplate-latency.yaml",
    "tutorials/gatewayapi/gatewayapi-progressive-delivery--03-metrictemplate-error-rate.yaml",
)
WEIGHTS = "e2e/gatewayapi/test-canary--01-canary-podinfo.yaml"
AB = "e2e/gatewayapi/test-ab--01-canary-podinfo.yaml"
AFFINITY = "e2e/gatewayapi/test-session-affinity--01-canary-podinfo.yaml"
BLUE_GREEN = "e2e/gatewayapi/test-bg--01-canary-podinfo.yaml"
BAD = "e2e/gatewayapi/test-canary--02-canary-podinfo.yaml"
MIRRORED = "tutorials/gatewayapi/gatewayapi-progressive-delivery--07-canary-podinfo.yaml"
LINKERD = "e2e/linkerd/test-canary--03-canary-podinfo.yaml"
LINKERD_BAD = "e2e/linkerd/test-canary--05-canary-podinfo.yaml"
LINKERD_LATENCY = "e2e/linkerd/test-canary--02-metrictemplate-latency.yaml"
STEPS = "e2e/linkerd/test-steps--01-canary-podinfo.yaml"
BY_SOURCE = "gatewayapi:v1"
BY_LINKERD = "gatewayapi:v1beta1"
"""What these Canaries leave to `-mesh-provider`: at an Istio ingress, and on Linkerd."""
SHARES = [0, 10, 20, 30, 40, 50, 0]


def template(name: str, namespace: str, query: str, address: str) -> Manifest:
    """A MetricTemplate that Flagger's tests have, and its samples here have not."""
    spec = {"provider": {"type": "prometheus", "address": address}, "query": query}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": metadata, "spec": spec}


REQUEST_DURATION = template(
    "request-duration",
    "flagger-system",
    "histogram_quantile(0.99, sum(rate(istio_request_duration_milliseconds_bucket{"
    'destination_workload_namespace="{{ namespace }}", destination_workload="{{ target }}"'
    "}[{{ interval }}])) by (le))",
    "http://prometheus.istio-system:9090",
)
SUCCESS_RATE = template(
    "success-rate",
    "linkerd",
    'sum(rate(response_total{namespace="{{ namespace }}", deployment=~"{{ target }}", classification!="failure", '
    'direction="{{ variables.direction }}"}[{{ interval }}])) / sum(rate(response_total{namespace="{{ namespace }}", '
    'deployment=~"{{ target }}", direction="{{ variables.direction }}"}[{{ interval }}])) * 100',
    "http://prometheus.linkerd-viz:9090",
)


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
    assert weights(seen) == SHARES
    assert seen.values("HTTPRoute", "podinfo", canary_share) == SHARES
    (route,) = {str(one) for one in seen.values("HTTPRoute", "podinfo", attached)}
    assert route == str((["www.example.com"], [("gateway", "istio-ingress")]))


def attached(route: Manifest) -> tuple[list[str], list[tuple[str, str]]]:
    spec = route["spec"]
    return spec["hostnames"], [(one["name"], one["namespace"]) for one in spec["parentRefs"]]


async def test_a_bad_canary_goes_back(cluster: ControlPlane, around_a_bad_one: Town) -> None:
    async with stage(cluster, around_a_bad_one, default_provider=BY_SOURCE) as at_work:
        await templates(at_work)
        await at_work.begin(BAD)
        async with at_work.seeing("HTTPRoute") as seen:
            await at_work.push()
            status = await at_work.phase("Failed")
    assert phases(seen) == ["Initialized", "Progressing", "Failed"]
    assert status["failedChecks"] == sample(BAD)["spec"]["analysis"]["threshold"]
    assert seen.values("HTTPRoute", "podinfo", canary_share) == [0, 10, 0]


async def test_blue_green(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, "bg-test", default_provider=BY_SOURCE) as at_work:
        await at_work.apply_anywhere(REQUEST_DURATION)
        await at_work.begin(BLUE_GREEN)
        async with at_work.seeing("HTTPRoute") as seen:
            await at_work.push()
            await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert seen.values("HTTPRoute", "podinfo", canary_share) == [0, 100, 0]
    assert seen.values("Canary", "podinfo", lambda one: one["status"]["iterations"])[:6] == list(range(6))
    tasks = [task.cmd.split()[0] for task in at_work.town.tasks()]
    assert tasks[0] == "curl"
    assert tasks.count("hey") >= 5


async def test_linkerd_by_weights(cluster: ControlPlane, around: Town) -> None:
    """Flagger's tests of Linkerd: the route is a Service's."""
    async with stage(cluster, around, default_provider=BY_LINKERD) as at_work:
        await at_work.apply_anywhere(SUCCESS_RATE)
        await at_work.begin(LINKERD_LATENCY, LINKERD)
        async with at_work.seeing("HTTPRoute") as seen:
            await at_work.push()
            await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert weights(seen) == SHARES
    assert seen.values("HTTPRoute", "podinfo", canary_share) == SHARES
    assert seen.values("HTTPRoute", "podinfo", parents) == [["Service"]]


def parents(route: Manifest) -> list[str]:
    return [one["kind"] for one in route["spec"]["parentRefs"]]


async def test_linkerd_goes_back_when_requests_fail(cluster: ControlPlane, around_a_bad_one: Town) -> None:
    async with stage(cluster, around_a_bad_one, default_provider=BY_LINKERD) as at_work:
        await at_work.apply_anywhere(SUCCESS_RATE)
        await at_work.begin(LINKERD_LATENCY, LINKERD_BAD)
        async with at_work.seeing("HTTPRoute") as seen:
            await at_work.push()
            status = await at_work.phase("Failed")
    assert phases(seen) == ["Initialized", "Progressing", "Failed"]
    assert status["failedChecks"] == sample(LINKERD_BAD)["spec"]["analysis"]["threshold"]
    assert seen.values("HTTPRoute", "podinfo", canary_share) == [0, 10, 0]


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
