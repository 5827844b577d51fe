"""Protects what is special about Kuma: which API is written, the mesh that it needs, and what is told apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dsl.ir import MatchTest
from interpreter.cluster.access import rules
from interpreter.desired import Routing
from interpreter.objects import Delete, Manifest, Ref
from interpreter.routing import HOME
from interpreter.traffic.kuma import API_VERSION, Kuma
from interpreter.traffic.provider import Site, TrafficError
from tests.interpreter.traffic import rigs, rigs_kuma
from tests.interpreter.traffic.mangling import mangled_specs
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.situations import COOKIE, HEADER, QUERY

ROOT = Path(__file__).parents[3]
ROUTE = Ref(API_VERSION, "MeshHTTPRoute", "test", "podinfo")
OLD = Ref(API_VERSION, "TrafficRoute", "", "podinfo.test")


def place(**options: Any) -> Site:
    return rigs.site("test", "kuma", options)


def played(site: Site, routing: Routing, *given: Manifest) -> Pretence:
    cluster = Pretence([rigs_kuma.mesh("default"), *given])
    cluster.do(Kuma().render(site, routing, cluster.objects))
    return cluster


def spec(site: Site, routing: Routing, *given: Manifest) -> Mapping[str, Any]:
    found = played(site, routing, *given).objects
    one: Mapping[str, Any] = found.get(ROUTE, found.get(OLD, {}))["spec"]
    return one


def test_the_mesh_is_the_default_one_and_said_in_both_ways() -> None:
    assert played(place(), HOME).objects[ROUTE]["metadata"]["labels"]["kuma.io/mesh"] == "default"
    assert played(place(api="TrafficRoute"), HOME).objects[OLD]["mesh"] == "default"


@pytest.mark.parametrize(
    ("options", "mode", "words"),
    [
        ({"mesh": "other"}, "Exclusive", "the Mesh `other` does not exist, or cannot be seen from here"),
        ({"mesh": "other", "api": "TrafficRoute"}, "Exclusive", "controller that looks after one namespace"),
        ({}, "Disabled", "has no MeshServices.*TrafficRoute"),
        ({}, "", "has no MeshServices"),
        ({"api": "v2"}, "Exclusive", "write MeshHTTPRoute or TrafficRoute"),
    ],
)
def test_a_mesh_that_will_not_do(options: Mapping[str, Any], mode: str, words: str) -> None:
    cluster = Pretence([rigs_kuma.mesh("default", mode)])
    with pytest.raises(TrafficError, match=words):
        Kuma().render(place(**options), HOME, cluster.objects)


@pytest.mark.parametrize(("ports", "section"), [([], "http"), ([{"name": "web"}], "web"), ([{}], "9898")])
def test_only_the_port_of_the_rollout_is_routed(ports: list[dict[str, str]], section: str) -> None:
    """A route without a section would lead the other ports of the Service to this one."""
    others = [{"name": "metrics", "port": 9797}]
    service = rigs.manifest(
        "test", "v1", "Service", "podinfo", {"ports": [*others, *({"port": 9898, **port} for port in ports)]}
    )
    (to,) = spec(place(), HOME, service)["to"]
    assert to["targetRef"]["sectionName"] == section


def test_a_match_says_more_than_the_rule_that_it_is_taken_from() -> None:
    """That is what Kuma prefers a rule for: more headers, then more query parameters, on the same path."""
    options = {
        "match": [{"uri": {"prefix": "/api"}, "headers": {"x-tenant": {"exact": "a"}}}, {"uri": {"exact": "/b"}}]
    }
    (to,) = spec(place(**options), Routing(20, 0, ((QUERY,), (HEADER, COOKIE))))["to"]
    picked, rest = (rule["matches"] for rule in to["rules"])
    assert len(picked) == 4
    for base in rest:
        same = [match for match in picked if match["path"] == base["path"]]
        assert len(same) == 2
        for match in same:
            counts = [[len(each.get(key, ())) for key in ("headers", "queryParams")] for each in (match, base)]
            assert counts[0] > counts[1]


def test_a_service_of_the_same_name_elsewhere_has_another_traffic_route() -> None:
    here, there = place(api="TrafficRoute"), rigs.site("other", "kuma", {"api": "TrafficRoute"})
    assert not {*Kuma().refs(here)[:1]} & {*Kuma().refs(there)[:1]}


def test_a_traffic_route_has_no_namespace_and_is_removed() -> None:
    site = place(api="TrafficRoute")
    cluster = played(site, Routing(20))
    assert "namespace" not in cluster.objects[OLD]["metadata"]
    assert Kuma().release(site, cluster.objects) == (Delete(OLD),)


def test_what_has_no_namespace_is_granted_by_a_cluster_role() -> None:
    granted = [rule for rule in rules(("kuma",), flagger=False) if rule.group == "kuma.io"]
    assert {resource: rule.cluster for rule in granted for resource in rule.resources} == {
        "meshhttproutes": False,
        "trafficroutes": True,
        "meshes": True,
    }
    assert all("delete" in rule.verbs for rule in granted if rule.resources != ("meshes",))


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ((QUERY,), "has no query"),
        ((HEADER, MatchTest("header", "x-canary", "=~", "b")), "header `x-canary` only once"),
    ],
)
def test_what_a_traffic_route_cannot_test(tests: tuple[MatchTest, ...], words: str) -> None:
    with pytest.raises(TrafficError, match=words):
        spec(place(api="TrafficRoute"), Routing(matches=(tests,)))


def test_a_rule_that_does_more_is_not_what_was_rendered() -> None:
    """Somebody adds a redirect to the rule of the matches: the weights can be read, and the next look repairs it."""
    cluster = played(place(), Routing(20, 50, ((HEADER,),)))
    (to,) = cluster.objects[ROUTE]["spec"]["to"]
    to["rules"][0]["default"]["filters"] = [{"type": "RequestRedirect", "requestRedirect": {"hostname": "b"}}]
    assert Kuma().read(place(), cluster.objects) != Routing(20, 50, ((HEADER,),))
    del cluster.objects[ROUTE]["metadata"]["annotations"]
    seen = Kuma().read(place(), cluster.objects)
    assert seen is not None
    assert (seen.weight, seen.mirror, len(seen.matches)) == (20, 50, 1)


@pytest.mark.parametrize("api", ["MeshHTTPRoute", "TrafficRoute"])
def test_whatever_is_done_to_a_route_can_be_read(api: str) -> None:
    site = place(api=api)
    cluster = played(site, Routing(20, 0, ((HEADER,),)))
    route = Kuma().refs(site)[0]
    for noted in (True, False):
        if not noted:
            del cluster.objects[route]["metadata"]["annotations"]
        for mangled in mangled_specs(cluster.objects[route]):
            Kuma().read(site, {**cluster.objects, route: mangled})


CLUSTER = re.compile(r'envoy_cluster_name=~"([^"]+)"')


@pytest.mark.parametrize(
    ("cluster", "fits"),
    [
        ("default_web-canary_shop_zone-1_msvc_8080", True),
        ("default_web-canary_shop__msvc_8080", True),
        ("kri_msvc_default_zone-1_shop_web-canary_http", True),
        ("default_web-primary_shop_zone-1_msvc_8080", False),
        ("default_web-canary_other_zone-1_msvc_8080", False),
        ("default_my-web-canary_shop_zone-1_msvc_8080", False),
        ("kri_msvc_default_zone-1_other_web-canary_http", False),
        ("localhost_8080", False),
    ],
)
def test_metrics_of_mesh_services(cluster: str, fits: bool) -> None:
    """What Kuma calls the Envoy cluster of an arm. (MeshService's `DestinationName`, and its resource identifiers.)"""
    text = (ROOT / "stdlib" / "std" / "http.rollout").read_text()
    (kuma,) = {found for found in CLUSTER.findall(text) if "msvc" in found}
    for word, value in (("service", "web"), ("arm", "canary"), ("namespace", "shop")):
        kuma = kuma.replace("{{ " + word + " }}", value)
    assert (re.fullmatch(kuma, cluster) is not None) is fits
