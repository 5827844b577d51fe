"""Protects what is special about App Mesh: one match a route, weights in whole percents, what AWS' controller owns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Apply, Delete, Edit, Manifest, Ref
from interpreter.routing import HOME
from interpreter.traffic.appmesh import API_VERSION, AppMesh
from interpreter.traffic.appmesh_routes import MOST_ROUTES
from interpreter.traffic.provider import Site, TrafficError
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import manifest, site, with_baseline
from tests.interpreter.traffic.rigs_appmesh import RIGS
from tests.interpreter.traffic.situations import COOKIE, HEADER, QUERY, matching, weight

PLACE = site("test", "appmesh")
ROUTER = Ref(API_VERSION, "VirtualRouter", "test", "podinfo")


def made(place: Site, routing: Routing = HOME) -> dict[tuple[str, str], Manifest]:
    changes = [each.manifest for each in AppMesh().render(place, routing, {}) if isinstance(each, Apply)]
    return {(each["kind"], each["metadata"]["name"]): each for each in changes}


def routes(routing: Routing, options: dict[str, Any] | None = None, protocol: str | None = None) -> list[Any]:
    place = site("test", "appmesh", options, app_protocol=protocol)
    return list(made(place, routing)["VirtualRouter", "podinfo"]["spec"]["routes"])


def test_matches_come_first_and_change_no_other_route() -> None:
    plain, matched = routes(weight(20)), routes(replace(matching([HEADER], [QUERY]), weight=20.0))
    assert matched[2:] == plain
    priorities = [route["priority"] for route in matched]
    assert priorities == sorted(set(priorities))
    assert priorities[-1] < 1000


def test_several_cookies_are_a_route_for_each_order() -> None:
    """All in one expression would be longer than a test may be."""
    other = MatchTest("cookie", "tenant", "^=", "acme")
    found = [
        route["httpRoute"]["match"]["headers"] for route in routes(matching([COOKIE, other])) if route["priority"] < 500
    ]
    patterns = [test["match"]["regex"] for (test,) in found]
    for header, fits in (
        ("group=always; tenant=acme-1", True),
        ("tenant=acme-1; a=b; group=always", True),
        ("group=always", False),
        ("group=always; tenant=other", False),
    ):
        assert any(re2.fullmatch(pattern, header) for pattern in patterns) is fits


@pytest.mark.parametrize(
    ("test", "value"),
    [
        (MatchTest("header", "x", "exists"), None),
        (MatchTest("header", "x", "==", "1"), {"exact": "1"}),
        (MatchTest("header", "x", "==", ""), {"regex": "^$"}),
        (MatchTest("header", "x", "^=", "a."), {"prefix": "a."}),
        (MatchTest("header", "x", "=~", "b"), {"regex": "^.*(?:b).*$"}),
    ],
)
def test_operators(test: MatchTest, value: dict[str, str] | None) -> None:
    (found,) = routes(matching([test]))[0]["httpRoute"]["match"]["headers"]
    assert found == ({"name": "x"} if value is None else {"name": "x", "match": value})


def test_names_of_queries_differ_by_case_and_those_of_headers_do_not() -> None:
    tests = [MatchTest("query", "A", "==", "1"), MatchTest("query", "a", "==", "2")]
    assert len(routes(matching(tests))[0]["httpRoute"]["match"]["queryParameters"]) == 2
    with pytest.raises(TrafficError, match="only once in a route"):
        routes(matching([MatchTest("header", "A", "==", "1"), MatchTest("header", "a", "==", "2")]))


def test_a_test_of_the_service_holds_together_with_the_canarys() -> None:
    match = [{"headers": {"x-canary": {"exact": "other"}}}]
    with pytest.raises(TrafficError, match="only once in a route"):
        routes(matching([HEADER]), {"match": match})


@pytest.mark.parametrize(
    ("routing", "options", "protocol", "why"),
    [
        (matching([MatchTest("header", "x", "==", "a" * 256)]), {}, None, "too long for App Mesh"),
        (matching([MatchTest("header", "x" * 51, "exists")]), {}, None, "too long for App Mesh"),
        (matching([QUERY]), {}, "grpc", "no query"),
        (matching([HEADER]), {}, "tcp", "only weights"),
        (HOME, {"match": [{"uri": {"prefix": "/"}}]}, "tcp", "tcp connections"),
        (HOME, {"retries": {"attempts": 1}}, "tcp", "not tried again"),
        (HOME, {}, "https", "no listeners for the protocol `https`"),
        (HOME, {"match": [{"uri": {"suffix": "/a"}}]}, None, "exact, prefix, regex"),
        (HOME, {"match": [{"method": {"exact": "FETCH"}}]}, None, "the method `FETCH`"),
        (HOME, {"match": [{"sourceLabels": {"a": "b"}}]}, None, "`sourceLabels`"),
        (HOME, {"match": [{"uri": {"exact": "/only"}}]}, "grpc", "not a gRPC service or method"),
        (HOME, {"retries": {"retry_on": "sometimes"}}, None, "`sometimes`; App Mesh knows client-error"),
        (HOME, {"api": "v1beta1"}, None, "since Kubernetes 1.22"),
    ],
)
def test_what_cannot_be_had(routing: Routing, options: dict[str, Any], protocol: str | None, why: str) -> None:
    with pytest.raises(TrafficError, match=why):
        routes(routing, options, protocol)


def test_more_routes_than_a_router_holds() -> None:
    entries = [{"uri": {"prefix": f"/{number}"}} for number in range(MOST_ROUTES // 2 + 1)]
    assert routes(HOME, {"match": entries})
    with pytest.raises(TrafficError, match=f"a VirtualRouter holds {MOST_ROUTES}"):
        routes(matching([HEADER]), {"match": entries})


def test_retries_in_envoys_words() -> None:
    (route,) = routes(HOME, {"retries": {"attempts": 2, "retry_on": "5xx, reset,connect-failure"}})
    assert route["httpRoute"]["retryPolicy"] == {
        "maxRetries": 2,
        "perRetryTimeout": {"unit": "ms", "value": 15_000},
        "httpRetryEvents": ["server-error", "stream-error"],
        "tcpRetryEvents": ["connection-error"],
    }


def test_a_long_timeout_is_the_listeners_too() -> None:
    """A proxy that answers cuts a request off after 15 s, whatever the route says."""
    place = site("test", "appmesh", {"timeout": "35s"}, app_protocol="grpc")
    (listener,) = made(place)["VirtualNode", "podinfo-canary"]["spec"]["listeners"]
    assert listener["timeout"] == {"grpc": {"perRequest": {"unit": "ms", "value": 35_000}}}


@pytest.mark.parametrize(("target", "port"), [(8080, 8080), ("http", 9898), (None, 9898)])
def test_listeners_are_on_the_containers_port(target: int | str | None, port: int) -> None:
    program = replace(PLACE.program, service=replace(PLACE.program.service, target_port=target, port_name="grpc-web"))
    (listener,) = made(replace(PLACE, program=program))["VirtualNode", "podinfo-canary"]["spec"]["listeners"]
    assert listener == {"portMapping": {"port": port, "protocol": "grpc"}}


def test_the_gateways_annotations() -> None:
    options = {"hosts": ["a.example.com", "b.example.com"], "timeout": "1m30s", "retries": {"attempts": 2}}
    found = made(site("test", "appmesh", options))
    assert found["VirtualService", "podinfo"]["metadata"]["annotations"] == {
        "gateway.appmesh.k8s.aws/expose": "true",
        "gateway.appmesh.k8s.aws/domain": "a.example.com,b.example.com",
        "gateway.appmesh.k8s.aws/timeout": "1m30s",
        "gateway.appmesh.k8s.aws/retries": "2",
    }
    assert "annotations" not in found["VirtualService", "podinfo-canary"]["metadata"]


def test_half_a_percent_for_the_baseline_is_a_whole_one() -> None:
    rig = with_baseline(RIGS["appmesh"]("test"))
    cluster = Pretence(())
    changes = rig.provider.render(rig.site, weight(99), cluster.objects)
    cluster.do(changes)
    (route,) = cluster.objects[ROUTER]["spec"]["routes"]
    assert [each["weight"] for each in route["httpRoute"]["action"]["weightedTargets"]] == [99, 0, 1]
    first, last = changes[2], rig.provider.render(rig.site, HOME, cluster.objects)[-1]
    assert isinstance(first, Apply)
    assert isinstance(last, Delete)
    assert first.manifest["metadata"]["name"] == last.ref.name == "podinfo-baseline"


def test_what_aws_controller_wrote_into_a_users_object_stays() -> None:
    """Its webhook refuses any change of the two."""
    theirs = {"awsName": "podinfo_test", "meshRef": {"name": "global", "uid": "1"}}
    live = manifest("test", API_VERSION, "VirtualRouter", "podinfo", {**theirs, "listeners": [], "routes": []})
    edits = [each for each in AppMesh().render(PLACE, weight(10), {ROUTER: live}) if isinstance(each, Edit)]
    (edit,) = edits
    assert edit.after["spec"].items() >= theirs.items()
    assert edit.after["spec"]["routes"]
    (back,) = AppMesh().release(PLACE, {ROUTER: edit.after})
    assert isinstance(back, Edit)
    assert back.after == live


def test_flaggers_ab_test_is_read() -> None:
    """Its route `podinfo-a` is for the matches, by priority before `podinfo-b`."""

    def route(name: str, priority: int, canary: int, **match: Any) -> dict[str, Any]:
        targets = [
            {"virtualNodeRef": {"name": "podinfo-canary"}, "weight": canary},
            {"virtualNodeRef": {"name": "podinfo-primary"}, "weight": 100 - canary},
        ]
        http = {"match": {"prefix": "/", **match}, "action": {"weightedTargets": targets}}
        return {"name": name, "priority": priority, "httpRoute": http}

    header = {"name": "x-user", "match": {"exact": "test"}}
    cluster = Pretence(())
    cluster.do(AppMesh().render(PLACE, HOME, {}))
    live = cluster.objects[ROUTER]
    live["spec"]["routes"] = [route("podinfo-b", 20, 0), route("podinfo-a", 10, 100, headers=[header])]
    found = AppMesh().read(PLACE, cluster.objects)
    assert found == Routing(matches=((MatchTest("header", "x-user", "==", "test"),),))


def test_of_several_weights_the_most_is_read() -> None:
    """Somebody changed one of two routes by hand."""
    place = site("test", "appmesh", {"match": [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}]})
    cluster = Pretence(())
    cluster.do(AppMesh().render(place, weight(10), {}))
    first, _ = cluster.objects[ROUTER]["spec"]["routes"]
    first["httpRoute"]["action"]["weightedTargets"][0]["weight"] = 90
    found = AppMesh().read(place, cluster.objects)
    assert found is not None
    assert found.weight == 50


def test_what_leads_goes_before_what_it_leads_to() -> None:
    cluster = Pretence(())
    cluster.do(AppMesh().render(PLACE, HOME, {}))
    kinds = [each.ref.kind for each in AppMesh().release(PLACE, cluster.objects) if isinstance(each, Delete)]
    assert kinds == ["VirtualService", "VirtualRouter"] * 2 + ["VirtualNode"] * 2
