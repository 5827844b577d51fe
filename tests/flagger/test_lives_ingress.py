"""Protects the lives of Flagger's own Canaries behind an Ingress, each applied as it stands in Flagger's tests."""

from __future__ import annotations

import json

from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.flagger.stage import PHASES_OF_A_PROMOTION, phases, stage, weights
from tests.flagger.town import Town

NGINX_INGRESS = "e2e/nginx/support/test-canary--01-ingress-podinfo.yaml"
NGINX_TEMPLATE = "e2e/nginx/test-canary--02-metrictemplate-latency.yaml"
NGINX_WEIGHTS = "e2e/nginx/test-canary--03-canary-podinfo.yaml"
NGINX_AB = "e2e/nginx/test-canary--04-canary-podinfo.yaml"
NGINX_BAD = "e2e/nginx/test-lifecycle--01-canary-podinfo.yaml"
SKIPPER_INGRESS = "e2e/skipper/support/test-canary--01-ingress-podinfo-ingress.yaml"
SKIPPER = "e2e/skipper/test-canary--02-canary-podinfo.yaml"
NGINX = "nginx.ingress.kubernetes.io/canary"


def weight(ingress: Manifest) -> str | None:
    found: dict[str, str] = ingress["metadata"]["annotations"]
    return found.get(f"{NGINX}-weight")


async def test_nginx_by_weights(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, default_provider="nginx") as at_work:
        await at_work.apply(NGINX_INGRESS)
        await at_work.apply(NGINX_TEMPLATE)
        await at_work.begin(NGINX_WEIGHTS)
        before = (await at_work.life.get("Ingress", "podinfo"))["metadata"]["resourceVersion"]
        async with at_work.seeing("Ingress") as seen:
            await at_work.push()
            await at_work.promoted()
        after = (await at_work.life.get("Ingress", "podinfo"))["metadata"]["resourceVersion"]
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert seen.values("Ingress", "podinfo-canary", weight) == ["0", "20", "40", "0"]
    assert set(seen.values("Ingress", "podinfo-canary", lambda one: one["metadata"]["annotations"][NGINX])) == {"true"}
    (backend,) = seen.values("Ingress", "podinfo-canary", backend_of)
    assert (backend, before) == ("podinfo-canary", after)


def backend_of(ingress: Manifest) -> str:
    return str(ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"])


async def test_nginx_ab(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, default_provider="nginx") as at_work:
        await at_work.apply(NGINX_INGRESS)
        await at_work.apply(NGINX_TEMPLATE)
        await at_work.begin(NGINX_AB)
        async with at_work.seeing("Ingress") as seen:
            await at_work.push()
            await at_work.promoted()
    by_header = seen.values("Ingress", "podinfo-canary", header)
    assert by_header == [(None, None), ("x-user", "insider"), (None, None)]
    assert set(seen.values("Ingress", "podinfo-canary", weight)) <= {"0", None}
    assert phases(seen) == PHASES_OF_A_PROMOTION


def header(ingress: Manifest) -> tuple[str | None, str | None]:
    found: dict[str, str] = ingress["metadata"]["annotations"]
    return found.get(f"{NGINX}-by-header"), found.get(f"{NGINX}-by-header-value")


async def test_nginx_goes_back_when_requests_fail(cluster: ControlPlane, around_a_bad_one: Town) -> None:
    async with stage(cluster, around_a_bad_one, default_provider="nginx") as at_work:
        await at_work.apply(NGINX_INGRESS)
        await at_work.begin(NGINX_BAD)
        async with at_work.seeing("Ingress") as seen:
            await at_work.push()
            status = await at_work.phase("Failed")
        assert (status["failedChecks"], status["canaryWeight"]) == (2, 0)
    assert seen.values("Ingress", "podinfo-canary", weight) == ["0", "20", "0"]


async def test_skipper(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around) as at_work:
        await at_work.apply(SKIPPER_INGRESS)
        await at_work.begin(SKIPPER)
        async with at_work.seeing("Ingress") as seen:
            await at_work.push()
            await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    steps = list(range(10, 101, 10))
    assert weights(seen) == [0, *steps, 0]
    told = seen.values("Ingress", "podinfo-ingress-canary", backend_weights)
    assert [one.get("podinfo-service-canary", 0) for one in told] == [0, *steps, 0]
    predicates = seen.values(
        "Ingress", "podinfo-ingress-canary", lambda one: one["metadata"]["annotations"]["zalando.org/skipper-predicate"]
    )
    assert predicates == ["False()", "Weight(100)", "False()"]


def backend_weights(ingress: Manifest) -> dict[str, int]:
    found: dict[str, int] = json.loads(ingress["metadata"]["annotations"]["zalando.org/backend-weights"])
    return found
