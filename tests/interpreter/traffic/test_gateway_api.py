"""Protects what is the Gateway API's own: what cannot be had and how that is said, what depends on the installed
version, routes that a user keeps, and what the Gateways say of a route."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from dsl.ir import MatchTest, RouteOp, StickySpec
from interpreter.desired import Routing
from interpreter.objects import Apply, Delete, Edit, Manifest, Ref
from interpreter.routing import HOME
from interpreter.traffic.gateway_api import GatewayApi
from interpreter.traffic.gateway_api_crd import crd_ref
from interpreter.traffic.provider import ORIGINAL, Site, TrafficError
from interpreter.traffic.reading import NOTE
from tests.controlplane.definitions import documents
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, Rig, manifest, site
from tests.interpreter.traffic.situations import COOKIE, EVERYTHING, HEADER, QUERY, STICKY, matching, weight

GATEWAY = GatewayApi()
API = "gateway.networking.k8s.io/v1"
REFS: Mapping[str, Any] = {"gateway_refs": [{"name": "public"}]}


def place(session: str = "7f3c9a12", app_protocol: str | None = None, **options: Any) -> Site:
    return site("test", "gateway_api", {**REFS, **options}, session=session, app_protocol=app_protocol)


def cluster(where: Site, routing: Routing, *given: Manifest) -> Pretence:
    made = Pretence(given)
    made.do(GATEWAY.render(where, routing, made.objects))
    return made


def rules(made: Pretence, name: str = "podinfo") -> list[dict[str, Any]]:
    route = next(each for ref, each in made.objects.items() if ref.kind.endswith("Route") and ref.name == name)
    found: list[dict[str, Any]] = route["spec"]["rules"]
    return found


def users_rig(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Rig:
    """A user's HTTPRoute `shop` with a rule `shop`, changed."""
    rig = RIGS["gateway_api-users-route"]("test")
    rig = replace(rig, given=deepcopy(rig.given))
    change(rig.given[0]["spec"])
    return rig


def weights(rule: Mapping[str, Any]) -> dict[str, int]:
    return {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}


# --- what cannot be had ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ([HEADER, MatchTest("header", "x-canary", "^=", "in")], "two tests on `x-canary`"),
        ([MatchTest("query", "a", "==", "1"), MatchTest("query", "a", "=~", "1")], "two tests on `a`"),
        ([COOKIE, MatchTest("header", "cookie", "=~", "a")], "two tests on `Cookie`"),
        ([COOKIE, MatchTest("cookie", "group", "^=", "a")], "cookie `group`"),
        ([MatchTest("header", "x", "^=", "a" * 4093)], "`x` has 4096|`x` has 4097"),
    ],
)
def test_two_tests_on_one_thing(tests: list[MatchTest], words: str) -> None:
    with pytest.raises(TrafficError, match=words):
        GATEWAY.render(place(), matching(tests), {})


def test_a_test_for_being_there_adds_nothing_to_another() -> None:
    there = MatchTest("header", "X-Canary", "exists")
    assert rules(cluster(place(), matching([HEADER, there]))) == rules(cluster(place(), matching([HEADER])))
    assert rules(cluster(place(), matching([there, HEADER]))) == rules(cluster(place(), matching([HEADER])))


def test_more_matches_than_a_rule_holds() -> None:
    match = [{"uri": {"prefix": f"/{number}"}} for number in range(13)]
    alternatives = [[MatchTest("header", "x", "==", str(number))] for number in range(5)]
    with pytest.raises(TrafficError, match=r"13 matches .* times 5 alternatives are 65 matches"):
        GATEWAY.render(place(match=match), matching(*alternatives), {})
    assert len(rules(cluster(place(match=match[:12]), matching(*alternatives)))[0]["matches"]) == 60


def test_more_rules_than_a_route_holds() -> None:
    """Where the prefix is replaced, each match has a rule of its own."""
    prefixes = [{"uri": {"prefix": f"/{number}"}} for number in range(9)]
    where = place(match=prefixes, rewrite={"uri": "/", "type": "ReplacePrefixMatch"})
    assert len(rules(cluster(where, weight(10)))) == 9
    with pytest.raises(TrafficError, match="would have 18 rules"):
        GATEWAY.render(where, matching([HEADER]), {})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gateway_refs": []}, "`gateway_refs`"),
        ({"api": "v2"}, "option `api` is `v2`; write v1 or v1beta1"),
        ({"match": [{"scheme": {"exact": "https"}}]}, "`scheme`, which a HTTPRoute cannot test"),
        ({"match": [{"uri": {"suffix": ".png"}}]}, "uri suffix `.png`"),
        ({"match": [{"uri": "/x"}]}, "uri '/x'; write one of exact"),
        ({"match": [{"method": {"regex": "GET|PUT"}}]}, "method regex"),
        ({"match": [{"method": {"exact": "get"}}]}, "method exact `get`"),
        ({"cors": {"allow_origins": [{"regex": ".*"}]}}, "exact origins only"),
        ({"retries": {"retry_on": "whenever"}}, "`whenever`"),
        ({"mirror_to": [{"port": 80}]}, "has no `name`"),
    ],
)
def test_options_that_a_route_cannot_say(options: dict[str, Any], words: str) -> None:
    with pytest.raises(TrafficError, match=words):
        GATEWAY.render(place(**options), HOME, {})


@pytest.mark.parametrize("option", ["rewrite", "retries", "timeout", "backend_timeout", "cors"])
def test_a_grpc_route_has_no_such_thing(option: str) -> None:
    with pytest.raises(TrafficError, match=f"a GRPCRoute has no `{option}`"):
        GATEWAY.render(place(app_protocol="grpc", **{option: {}}), HOME, {})


def test_a_grpc_request_has_no_query() -> None:
    with pytest.raises(TrafficError, match="`version` cannot be tested"):
        GATEWAY.render(place(app_protocol="grpc"), matching([QUERY]), {})
    with pytest.raises(TrafficError, match="not a gRPC service or method"):
        GATEWAY.render(place(app_protocol="grpc", match=[{"uri": {"prefix": "/a.B/C"}}]), HOME, {})


# --- what the installed version knows -------------------------------------------------------------------------------


def definition(folder: str) -> dict[Ref, Manifest]:
    (found,) = documents(f"{folder}/gateway.networking.k8s.io_httproutes.yaml")
    return {crd_ref("HTTPRoute"): found}


def test_a_share_of_a_mirror_that_the_version_would_drop_is_refused() -> None:
    """A route without the share would copy everything."""
    with pytest.raises(TrafficError, match=r"mirror of 20% needs `spec.rules\[\].filters\[\].requestMirror.fraction`"):
        GATEWAY.render(place(), Routing(mirror=20.0), definition("gateway-api-v1.2.1"))
    assert GATEWAY.render(place(), Routing(mirror=100.0), definition("gateway-api-v1.2.1"))
    assert GATEWAY.render(place(), Routing(mirror=20.0), definition("gateway-api"))


def test_options_that_the_version_does_not_know() -> None:
    cors, retries = place(cors={"allow_origins": ["*"]}), place(retries={"attempts": 2})
    with pytest.raises(TrafficError, match=r"`cors` needs .* \(v1.2.1\)"):
        GATEWAY.render(cors, HOME, definition("gateway-api-v1.2.1"))
    assert GATEWAY.render(cors, HOME, definition("gateway-api"))
    with pytest.raises(TrafficError, match=r"`retries` needs .*experimental channel"):
        GATEWAY.render(retries, HOME, definition("gateway-api"))


def test_retries_where_nothing_is_known_of_the_version() -> None:
    retries = {"attempts": 2, "per_try_timeout": "500ms", "backoff": "1s", "retry_on": "gateway-error,429"}
    (rule,) = rules(cluster(place(retries=retries), HOME))
    assert rule["retry"] == {"attempts": 2, "backoff": "1s", "codes": [429, 502, 503, 504]}
    assert rule["timeouts"] == {"backendRequest": "500ms"}


def test_the_definition_is_read_only_if_something_depends_on_it() -> None:
    route = Ref(API, "HTTPRoute", "test", "podinfo")
    assert GATEWAY.refs(place()) == (route,)
    assert GATEWAY.refs(place(retries={"attempts": 1})) == (route, crd_ref("HTTPRoute"))
    mirroring = replace(place().program, code=(RouteOp(mirror=5.0),))
    assert GATEWAY.refs(replace(place(), program=mirroring)) == (route, crd_ref("HTTPRoute"))


# --- a route that the user keeps ------------------------------------------------------------------------------------


def test_other_backends_of_the_rule_keep_their_share() -> None:
    made = cluster(users_rig().site, weight(10), *users_rig().given)
    rule = next(each for each in rules(made, "shop") if each.get("name") == "shop")
    assert weights(rule) == {"podinfo-primary": 27, "podinfo-canary": 3, "elsewhere": 10}


def test_a_users_rule_for_the_canary_stays_where_it_stands() -> None:
    """It looks like one of ours: it leads to the canary only, and stands right before the rule."""
    rig = users_rig()
    made = cluster(rig.site, EVERYTHING, *rig.given)
    assert [rule.get("name") for rule in rules(made, "shop")] == [None, "preview", None, None, "shop", None]
    made.do(GATEWAY.render(rig.site, HOME, made.objects))
    assert [rule.get("name") for rule in rules(made, "shop")] == [None, "preview", "shop", None]


def test_what_the_user_changes_in_their_rule_stays() -> None:
    rig = users_rig()
    made = cluster(rig.site, EVERYTHING, *rig.given)
    rules(made, "shop")[-2]["timeouts"] = {"request": "9s"}
    rules(made, "shop")[-2]["filters"].insert(0, {"type": "ExtensionRef", "extensionRef": {"name": "mine"}})
    made.do(GATEWAY.render(rig.site, weight(5), made.objects))
    assert GATEWAY.read(rig.site, made.objects) == weight(5)
    made.do(GATEWAY.release(rig.site, made.objects))
    (rule,) = (each for each in rules(made, "shop") if each.get("name") == "shop")
    assert rule["timeouts"] == {"request": "9s"}
    assert [each["type"] for each in rule["filters"]] == ["ExtensionRef", "RequestHeaderModifier"]
    assert weights(rule) == {"podinfo": 3, "elsewhere": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda spec: spec.update(rules=spec["rules"][:2]), "no rules named `shop`"),
        (lambda spec: spec["rules"][2].update(name="other"), "no rules named `shop`"),
        (lambda spec: spec["rules"][2].update(backendRefs=[]), "no rules named `shop`"),
        (lambda spec: spec["rules"][2]["backendRefs"][0].update(namespace="else"), "no rules named `shop`"),
        (lambda spec: spec["rules"][2]["backendRefs"][0].update(kind="Bucket"), "no rules named `shop`"),
        (lambda spec: spec["rules"][2]["backendRefs"].append(spec["rules"][2]["backendRefs"][0]), "2 times"),
        (lambda spec: spec["rules"].extend(spec["rules"][:1] * 12), "would have 17 rules"),
        (lambda spec: spec["rules"][2]["backendRefs"][1].update(weight=999_983), "too large to be split"),
    ],
)
def test_a_users_rule_that_cannot_be_split(change: Callable[[dict[str, Any]], object], words: str) -> None:
    rig = users_rig(change)
    with pytest.raises(TrafficError, match=words):
        GATEWAY.render(rig.site, replace(matching([HEADER]), weight=12.5), Pretence(rig.given).objects)


def test_a_backend_that_sets_a_cookie_already() -> None:
    filters = [
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "set-cookie", "value": "a"}]}}
    ]
    rig = users_rig(lambda spec: spec["rules"][2]["backendRefs"][0].update(filters=filters))
    with pytest.raises(TrafficError, match="`Set-Cookie` header already"):
        GATEWAY.render(rig.site, Routing(10.0, sticky=STICKY), Pretence(rig.given).objects)


def test_two_rules_lead_there_and_none_is_named() -> None:
    rig = users_rig(lambda spec: spec["rules"][3].update(backendRefs=[{"name": "podinfo", "port": 1}]))
    unnamed = site("test", "gateway_api", {"route": "shop"})
    with pytest.raises(TrafficError, match="has 2 rules that lead to the Service `podinfo`: name one by `rule`"):
        GATEWAY.render(unnamed, HOME, Pretence(rig.given).objects)


def test_a_route_that_is_not_there() -> None:
    with pytest.raises(TrafficError, match="HTTPRoute `test/shop`, which `route` names, does not exist"):
        GATEWAY.render(users_rig().site, HOME, {})
    assert GATEWAY.release(users_rig().site, {}) == ()


def test_options_that_belong_into_the_users_route() -> None:
    where = place(route="shop", rule="shop")
    with pytest.raises(TrafficError, match="with `route`, the option `gateway_refs` has no effect"):
        GATEWAY.render(where, HOME, Pretence(users_rig().given).objects)


def test_the_original_is_rebuilt_if_its_annotation_was_taken_away() -> None:
    rig = users_rig()
    made = cluster(rig.site, weight(50), *rig.given)
    (route,) = made.objects.values()
    del route["metadata"]["annotations"][ORIGINAL]
    made.do(GATEWAY.release(rig.site, made.objects))
    rule = next(each for each in rules(made, "shop") if each.get("name") == "shop")
    assert [backend["name"] for backend in rule["backendRefs"]] == ["podinfo", "elsewhere"]


def test_two_rollouts_share_a_route() -> None:
    one = users_rig()
    other = replace(
        site("test", "gateway_api", {"route": "shop"}),
        apex="elsewhere",
        primary="elsewhere-primary",
        canary="elsewhere-canary",
    )
    made = Pretence(one.given)
    (route,) = made.objects.values()
    route["spec"]["rules"][2]["backendRefs"].pop()
    before = deepcopy(made.objects)
    for where, routing in ((one.site, weight(10)), (other, weight(20)), (one.site, weight(30))):
        made.do(GATEWAY.render(where, routing, made.objects))
    assert (GATEWAY.read(one.site, made.objects), GATEWAY.read(other, made.objects)) == (weight(30), weight(20))
    made.do(GATEWAY.release(one.site, made.objects))
    assert GATEWAY.read(other, made.objects) == weight(20)
    made.do(GATEWAY.release(other, made.objects))
    assert made.objects == before


# --- whose a route is -----------------------------------------------------------------------------------------------


def test_what_flagger_made_is_gone_on_with() -> None:
    owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": "1"}
    backends = [
        {"name": "podinfo-primary", "port": 1, "weight": 70},
        {"name": "podinfo-canary", "port": 1, "weight": 30},
    ]
    made = Pretence(
        [manifest("test", API, "HTTPRoute", "podinfo", {"rules": [{"backendRefs": backends}]}, ownerReferences=[owner])]
    )
    assert GATEWAY.read(place(), made.objects) == weight(30)
    assert [type(change) for change in GATEWAY.render(place(), weight(30), made.objects)] == [Apply]
    assert [type(change) for change in GATEWAY.release(place(), made.objects)] == [Delete]


def test_somebody_elses_route_is_edited_not_owned() -> None:
    rig = RIGS["gateway_api-taken-over"]("test")
    changes = GATEWAY.render(rig.site, HOME, Pretence(rig.given).objects)
    assert [type(change) for change in changes] == [Edit]


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_filter_that_somebody_adds_is_not_what_was_noted() -> None:
    """A copy of everything to the canary is more than was asked for."""
    made = cluster(place(), weight(10))
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "podinfo-canary", "port": 9898}}}
    rules(made)[0]["filters"] = [mirror]
    assert GATEWAY.read(place(), made.objects) == Routing(weight=10.0, mirror=100.0)


def test_defaults_that_the_server_fills_in_are_no_difference() -> None:
    made = cluster(place(), EVERYTHING)
    (route,) = made.objects.values()
    route["spec"]["rules"][0]["brandNew"] = "Default"
    route["spec"]["rules"][0]["backendRefs"][0]["brandNew"] = {"a": 1}
    assert GATEWAY.read(place(), made.objects) == EVERYTHING


def test_matches_without_a_note() -> None:
    made = cluster(place(), matching([HEADER], [QUERY]))
    (route,) = made.objects.values()
    route["metadata"]["annotations"][NOTE] = "{"
    assert GATEWAY.read(place(), made.objects) == matching([HEADER], [QUERY])


def test_the_cookie_of_an_earlier_run_holds_nobody() -> None:
    routing = Routing(20.0, sticky=StickySpec("s", 1000))
    made = cluster(place("old"), routing)
    seen = GATEWAY.read(place("new"), made.objects)
    assert seen is not None
    assert seen != routing
    assert seen.weight == 20
    made.do(GATEWAY.render(place("new"), routing, made.objects))
    assert "old" not in json.dumps(rules(made))


def test_rules_that_lead_elsewhere_are_no_routing() -> None:
    made = cluster(place(), weight(30))
    rules(made)[0]["backendRefs"] = [{"name": "podinfo", "port": 9898}]
    assert GATEWAY.read(place(), made.objects) is None


@pytest.mark.parametrize("name", ["gateway_api", "gateway_api-users-route", "gateway_api-grpc"])
def test_whatever_a_definition_lets_people_leave_out_can_be_missing(name: str) -> None:
    """Reading never fails for it, and releasing neither."""
    rig = RIGS[name]("test")
    routing = replace(EVERYTHING, matches=((HEADER, COOKIE),))
    made = cluster(rig.site, routing, *rig.given)
    ((ref, route),) = made.objects.items()
    for path in list(_paths(route["spec"], ("spec",))):
        if path[-1] in ("name", "type", "requestMirror", "backendRef", "numerator", "value") or isinstance(
            path[-1], int
        ):
            continue
        less = deepcopy(route)
        inside: Any = less
        for step in path[:-1]:
            inside = inside[step]
        del inside[path[-1]]
        assert isinstance(GATEWAY.read(rig.site, {ref: less}), Routing | None), path
        GATEWAY.release(rig.site, {ref: less})


def _paths(value: Any, here: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _paths(each, (*here, key))


# --- what the Gateways say ------------------------------------------------------------------------------------------

PUBLIC = {"name": "public", "namespace": "gateways"}


def route(*conditions: tuple[str, str, int], generation: int = 2) -> Manifest:
    made = manifest("test", API, "HTTPRoute", "podinfo", {"parentRefs": [PUBLIC]}, generation=generation)
    said = [
        {"type": kind, "status": status, "observedGeneration": seen, "reason": "Why", "message": "so"}
        for kind, status, seen in conditions
    ]
    made["status"] = {"parents": [{"parentRef": PUBLIC, "controllerName": "x", "conditions": said}]}
    return made


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([("Accepted", "True", 2), ("ResolvedRefs", "True", 2)], None),
        ([("Accepted", "False", 2)], "is not accepted at Gateway `gateways/public` (Why: so)"),
        (
            [("Accepted", "True", 2), ("ResolvedRefs", "False", 2)],
            "has references that cannot be followed at Gateway `gateways/public` (Why: so)",
        ),
        ([("Accepted", "False", 1)], None),
        ([("Accepted", "Unknown", 2)], None),
        ([("Programmed", "False", 2)], None),
        ([], None),
    ],
)
def test_what_a_gateway_says_of_this_generation(conditions: list[tuple[str, str, int]], words: str | None) -> None:
    """One that says nothing, or not yet, is no trouble: there are those that never say anything."""
    ref = Ref(API, "HTTPRoute", "test", "podinfo")
    said = GATEWAY.trouble(place(), {ref: route(*conditions)})
    assert said == (None if words is None else f"{ref} {words}")


def test_a_route_that_nobody_has_looked_at() -> None:
    made = route()
    del made["status"]
    assert GATEWAY.trouble(place(), {Ref(API, "HTTPRoute", "test", "podinfo"): made}) is None
    assert GATEWAY.trouble(place(), {}) is None
