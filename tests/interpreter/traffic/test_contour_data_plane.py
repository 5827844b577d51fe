"""Protects that a real Contour, with its Envoy, does with a rendered HTTPProxy what the routing says. It reads a real
API server, finds the proxy valid, and is asked.

Contour names an unused part of a proxy's tree an orphan: the user's root proxy includes the one that is rendered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from interpreter.desired import Routing
from interpreter.objects import Manifest, Ref
from interpreter.traffic.contour import Contour
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

pytestmark = pytest.mark.data_plane("contour")

API = "projectcontour.io/v1"
READS = (
    {
        "apiGroups": ["projectcontour.io", "networking.k8s.io"],
        "resources": ["*"],
        "verbs": ["get", "list", "watch", "create", "update", "patch"],
    },
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]},
    READS_SERVICES,
)


class ContourShop(Shop):
    def last_route(self, name: str) -> tuple[Sequence[Manifest], str, str]:
        host = f"{name}.example.com"
        routes = [{"conditions": [{"prefix": "/"}], "services": [{"name": TIME, "port": PORT}]}]
        return [_proxy(self.place.namespace, name, virtualhost={"fqdn": host}, routes=routes)], host, "/"


def _proxy(namespace: str, name: str, **spec: Any) -> Manifest:
    return manifest(namespace, API, "HTTPProxy", name, spec)


def users(namespace: str) -> Manifest:
    elsewhere = {"conditions": [{"prefix": "/other"}], "services": [{"name": ELSEWHERE, "port": PORT}]}
    includes = [{"name": "podinfo", "conditions": [{"prefix": "/"}]}]
    return _proxy(namespace, "shop", virtualhost={"fqdn": HOST}, routes=[elsewhere], includes=includes)


@pytest.fixture(scope="module")
def shop(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContourShop]:
    folder = tmp_path_factory.mktemp("contour")
    control_plane.install_crds("contour")
    define(control_plane, API, contour.MORE_KINDS)
    namespace = control_plane.make_namespace()
    cluster = Watched(control_plane.api)
    kubeconfig = control_plane.as_service_account(namespace, "contour", (), READS)
    with ExitStack() as stack:
        backends = stack.enter_context(servers(cluster, namespace))
        envoy = stack.enter_context(contour.running(folder, kubeconfig, namespace))
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=10))
        place = site(namespace, "contour", session=SESSION)
        cluster.make(users(namespace))
        yield ContourShop(Contour(), envoy.url, cluster, place, backends, client)
    control_plane.drop_namespace(namespace)


def test_the_proxy_is_valid(shop: ContourShop) -> None:
    """With all that can be asked for at once."""
    shop.route(Routing(10.0, 30.0, behaviour.EVERY_MATCH, behaviour.BOTH_ARMS))
    (ref, *_) = shop.provider.refs(shop.place)
    until(lambda: _status(shop.cluster.objects([ref]), ref) != "")
    assert _status(shop.cluster.objects([ref]), ref) == "valid"


def _status(objects: Mapping[Ref, Manifest], ref: Ref) -> str:
    found = objects[ref]
    status = found.get("status") or {}
    conditions = [one for one in status.get("conditions") or () if one["type"] == "Valid"]
    fresh = [one for one in conditions if one["observedGeneration"] == found["metadata"]["generation"]]
    return str(status["currentStatus"]) if fresh else ""


def test_weights(shop: ContourShop) -> None:
    behaviour.splits_by_weight(shop)


def test_other_routes(shop: ContourShop) -> None:
    behaviour.leaves_other_routes_alone(shop)


@pytest.mark.parametrize("kind", ["header", "cookie", "query"])
def test_matches(shop: ContourShop, kind: str) -> None:
    behaviour.matches(shop, kind)


def test_alternatives_conjunctions_and_weights(shop: ContourShop) -> None:
    behaviour.alternatives_conjunctions_and_weights(shop)


def test_clients_stay_with_the_arm_that_answered_them(shop: ContourShop) -> None:
    behaviour.clients_stay(shop, own_cookie_is_kept=False)


@pytest.mark.parametrize(("share", "percent"), [(0.0, 100.0), (0.0, 30.0), (50.0, 50.0)])
def test_a_mirror(shop: ContourShop, share: float, percent: float) -> None:
    behaviour.mirrors(shop, share, percent, copied=behaviour.ALL)


def test_a_baseline(shop: ContourShop) -> None:
    baselined = replace(shop.place, baseline=shop.place.baseline_service)
    behaviour.the_baseline_is_asked_as_often_as_the_canary(shop, baselined)


def test_no_request_is_lost_while_weights_change(shop: ContourShop) -> None:
    behaviour.no_request_is_lost(shop, weight(10), weight(50), weight(100), Routing(50.0, sticky=behaviour.BOTH_ARMS))


def test_a_proxy_that_the_user_keeps(shop: ContourShop) -> None:
    """Its route is split where it leads to the Service, what else it has stays, and all is put back."""
    kept, host = site(shop.place.namespace, "contour", {"route": "kept"}, session=SESSION), "kept.example.com"
    marked = {"set": [{"name": "X-Kept", "value": "1"}]}
    routes = [
        {"conditions": [{"prefix": where}], "services": [{"name": name, "port": PORT}], "responseHeadersPolicy": marked}
        for where, name in (("/", "podinfo"), ("/other", ELSEWHERE))
    ]
    shop.cluster.make(_proxy(shop.place.namespace, "kept", virtualhost={"fqdn": host}, routes=routes))
    shop.route(Routing(50.0, matches=((HEADER,),)), kept)
    assert shop.answers(60, Host=host).keys() == {PRIMARY, CANARY}
    assert shop.answers(10, Host=host, X_Canary="insider") == {CANARY: 10}
    assert shop.get("/", Host=host, X_Canary="insider").headers["X-Kept"] == "1"
    assert shop.answers(5, "/other", Host=host, X_Canary="insider") == {ELSEWHERE: 5}
    shop.release(kept)
    assert shop.answers(10, Host=host, X_Canary="insider") == {"podinfo": 10}
