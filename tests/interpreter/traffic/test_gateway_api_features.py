"""Protects that what an implementation of the Gateway API says that it cannot do is refused before it is begun, and
that nothing keeps traffic from being taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from dsl.ir import MatchTest, RouteOp
from interpreter.cluster.rehearsal import refusals
from interpreter.desired import Routing
from interpreter.objects import Manifest, Ref
from interpreter.routing import HOME
from interpreter.traffic.gateway_api import GatewayApi
from interpreter.traffic.linkerd import Linkerd
from interpreter.traffic.provider import Site, TrafficError, refs_of
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, manifest, site
from tests.interpreter.traffic.situations import HEADER, QUERY, matching, weight
from tests.interpreter.traffic.test_on_a_control_plane import Cluster

PROVIDER = GatewayApi()
API = "gateway.networking.k8s.io/v1"
MIRROR, SHARE = "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"
MIRRORING = (RouteOp(mirror=30.0), RouteOp(weight=50.0, mirror=0.0))
TRAEFIK, CONTOUR = "traefik.io/gateway-controller", "projectcontour.io/gateway-controller"
OPTIONS: Mapping[str, Any] = {"gateway_refs": [{"name": "public", "namespace": "infra"}]}


def place(code: tuple[RouteOp, ...] = MIRRORING, **options: Any) -> Site:
    made = site("test", "gateway_api", options or OPTIONS)
    return replace(made, program=replace(made.program, code=code))


def gateway(name: str = "public", namespace: str = "infra", of: str = "some") -> Manifest:
    return manifest(namespace, API, "Gateway", name, {"gatewayClassName": of, "listeners": []})


def gateway_class(
    published: list[Any] | None, name: str = "some", controller: str = "example.com/gateways"
) -> Manifest:
    made: Manifest = {"apiVersion": API, "kind": "GatewayClass", "metadata": {"name": name}}
    made["spec"] = {"controllerName": controller}
    return made if published is None else {**made, "status": {"supportedFeatures": published}}


def names(*features: str) -> list[dict[str, str]]:
    return [{"name": feature} for feature in features]


def refused(where: Site, routing: Routing, *given: Manifest) -> str:
    """The reason; empty if it is rendered."""
    try:
        PROVIDER.render(where, routing, Pretence(given).objects)
    except TrafficError as error:
        return str(error)
    return ""


# --- what a class says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("published", "routing", "words"),
    [
        (names(MIRROR, SHARE), Routing(mirror=30.0), ""),
        (names(MIRROR), Routing(mirror=30.0), f"a mirror of 30%: its GatewayClass `some` does not name `{SHARE}`"),
        (names(MIRROR), Routing(mirror=100.0), ""),
        (names("HTTPRoute"), Routing(mirror=100.0), f"a mirror: its GatewayClass `some` does not name `{MIRROR}`"),
        ([MIRROR], Routing(mirror=100.0), ""),
        ([MIRROR], Routing(mirror=30.0), SHARE),
        (names("HTTPRoute"), matching([QUERY]), "a match on a query parameter"),
        (names("HTTPRoute", "HTTPRouteQueryParamMatching"), matching([QUERY]), ""),
        (names("HTTPRoute"), matching([HEADER]), ""),
        (names("HTTPRoute"), weight(50), ""),
        (names("HTTPRoute"), HOME, ""),
        ([], Routing(mirror=30.0), ""),
        (None, Routing(mirror=30.0), ""),
    ],
)
def test_a_list_that_is_published_decides(published: list[Any] | None, routing: Routing, words: str) -> None:
    said = refused(place(), routing, gateway(), gateway_class(published))
    assert (words in said) if words else not said
    if words:
        assert said.startswith("Gateway `infra/public` cannot have ")


@pytest.mark.parametrize(
    ("controller", "mirror", "words"),
    [
        (TRAEFIK, 100.0, f"GatewayClass `some` is {TRAEFIK}'s, which is known not to do it"),
        (CONTOUR, 100.0, ""),
        (CONTOUR, 30.0, "a mirror of 30%"),
        ("example.com/other", 30.0, ""),
    ],
)
def test_without_a_list_the_controller_decides(controller: str, mirror: float, words: str) -> None:
    said = refused(place(), Routing(mirror=mirror), gateway(), gateway_class(None, controller=controller))
    assert (words in said) if words else not said


def test_a_list_outweighs_what_is_known_of_the_controller() -> None:
    able = gateway_class(names(MIRROR, SHARE), controller=TRAEFIK)
    assert not refused(place(), Routing(mirror=30.0), gateway(), able)


def test_a_grpc_route_is_asked_the_same() -> None:
    where = site("test", "gateway_api", OPTIONS, app_protocol="grpc")
    assert MIRROR in refused(where, Routing(mirror=100.0), gateway(), gateway_class(names("GRPCRoute")))


# --- which classes are asked ----------------------------------------------------------------------------------------


def test_all_gateways_must_be_able() -> None:
    refs = [{"name": "public", "namespace": "infra"}, {"name": "inner"}]
    where = place(gateway_refs=refs)
    given = gateway(), gateway_class(names(MIRROR, SHARE)), gateway("inner", "test", "weak")
    assert not refused(where, Routing(mirror=30.0), *given)
    said = refused(where, Routing(mirror=30.0), *given, gateway_class(names("HTTPRoute"), "weak"))
    assert said.startswith("Gateway `test/inner` cannot have a mirror: its GatewayClass `weak`")


@pytest.mark.parametrize("given", [(), (gateway(),), (gateway_class(names("HTTPRoute")),)])
def test_what_cannot_be_seen_refuses_nothing(given: tuple[Manifest, ...]) -> None:
    """A controller of one namespace sees no classes, and may not see the Gateway."""
    assert not refused(place(), Routing(mirror=30.0), *given)


@pytest.mark.parametrize(
    "parent",
    [
        {"group": "", "kind": "Service", "name": "podinfo"},
        {"group": "core", "kind": "Service", "name": "podinfo"},
        {"group": "gateway.networking.x-k8s.io", "kind": "XListenerSet", "name": "public", "namespace": "infra"},
    ],
)
def test_a_parent_that_is_no_gateway_has_no_class(parent: dict[str, str]) -> None:
    where = place(gateway_refs=[parent])
    cluster = Pretence((gateway(), gateway_class(names("HTTPRoute"))))
    assert refs_of(PROVIDER, where, lambda _: cluster.objects) == PROVIDER.refs(where)
    assert PROVIDER.render(where, Routing(mirror=30.0), cluster.objects)


def test_nothing_is_asked_of_linkerd() -> None:
    where = site("test", "linkerd", {})
    where = replace(where, program=replace(where.program, code=MIRRORING))
    assert refs_of(Linkerd(), where, lambda _: {}) == Linkerd().refs(where)


def test_the_users_route_names_the_gateways() -> None:
    rig = RIGS["gateway_api-users-route"]("test")
    where = replace(rig.site, program=replace(rig.site.program, code=MIRRORING))
    (parent,) = rig.given[0]["spec"]["parentRefs"]
    there = gateway(parent["name"], parent.get("namespace", "test"))
    cluster = Pretence((*rig.given, there, gateway_class(names("HTTPRoute"))))
    look = {ref.kind: ref for ref in refs_of(PROVIDER, where, lambda _: cluster.objects)}
    assert look["GatewayClass"] == Ref(API, "GatewayClass", "", "some")
    with pytest.raises(TrafficError, match=MIRROR):
        PROVIDER.render(where, Routing(mirror=30.0), cluster.objects)
    assert PROVIDER.render(where, weight(50), cluster.objects)


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ((), False),
        ((RouteOp(weight=50.0), RouteOp(matches=((HEADER,),))), False),
        ((RouteOp(mirror=100.0),), True),
        ((RouteOp(matches=((HEADER,), (MatchTest("query", "a", "exists"),))),), True),
    ],
)
def test_gateways_are_read_only_if_something_depends_on_them(code: tuple[RouteOp, ...], asked: bool) -> None:
    refs = refs_of(PROVIDER, place(code), lambda _: Pretence((gateway(),)).objects)
    assert (Ref(API, "Gateway", "infra", "public") in refs) is asked
    assert (Ref(API, "GatewayClass", "", "some") in refs) is asked


# --- traffic can always be taken back -------------------------------------------------------------------------------


def test_what_a_route_has_already_is_kept_up_and_taken_back() -> None:
    """The class has come to say less, in the middle of a step that mirrors."""
    able, less = gateway_class(names(MIRROR, SHARE)), gateway_class(names("HTTPRoute"))
    cluster = Pretence((gateway(), able))
    cluster.do(PROVIDER.render(place(), Routing(mirror=30.0), cluster.objects))
    cluster.objects[Ref(API, "GatewayClass", "", "some")] = less
    for routing in (Routing(mirror=30.0), Routing(50.0, mirror=30.0), HOME):
        cluster.do(PROVIDER.render(place(), routing, cluster.objects))
        assert PROVIDER.read(place(), cluster.objects) == routing
    with pytest.raises(TrafficError, match=MIRROR):
        PROVIDER.render(place(), Routing(mirror=30.0), cluster.objects)


def test_mirrors_of_the_users_own_are_refused_before_the_first_route() -> None:
    where = place((), **OPTIONS, mirror_to=[{"name": "copy"}])
    unable = gateway(), gateway_class(None, controller=TRAEFIK)
    assert "the option `mirror_to`" in refused(where, HOME, *unable)
    cluster = Pretence(())
    cluster.do(PROVIDER.render(where, weight(50), {}))
    cluster.objects.update(Pretence(unable).objects)
    assert PROVIDER.render(where, HOME, cluster.objects)


def test_a_second_mirror_beside_the_users_own() -> None:
    where = place(**OPTIONS, mirror_to=[{"name": "copy"}])
    given = gateway(), gateway_class(names(MIRROR, SHARE))
    assert not refused(where, HOME, *given)
    assert "more than one mirror" in refused(where, Routing(mirror=30.0), *given)


# --- as the controller has it ---------------------------------------------------------------------------------------


def test_the_rehearsal_names_the_step() -> None:
    said = refusals(PROVIDER, place(), Pretence((gateway(), gateway_class(names(MIRROR)))).objects)
    assert [one.partition(":")[0] for one in said] == ["step 1"]
    assert "a mirror of 30%" in said[0]


@pytest.mark.parametrize("published", [names("HTTPRoute", MIRROR), names("HTTPRoute", MIRROR, SHARE)])
def test_on_a_control_plane(control_plane: ControlPlane, namespace: str, published: list[Any]) -> None:
    """The definitions keep the list, and it is found from the route on."""
    control_plane.install_crds("gateway-api")
    cluster = Cluster(control_plane.api)
    path = f"/apis/{API}/gatewayclasses"
    cluster.make(gateway_class(None, namespace))
    try:
        made = control_plane.api.get(f"{path}/{namespace}")
        control_plane.api.call(
            "PUT", f"{path}/{namespace}/status", {**made, "status": {"supportedFeatures": published}}
        )
        there = gateway("public", namespace, namespace)
        there["spec"]["listeners"] = [{"name": "http", "protocol": "HTTP", "port": 80}]
        cluster.make(there)
        where = site(namespace, "gateway_api", {"gateway_refs": [{"name": "public"}]})
        where = replace(where, program=replace(where.program, code=MIRRORING))
        existing = cluster.objects(refs_of(PROVIDER, where, cluster.objects))
        assert bool(refusals(PROVIDER, where, existing)) is (len(published) == 2)
    finally:
        control_plane.api.delete(f"{path}/{namespace}")
