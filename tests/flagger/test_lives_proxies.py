"""Protects the lives of Flagger's own Canaries on Contour and Traefik: what Flagger's tests promise of them."""

from __future__ import annotations

from interpreter.objects import Manifest
from tests.flagger.stage import PHASES_OF_A_PROMOTION, Stage, phases, weights

CONTOUR_ROOT = "e2e/contour/support/test-canary--01-httpproxy-podinfo-ingress.yaml"
CONTOUR_WEIGHTS = "e2e/contour/test-canary--03-canary-podinfo.yaml"
CONTOUR_AB = "e2e/contour/test-canary--04-canary-podinfo.yaml"
TRAEFIK_ROUTE = "e2e/traefik/support/test-canary--01-ingressroute-podinfo.yaml"
TRAEFIK = "legacy/e2e-root/e2e-traefik-tests--01-canary-podinfo.yaml"
SHARES = [0, 10, 20, 30, 40, 50, 0]


def canary_share(proxy: Manifest) -> int:
    (found,) = [one["weight"] for one in proxy["spec"]["routes"][-1]["services"] if one["name"] == "podinfo-canary"]
    return int(found)


def headers(proxy: Manifest) -> list[str]:
    found = [one["header"] for route in proxy["spec"]["routes"] for one in route["conditions"] if "header" in one]
    return [f"{one['name']}={one['exact']}" for one in found]


def chosen(service: Manifest) -> dict[str, int]:
    return {one["name"]: one["weight"] for one in service["spec"]["weighted"]["services"]}


async def test_contour_by_weights(at_work: Stage) -> None:
    await at_work.apply(CONTOUR_ROOT)
    await at_work.begin(CONTOUR_WEIGHTS)
    async with at_work.seeing("HTTPProxy") as seen:
        await at_work.push()
        await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert weights(seen) == SHARES
    assert seen.values("HTTPProxy", "podinfo", canary_share) == SHARES


async def test_contour_ab(at_work: Stage) -> None:
    await at_work.begin(CONTOUR_AB)
    async with at_work.seeing("HTTPProxy") as seen:
        await at_work.push()
        await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert seen.values("HTTPProxy", "podinfo", headers) == [[], ["x-canary=insider"], []]


async def test_traefik(at_work: Stage) -> None:
    """At a weight of 0 the canary does not stand in the choice."""
    await at_work.apply(TRAEFIK_ROUTE)
    await at_work.begin(TRAEFIK)
    async with at_work.seeing("TraefikService") as seen:
        await at_work.push()
        await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    told = seen.values("TraefikService", "podinfo", chosen)
    assert [one.get("podinfo-canary", 0) for one in told] == weights(seen)
    assert told[0] == told[-1] == {"podinfo-primary": 100}
    assert len(told) > 3
