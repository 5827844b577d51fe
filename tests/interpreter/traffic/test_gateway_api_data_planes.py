"""Protects that real implementations of the Gateway API do with a rendered HTTPRoute what the routing says: Traefik,
and Contour with its Envoy. They read a real API server, accept the route there, and are asked.

Where they differ, `docs/reference/traffic/gateway-api.md` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from dsl.ir import RouteOp, Traffic
from interpreter.desired import Routing
from interpreter.objects import Delete, Manifest
from interpreter.routing import HOME
from interpreter.traffic.gateway_api import GatewayApi
from interpreter.traffic.gateway_api_crd import GROUP
from interpreter.traffic.provider import TrafficError, refs_of
from tests.contour import server as contour
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.traffic import behaviour
from tests.interpreter.traffic.rigs import manifest, site
from tests.interpreter.traffic.shop import (
    CANARY,
    ELSEWHERE,
    HOST,
    PORT,
    PRIMARY,
    READS_SERVICES,
    SESSION,
    TIME,
    Shop,
    Watched,
    define,
    servers,
    until,
)
from tests.interpreter.traffic.situations import HEADER, weight
from tests.traefik import server as traefik

pytestmark = pytest.mark.data_plane("gateway_api")

API = f"{GROUP}/v1"
GATEWAY = contour.GATEWAY
MORE_KINDS = {"BackendTLSPolicy": "backendtlspolicies", "TLSRoute": "tlsroutes"}
"""Kinds that a Traefik wants to be served, whether there are any or not."""
CONTROLLERS = {"traefik": "traefik.io/gateway-controller", "contour": "projectcontour.io/gateway-controller"}
READS = (
    {"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get", "list", "watch", "update", "patch"]},
    {"apiGroups": ["projectcontour.io", "networking.k8s.io"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]},
    READS_SERVICES,
)


class GatewayShop(Shop):
    """`name` is that of the implementation."""

    name = ""

    def last_route(self, name: str) -> tuple[Sequence[Manifest], str, str]:
        host = f"{name}.example.com"
        return [route(self.place.namespace, name, host, "/", TIME)], host, "/"


def route(namespace: str, name: str, host: str, prefix: str, service: str) -> Manifest:
    spec = {
        "parentRefs": [{"name": GATEWAY}],
        "hostnames": [host],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
                "backendRefs": [{"name": service, "port": PORT}],
            }
        ],
    }
    return manifest(namespace, API, "HTTPRoute", name, spec)


@pytest.fixture(scope="module", params=CONTROLLERS)
def shop(
    request: pytest.FixtureRequest, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayShop]:
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    control_plane.install_crds("gateway-api", "contour")
    define(control_plane, API, MORE_KINDS)
    define(control_plane, "projectcontour.io/v1", contour.MORE_KINDS)
    namespace = control_plane.make_namespace()
    cluster = Watched(control_plane.api)
    kubeconfig = control_plane.as_service_account(namespace, name, (), READS)
    with ExitStack() as stack:
        backends = stack.enter_context(servers(cluster, namespace))
        url, gateway_port = stack.enter_context(_data_plane(name, folder, kubeconfig, namespace))
        cluster.make(_class(namespace, CONTROLLERS[name]))
        cluster.make(_gateway(namespace, gateway_port))
        stack.callback(control_plane.api.delete, f"/apis/{API}/gatewayclasses/{namespace}")
        options = {"gateway_refs": [{"name": GATEWAY}], "hosts": [HOST]}
        place = site(namespace, "gateway_api", options, session=SESSION)
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=10))
        made = GatewayShop(GatewayApi(), url, cluster, place, backends, client)
        made.name = name
        cluster.make(route(namespace, "another", HOST, "/other", ELSEWHERE))
        yield made
    control_plane.drop_namespace(namespace)


@contextmanager
def _data_plane(name: str, folder: Path, kubeconfig: Path, namespace: str) -> Iterator[tuple[str, int]]:
    """Where it listens, and the port that the Gateway is to have."""
    if name == "traefik":
        with traefik.running(folder, kubeconfig, namespace, "kubernetesgateway") as plane:
            yield plane.url, int(plane.url.rpartition(":")[2])
    else:
        with contour.running(folder, kubeconfig, namespace, gateway=True) as envoy:
            yield envoy.url, envoy.gateway_port


def _class(name: str, controller: str) -> Manifest:
    made = manifest("", API, "GatewayClass", name, {"controllerName": controller})
    del made["metadata"]["namespace"]
    return made


def _gateway(namespace: str, port: int) -> Manifest:
    listener = {"name": "http", "protocol": "HTTP", "port": port}
    return manifest(namespace, API, "Gateway", GATEWAY, {"gatewayClassName": namespace, "listeners": [listener]})


def test_the_route_is_accepted(shop: GatewayShop) -> None:
    shop.route(Routing(10.0, matches=behaviour.EVERY_MATCH, sticky=behaviour.BOTH_ARMS))
    (ref,) = shop.provider.refs(shop.place)

    def accepted() -> bool:
        live = shop.cluster.objects([ref])[ref]
        (parent,) = (live.get("status") or {}).get("parents") or [{}]
        said = [one for one in parent.get("conditions") or () if one["type"] == "Accepted"]
        wanted = "True", live["metadata"]["generation"]
        return [(one["status"], one["observedGeneration"]) for one in said] == [wanted]

    until(accepted)
    assert GatewayApi().trouble(shop.place, shop.cluster.objects([ref])) is None


def test_a_gateway_that_takes_no_such_route_says_so(shop: GatewayShop) -> None:
    """One that has no listener of the name that the route asks for."""
    refs = [{"name": GATEWAY, "sectionName": "nowhere"}]
    program = replace(shop.place.program, traffic=Traffic("gateway_api", {"gateway_refs": refs, "hosts": [HOST]}))
    place = replace(shop.place, program=program, apex=PRIMARY)
    (ref,) = shop.provider.refs(place)
    shop.cluster.do(shop.provider.render(place, HOME, {}))
    try:
        until(lambda: GatewayApi().trouble(place, shop.cluster.objects([ref])) is not None)
        assert "NoMatchingParent" in str(GatewayApi().trouble(place, shop.cluster.objects([ref])))
    finally:
        shop.cluster.do([Delete(ref)])


@pytest.mark.parametrize("share", [30.0, 100.0])
def test_what_the_implementation_cannot_do_is_refused_by_what_it_says_of_itself(
    shop: GatewayShop, share: float
) -> None:
    """Traefik publishes what it can do, without mirrors; of Contour, which publishes nothing, it is known."""
    place = replace(shop.place, program=replace(shop.place.program, code=(RouteOp(mirror=share),)))
    refs = refs_of(shop.provider, place, shop.cluster.objects)
    assert [ref.kind for ref in refs if ref.kind.startswith("Gateway")] == ["Gateway", "GatewayClass"]
    if shop.name == "traefik":
        until(lambda: "status" in shop.cluster.objects(refs)[refs[-1]])
    existing = shop.cluster.objects(refs)
    assert bool(existing[refs[-1]].get("status", {}).get("supportedFeatures")) is (shop.name == "traefik")
    words = {("traefik", 30.0): "does not name", ("traefik", 100.0): "does not name", ("contour", 30.0): "is known"}
    if (shop.name, share) in words:
        with pytest.raises(TrafficError, match=words[shop.name, share]):
            shop.provider.render(place, Routing(mirror=share), existing)
    else:
        assert shop.provider.render(place, Routing(mirror=share), existing)


def test_weights(shop: GatewayShop) -> None:
    behaviour.splits_by_weight(shop)


def test_other_routes(shop: GatewayShop) -> None:
    behaviour.leaves_other_routes_alone(shop)


@pytest.mark.parametrize("kind", ["header", "cookie", "query"])
def test_matches(shop: GatewayShop, kind: str) -> None:
    behaviour.matches(shop, kind)


def test_alternatives_conjunctions_and_weights(shop: GatewayShop) -> None:
    behaviour.alternatives_conjunctions_and_weights(shop)


def test_clients_stay_with_the_arm_that_answered_them(shop: GatewayShop) -> None:
    behaviour.clients_stay(shop, own_cookie_is_kept=True)


@pytest.mark.parametrize("shop", ["contour"], indirect=True)
@pytest.mark.parametrize("share", [0.0, 50.0])
def test_a_mirror(shop: GatewayShop, share: float) -> None:
    behaviour.mirrors(shop, share, 100.0, copied=behaviour.ALL)


def test_what_becomes_of_a_mirror_where_it_is_not_known(shop: GatewayShop) -> None:
    """Traefik answers for the whole rule itself; Contour copies everything, whatever the share."""
    shop.route(Routing(mirror=30.0))
    before = shop.asked(CANARY)
    statuses = {shop.get().status_code for _ in range(40)}
    sent = behaviour.settled(shop, before) - before
    assert (statuses, sent) == {"traefik": ({500}, 0), "contour": ({200}, 40)}[shop.name]
    shop.route(HOME)
    assert shop.answers(20) == {PRIMARY: 20}


def test_a_baseline(shop: GatewayShop) -> None:
    behaviour.the_baseline_is_asked_as_often_as_the_canary(
        shop, replace(shop.place, baseline=shop.place.baseline_service)
    )


def test_no_request_is_lost_while_weights_change(shop: GatewayShop) -> None:
    behaviour.no_request_is_lost(shop, weight(10), weight(50), weight(100), Routing(50.0, sticky=behaviour.BOTH_ARMS))


def test_a_route_that_the_user_keeps(shop: GatewayShop) -> None:
    """Its rule is split where it leads to the Service, what else it has stays, and all is put back."""
    kept, host = site(shop.place.namespace, "gateway_api", {"route": "kept"}, session=SESSION), "kept.example.com"
    users = route(shop.place.namespace, "kept", host, "/", "podinfo")
    marked = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "X-Kept", "value": "1"}]}}
    users["spec"]["rules"][0]["filters"] = [marked]
    users["spec"]["rules"] += route("", "", host, "/other", ELSEWHERE)["spec"]["rules"]
    shop.cluster.make(users)
    shop.route(Routing(50.0, matches=((HEADER,),)), kept)
    assert shop.answers(60, Host=host).keys() == {PRIMARY, CANARY}
    assert shop.answers(10, Host=host, X_Canary="insider") == {CANARY: 10}
    assert shop.get("/", Host=host, X_Canary="insider").headers["X-Kept"] == "1"
    assert shop.answers(5, "/other", Host=host, X_Canary="insider") == {ELSEWHERE: 5}
    shop.release(kept)
    assert shop.answers(10, Host=host, X_Canary="insider") == {"podinfo": 10}
