"""Protects that a route without a namespace goes through the controller as any other: it is made, seen, told of when it
changes, put right, and removed; and that two rollouts of one name do not take it from one another."""

from __future__ import annotations

from interpreter.cluster.api import Api
from interpreter.cluster.applier import Applier
from interpreter.cluster.caches import Caches
from interpreter.desired import Routing
from interpreter.objects import Manifest, Objects, Ref
from interpreter.routing import HOME
from interpreter.traffic.kuma import Kuma
from interpreter.traffic.provider import Site
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.tools import config_map, connected, until
from tests.interpreter.traffic import rigs, rigs_kuma


async def seen(caches: Caches, site: Site) -> Objects:
    refs = Kuma().refs(site)
    for ref in refs:
        await caches.ensure(ref.api_version, ref.kind, ref.namespace)
    found = {ref: caches.get(ref) for ref in refs}
    return {ref: manifest for ref, manifest in found.items() if manifest is not None}


async def routed(applier: Applier, caches: Caches, site: Site, routing: Routing) -> int:
    return await applier.all(Kuma().render(site, routing, await seen(caches, site)))


def _applier(api: Api, caches: Caches, owner: Manifest, route: Ref) -> Applier:
    return Applier(api, caches, owner, [(route.kind, route.name)])


async def test_a_traffic_route(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.install_crds("kuma")
    site = rigs.site(namespace, "kuma", {"mesh": f"mesh-of-{namespace}", "api": "TrafficRoute"})
    route = Kuma().refs(site)[0]
    woken: list[str] = []
    async with connected(control_plane.kubeconfig) as api:
        await api.create(rigs_kuma.mesh(f"mesh-of-{namespace}"))
        owner = await api.create(config_map(namespace, "podinfo"))
        caches = Caches(api, api.discovery, on_wake=woken.append)
        try:
            applier = _applier(api, caches, owner, route)
            assert await routed(applier, caches, site, HOME) == 1
            assert await routed(applier, caches, site, HOME) == 0
            caches.watch_for("podinfo", [route])
            live = await api.get(route)
            assert live is not None
            assert "ownerReferences" not in live["metadata"]  # an owner in a namespace would have it collected
            await api.patch(route, {"spec": {"conf": {"split": []}}})
            await until(lambda: bool(woken))
            assert await routed(applier, caches, site, Routing(20)) == 1
            assert Kuma().read(site, await seen(caches, site)) == Routing(20)
            await applier.all(Kuma().release(site, await seen(caches, site)))
            assert await api.get(route) is None
        finally:
            await caches.aclose()
