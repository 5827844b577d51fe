"""Protects that a rollout does not begin what its Gateway says that it cannot do, begins once it can, and that a
Gateway that does not take the route is heard.

A GatewayClass has no namespace, so it is a controller of the whole cluster that sees it. That must not meet the
rollouts of other tests: the cluster is this module's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from interpreter.cluster.access import rules
from interpreter.cluster.api import Api
from interpreter.objects import Manifest, Ref
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.plane import running
from tests.interpreter.cluster.life import Life, life

API = "gateway.networking.k8s.io/v1"
MIRROR, SHARE = "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"
NO_GATEWAYS = [
    {"apiGroups": [rule.group], "resources": list(rule.resources), "verbs": list(rule.verbs)}
    for rule in rules(["gateway_api"], flagger=False)
    if not rule.resources[0].startswith("gateway")
]
POLICY = """
    rollout web in NAMESPACE {
      target   deployment/web
      service  { port 80; target_port http }
      traffic  gateway_api { gateway_refs [{ name: "public" }] }
      deadline 2m
      steps    { mirror 30% for 1m; shift to 20%; promote }
    }
"""


def made(kind: str, name: str, spec: dict[str, object]) -> Manifest:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    binaries = Path(control_plane.kubectl_program).parent
    folder = tmp_path_factory.mktemp("gateways")
    with running(binaries, folder / "plane") as layout:
        made = ControlPlane(layout.kubeconfig, folder, str(binaries), binaries=binaries, audit_log=layout.audit_log)
        made.install_crds("rollway", "gateway-api")
        yield made
        made.close()


@asynccontextmanager
async def rollout(plane: ControlPlane, *features: str, sees: str = "all") -> AsyncIterator[Life]:
    """A rollout whose Gateway is of a class with these features. The class has the name of the namespace."""
    namespace = plane.make_namespace()
    async with life(str(plane.kubeconfig), namespace, start=False, speed=20) as at_work:
        listener = {"name": "http", "protocol": "HTTP", "port": 80}
        await at_work.apply(made("GatewayClass", namespace, {"controllerName": "example.com/gateways"}))
        await publishes(at_work, *features)
        await at_work.apply(made("Gateway", "public", {"gatewayClassName": namespace, "listeners": [listener]}))
        account = plane.as_service_account(namespace, "blind", (), NO_GATEWAYS) if sees == "no Gateways" else ""
        await at_work.start(
            flagger=False, kubeconfig=str(account), namespace=namespace if sees == "namespace" else None
        )
        await at_work.deployment()
        await at_work.rollout(POLICY)
        await at_work.phase("Initialized")
        yield at_work


async def says(api: Api, ref: Ref, status: dict[str, object]) -> None:
    """What an implementation would write."""
    await api.patch(ref, {"status": status}, "status")


async def publishes(at_work: Life, *features: str) -> None:
    listed = [{"name": feature} for feature in sorted(features)]
    await says(at_work.api, Ref(API, "GatewayClass", "", at_work.namespace), {"supportedFeatures": listed})


async def test_a_mirror_that_the_gateway_cannot_make_holds_the_start(plane: ControlPlane) -> None:
    async with rollout(plane, "HTTPRoute", MIRROR) as at_work:
        said = await at_work.happened("PolicyRefused", "a mirror of 30%")
        assert f"GatewayClass `{at_work.namespace}` does not name `{SHARE}`" in said
        assert "`mirror 30% for 1m`" in said
        await at_work.push("web:2")
        (ready,) = [one for one in (await at_work.status())["conditions"] if one["type"] == "Ready"]
        assert (ready["status"], ready["reason"]) == ("False", "InvalidPolicy")
        assert (await at_work.status())["phase"] == "Initialized"
        assert await at_work.replicas("web") == 0
        await publishes(at_work, "HTTPRoute", MIRROR, SHARE)
        await at_work.phase("Succeeded")
        assert await at_work.image("web-primary") == "web:2"


@pytest.mark.parametrize("sees", ["namespace", "no Gateways"])
async def test_a_controller_that_may_not_look_asks_nothing(plane: ControlPlane, sees: str) -> None:
    """One of a single namespace sees no class; and one whose role is of an earlier version sees no Gateway."""
    async with rollout(plane, "HTTPRoute", sees=sees) as at_work:
        await at_work.push("web:2")
        await at_work.phase("Succeeded")


async def test_a_route_that_a_gateway_does_not_take_is_told_of_and_holds_nothing(plane: ControlPlane) -> None:
    async with rollout(plane, "HTTPRoute", MIRROR, SHARE) as at_work:
        route = at_work.ref("HTTPRoute", "web")
        condition = {
            "type": "Accepted",
            "status": "False",
            "reason": "NotAllowedByListeners",
            "message": "no listener takes it",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        parent = {"parentRef": {"name": "public"}, "controllerName": "example.com/gateways", "conditions": [condition]}
        await says(at_work.api, route, {"parents": [parent]})
        said = await at_work.happened("RouteNotTaken")
        assert said == f"{route} is not accepted at Gateway `public` (NotAllowedByListeners: no listener takes it)"
        await at_work.push("web:2")
        await at_work.phase("Succeeded")
        assert len(await at_work.events("RouteNotTaken")) == 1
