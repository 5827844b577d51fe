"""Protects what is HAProxy's own: conditions, the order of Service and Ingress, and the paths that rules stand on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.objects import Apply, Delete, Manifest, ref_of
from interpreter.routing import HOME
from interpreter.traffic.haproxy import CONDITION, HAProxy
from interpreter.traffic.provider import TrafficError
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, site
from tests.interpreter.traffic.situations import COOKIE, HEADER, QUERY, matching, weight

HAPROXY = HAProxy()
PLACE = site("test", "haproxy", {"ingress": "shop"})
USERS, CANARY, SERVICE, INGRESS = HAPROXY.refs(PLACE)


def routed(routing: Routing, change: Callable[[Manifest], object] = lambda _: None) -> Pretence:
    """A user's Ingress `shop`, changed, and then routed."""
    made = Pretence(RIGS["haproxy"]("test").given)
    change(made.objects[USERS])
    made.do(HAPROXY.render(PLACE, routing, made.objects))
    return made


def condition(made: Pretence) -> str:
    found: str = made.objects[SERVICE]["metadata"]["annotations"][CONDITION]
    return found


def places(*places: tuple[str, str, str, str]) -> Callable[[Manifest], object]:
    """An Ingress with these hosts, paths, types of paths, and Services."""

    def path(path: str, how: str, name: str) -> dict[str, Any]:
        return {"path": path, "pathType": how, "backend": {"service": {"name": name, "port": {"number": 80}}}}

    def change(ingress: Manifest) -> None:
        ingress["spec"]["rules"] = [
            {**({"host": host} if host else {}), "http": {"paths": [path(where, how, name)]}}
            for host, where, how, name in places
        ]

    return change


@pytest.mark.parametrize(
    ("routing", "text"),
    [
        (HOME, "rand(10000) lt 0"),
        (weight(0.01), "rand(10000) lt 1"),
        (weight(100), "rand(10000) lt 10000"),
        (matching([HEADER]), "req.fhdr(X-Canary) -m str -- 'insider'"),
        (matching([MatchTest("header", "a", "=~", "^b (c|d)$")]), "req.fhdr(a) -m reg -- '^b (c|d)$'"),
        (matching([MatchTest("header", "a", "==", "")]), "req.fhdr(a) -m len 0"),
        (matching([COOKIE]), "req.cook(group) -m str -- 'always'"),
        (matching([MatchTest("cookie", "a", "^=", "b")]), "req.cook(a) -m beg -- 'b'"),
        (matching([QUERY]), "urlp(version) -m str -- '2'"),
        (matching([MatchTest("query", "a", "exists", "")]), "urlp(a) -m found"),
        (Routing(100.0, matches=((HEADER,),)), "rand(10000) lt 10000"),
    ],
)
def test_a_condition_is_a_share_or_a_test(routing: Routing, text: str) -> None:
    assert condition(routed(routing)) == text


@pytest.mark.parametrize(
    ("routing", "why"),
    [
        (Routing(mirror=10.0), "cannot copy requests"),
        (Routing(10.0, sticky=StickySpec("a", 1000)), "cannot keep clients"),
        (Routing(10.0, matches=((HEADER,),)), "a match and a share of the rest"),
        (matching([HEADER], [QUERY]), "there are 2"),
        (matching([HEADER, QUERY]), "there are 2"),
        (matching([MatchTest("header", "a b", "exists", "")]), "has to have a name of letters"),
        (matching([MatchTest("header", "a) -m found } { always_true", "exists", "")]), "has to have a name of letters"),
        (matching([MatchTest("header", "a", "==", "b' } { always_true")]), "cannot stand in a condition"),
        (matching([MatchTest("header", "a", "==", "b\nc")]), "cannot stand in a condition"),
        (matching([MatchTest("header", "a", "==", "}")]), "cannot stand in a condition"),
    ],
)
def test_what_a_condition_cannot_say_is_refused(routing: Routing, why: str) -> None:
    with pytest.raises(TrafficError, match=why):
        routed(routing)


def test_the_condition_is_there_before_the_paths_and_after_them() -> None:
    made = Pretence(RIGS["haproxy"]("test").given)
    changes = HAPROXY.render(PLACE, HOME, made.objects)
    assert [ref_of(each.manifest) for each in changes if isinstance(each, Apply)] == [SERVICE, INGRESS]
    made.do(changes)
    assert HAPROXY.release(PLACE, made.objects) == (Delete(INGRESS), Delete(SERVICE))


def test_a_condition_that_somebody_took_off_is_all_of_the_traffic() -> None:
    made = routed(weight(10))
    del made.objects[SERVICE]["metadata"]["annotations"][CONDITION]
    assert HAPROXY.read(PLACE, made.objects) == weight(100)
    made.objects[SERVICE]["metadata"]["annotations"][CONDITION] = "always_true"
    assert HAPROXY.read(PLACE, made.objects) == Routing(matches=((),))
    made.objects[SERVICE]["metadata"]["annotations"][CONDITION] = "rand(10000) lt 5000"
    assert HAPROXY.read(PLACE, made.objects) == weight(50)


def test_without_the_canarys_service_it_is_told() -> None:
    made = Pretence(RIGS["haproxy"]("test").given)
    del made.objects[CANARY]
    with pytest.raises(TrafficError, match="does not exist, so no traffic can be sent to it"):
        HAPROXY.render(PLACE, HOME, made.objects)


@pytest.mark.parametrize(
    ("ours", "kept"),
    [
        ([("a", "/", "Prefix"), ("a", "/x", "Prefix")], [("a", "/")]),
        ([("a", "/x", "Prefix"), ("a", "/", "Prefix")], [("a", "/")]),
        ([("a", "/x", "Exact"), ("a", "/x", "Prefix")], [("a", "/x")]),
        ([("a", "/x", "Prefix"), ("a", "/xy", "Prefix")], [("a", "/x"), ("a", "/xy")]),
        ([("a", "/x", "Prefix"), ("b", "/x", "Prefix")], [("a", "/x"), ("b", "/x")]),
        ([("a", "/x", "Prefix"), ("", "/", "Prefix")], [("", "/")]),
        ([("b.a", "/", "Prefix"), ("*.a", "/", "Prefix")], [("*.a", "/")]),
        ([("a", "/", "Prefix"), ("a", "/", "Prefix")], [("a", "/")]),
        ([("a", "/x", "Exact"), ("a", "/x/y", "Prefix")], [("a", "/x"), ("a", "/x/y")]),
    ],
)
def test_no_request_is_drawn_for_twice(ours: list[tuple[str, str, str]], kept: list[tuple[str, str]]) -> None:
    made = routed(weight(10), places(*((*each, "podinfo") for each in ours)))
    found = made.objects[INGRESS]["spec"]["rules"]
    assert [(rule.get("host", ""), path["path"]) for rule in found for path in rule["http"]["paths"]] == kept


@pytest.mark.parametrize(
    ("ours", "other", "taken"),
    [
        (("a", "/", "Prefix"), ("a", "/x", "Prefix"), True),
        (("a", "/", "Prefix"), ("a", "/x", "Exact"), True),
        (("a", "/x", "Prefix"), ("a", "/", "Prefix"), False),
        (("a", "/x", "Prefix"), ("a", "/xy", "Prefix"), False),
        (("a", "/x", "Exact"), ("a", "/x", "Prefix"), False),
        (("a", "/", "Prefix"), ("b", "/", "Prefix"), False),
        (("", "/", "Prefix"), ("b", "/x", "Prefix"), True),
        (("b", "/", "Prefix"), ("", "/x", "Prefix"), False),
        (("*.a", "/", "Prefix"), ("b.a", "/x", "Prefix"), True),
    ],
)
def test_requests_for_others_are_not_taken(
    ours: tuple[str, str, str], other: tuple[str, str, str], taken: bool
) -> None:
    change = places((*other, "elsewhere"), (*ours, "podinfo"))
    if not taken:
        routed(weight(10), change)
        return
    with pytest.raises(TrafficError, match="would take requests for"):
        routed(weight(10), change)


def test_a_default_backend_is_left_to_the_users_ingress() -> None:
    default = {"service": {"name": "podinfo", "port": {"number": 80}}}

    def also(ingress: Manifest) -> None:
        ingress["spec"]["defaultBackend"] = default

    def only(ingress: Manifest) -> None:
        ingress["spec"] = {"defaultBackend": default}

    assert "defaultBackend" not in routed(weight(10), also).objects[INGRESS]["spec"]
    with pytest.raises(TrafficError, match="lead a path to `podinfo`"):
        routed(weight(10), only)


def test_a_path_that_means_something_to_a_regular_expression_is_refused() -> None:
    with pytest.raises(TrafficError, match="becomes a regular expression"):
        routed(weight(10), places(("a", "/v1.2", "Prefix", "podinfo")))
    routed(weight(10), places(("a", "/v1.2", "Exact", "podinfo")))
