"""Protects what is Istio's own: what cannot be had and how that is said, objects that Flagger left, routes that a user
keeps, and what is read off rules that somebody has changed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.objects import Apply, Delete, Edit, Manifest, Ref
from interpreter.routing import HOME
from interpreter.traffic.istio import Istio
from interpreter.traffic.provider import ORIGINAL, Site, TrafficError
from interpreter.traffic.reading import NOTE
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, Rig, manifest, site
from tests.interpreter.traffic.situations import COOKIE, EVERYTHING, HEADER, STICKY, matching, weight

ISTIO = Istio()
API = "networking.istio.io/v1"


def cluster(place: Site, routing: Routing, *given: Manifest) -> Pretence:
    made = Pretence(given)
    made.do(ISTIO.render(place, routing, made.objects))
    return made


def virtual_service(objects: Mapping[Ref, Manifest], name: str = "podinfo") -> Manifest:
    return next(each for ref, each in objects.items() if (ref.kind, ref.name) == ("VirtualService", name))


def users_rig(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Rig:
    """A user's VirtualService `shop` with a rule `shop`, changed."""
    rig = RIGS["istio-users-route"]("test")
    change(rig.given[0]["spec"])
    return rig


# --- what cannot be had ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ([HEADER, MatchTest("header", "x-canary", "^=", "in")], "header `x-canary` only once"),
        ([MatchTest("query", "a", "==", "1"), MatchTest("query", "a", "=~", "1")], "query parameter `a` only once"),
        ([COOKIE, MatchTest("header", "Cookie", "=~", "a")], "header `cookie` only once"),
        ([COOKIE, MatchTest("cookie", "group", "^=", "a")], "cookie `group`"),
    ],
)
def test_two_tests_on_one_thing(tests: list[MatchTest], words: str) -> None:
    with pytest.raises(TrafficError, match=words):
        ISTIO.render(site("test", "istio"), matching(tests), {})


def test_a_test_that_the_service_has_already_is_no_trouble() -> None:
    place = site("test", "istio", {"match": [{"headers": {"x-canary": {"exact": "insider"}}}]})
    rules = virtual_service(cluster(place, matching([HEADER])).objects)["spec"]["http"]
    assert rules[0]["match"] == rules[1]["match"] == [{"headers": {"x-canary": {"exact": "insider"}}}]
    there = matching([MatchTest("header", "x-canary", "exists")])
    assert virtual_service(cluster(place, there).objects)["spec"]["http"][0]["match"] == rules[0]["match"]
    with pytest.raises(TrafficError, match="option `match`"):
        ISTIO.render(place, matching([MatchTest("header", "x-canary", "==", "other")]), {})


@pytest.mark.parametrize("routing", [Routing(mirror=5.0), matching([HEADER]), Routing(10.0, sticky=STICKY)])
@pytest.mark.parametrize("name", ["istio-tcp", "istio-tcp-users-route"])
def test_tcp_has_weights_only(name: str, routing: Routing) -> None:
    rig = RIGS[name]("test")
    with pytest.raises(TrafficError, match="only weights"):
        ISTIO.render(rig.site, routing, Pretence(rig.given).objects)


def _rename(spec: dict[str, Any]) -> None:
    spec["http"][1]["name"] = "other"


def _double(spec: dict[str, Any]) -> None:
    spec["http"].append(deepcopy(spec["http"][1]))


def _spread(spec: dict[str, Any]) -> None:
    spec["http"][1]["route"].append({"destination": {"host": "elsewhere"}, "weight": 5})


def _subset(spec: dict[str, Any]) -> None:
    spec["http"][1]["route"][0]["destination"]["subset"] = "v1"


def _redirect(spec: dict[str, Any]) -> None:
    spec["http"][1] = {"name": "shop", "redirect": {"uri": "/"}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_rename, "`test/shop` has no rules named `shop`: name one so"),
        (_double, "`test/shop` has 2 rules named `shop`"),
        (_spread, "rule `shop` must lead to the Service `podinfo` and nowhere else"),
        (_redirect, "rule `shop` must lead to the Service `podinfo`"),
        (_subset, "rule `shop` leads to the subset `v1`"),
    ],
)
def test_a_users_rule_that_cannot_be_split(change: Callable[[dict[str, Any]], object], words: str) -> None:
    rig = users_rig(change)
    objects = Pretence(rig.given).objects
    with pytest.raises(TrafficError, match=words):
        ISTIO.render(rig.site, weight(10), objects)
    assert ISTIO.read(rig.site, objects) is None


def test_a_users_rule_with_a_mirror_of_its_own() -> None:
    theirs = {"mirror": {"host": "shadow"}, "mirrorPercentage": {"value": 1}}
    rig = users_rig(lambda spec: spec["http"][1].update(theirs))
    made = cluster(rig.site, weight(10), *rig.given)
    rule = virtual_service(made.objects, "shop")["spec"]["http"][1]
    assert {key: rule[key] for key in theirs} == theirs
    with pytest.raises(TrafficError, match="rule `shop` has a mirror of its own"):
        ISTIO.render(rig.site, Routing(mirror=10.0), made.objects)


def test_a_route_that_is_not_there() -> None:
    with pytest.raises(TrafficError, match=r"VirtualService `test/shop`, which `route` names, does not exist"):
        ISTIO.render(site("test", "istio", {"route": "shop"}), HOME, {})


def test_options_that_belong_into_the_users_route() -> None:
    rig = users_rig()
    place = site("test", "istio", {"route": "shop", "rule": "shop", "timeout": "1s"})
    with pytest.raises(TrafficError, match="with `route`, the option `timeout` has no effect"):
        ISTIO.render(place, HOME, Pretence(rig.given).objects)


# --- what Flagger left ----------------------------------------------------------------------------------------------

_FLAGGER_RULE = {"route": [{"destination": {"host": "podinfo-primary"}, "weight": 90}]}
_FLAGGER_RULE["route"].append({"destination": {"host": "podinfo-canary"}, "weight": 10})
_FLAGGERS = {"hosts": ["podinfo"], "gateways": ["mesh"], "http": [_FLAGGER_RULE]}
_OWNER = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": "1", "controller": True}
_FLAGGER_ORIGINAL = "flagger.kubernetes.io/original-configuration"


def _rules_of_flagger() -> list[Manifest]:
    return [
        manifest("test", API, "DestinationRule", f"podinfo-{arm}", {"host": f"podinfo-{arm}"}, ownerReferences=[_OWNER])
        for arm in ("canary", "primary")
    ]


def test_what_flagger_made_is_gone_on_with() -> None:
    service = manifest("test", API, "VirtualService", "podinfo", _FLAGGERS, ownerReferences=[_OWNER])
    service["metadata"]["annotations"] = {_FLAGGER_ORIGINAL: json.dumps(_FLAGGERS)}
    objects = Pretence([service, *_rules_of_flagger()]).objects
    place = site("test", "istio")
    assert ISTIO.read(place, objects) == weight(10)
    assert all(isinstance(change, Apply) for change in ISTIO.render(place, weight(10), objects))
    assert all(isinstance(change, Delete) for change in ISTIO.release(place, objects))


def test_what_flagger_took_over_goes_back_to_the_user() -> None:
    users = {"hosts": ["podinfo"], "http": [{"timeout": "3s", "route": [{"destination": {"host": "podinfo"}}]}]}
    taken = manifest("test", API, "VirtualService", "podinfo", _FLAGGERS)
    taken["metadata"]["annotations"] = {_FLAGGER_ORIGINAL: json.dumps(users), "team": "shop"}
    made = cluster(site("test", "istio"), weight(20), taken, *_rules_of_flagger())
    assert json.loads(virtual_service(made.objects)["metadata"]["annotations"][ORIGINAL])["podinfo"]["spec"] == users
    made.do(ISTIO.release(site("test", "istio"), made.objects))
    assert virtual_service(made.objects) == manifest(
        "test", API, "VirtualService", "podinfo", users, annotations={"team": "shop"}
    )


def test_an_original_that_cannot_be_read_is_no_reason_to_fail() -> None:
    taken = manifest("test", API, "VirtualService", "podinfo", _FLAGGERS, annotations={_FLAGGER_ORIGINAL: "{"})
    made = cluster(site("test", "istio"), weight(20), taken)
    made.do(ISTIO.release(site("test", "istio"), made.objects))
    assert virtual_service(made.objects) == manifest("test", API, "VirtualService", "podinfo", _FLAGGERS)


def test_the_users_newer_form_is_what_goes_back() -> None:
    rig = RIGS["istio-taken-over"]("test")
    made = cluster(rig.site, weight(20), *rig.given)
    newer = deepcopy(rig.given[0]["spec"])
    newer["http"][0]["timeout"] = "9s"
    virtual_service(made.objects)["spec"] = newer
    assert ISTIO.read(rig.site, made.objects) is None
    made.do(ISTIO.render(rig.site, weight(20), made.objects))
    assert ISTIO.read(rig.site, made.objects) == weight(20)
    made.do(ISTIO.release(rig.site, made.objects))
    assert virtual_service(made.objects) == {**rig.given[0], "spec": newer}


@pytest.mark.parametrize(
    ("hosts", "wanted"),
    [
        ([], ["podinfo"]),
        (["shop.example.com"], ["shop.example.com", "podinfo"]),
        (["*.example.com"], ["*.example.com", "podinfo"]),
        (["*"], ["*"]),
        (["podinfo", "b"], ["podinfo", "b"]),
    ],
)
def test_the_apex_is_a_host_unless_every_host_is(hosts: list[str], wanted: list[str]) -> None:
    made = cluster(site("test", "istio", {"hosts": hosts}), HOME)
    assert virtual_service(made.objects)["spec"]["hosts"] == wanted


# --- reading what others wrote --------------------------------------------------------------------------------------


def test_a_rule_that_somebody_adds_is_not_home() -> None:
    """The note says that all is at home, and the rules do not."""
    place = site("test", "istio")
    made = cluster(place, HOME)
    canary = {"route": [{"destination": {"host": "podinfo-canary"}}]}
    spec = virtual_service(made.objects)["spec"]
    spec["http"].insert(0, {"match": [{"headers": {"x-a": {"prefix": "b"}}}], **canary})
    assert ISTIO.read(place, made.objects) == matching([MatchTest("header", "x-a", "^=", "b")])
    spec["http"][0]["match"] = [{"uri": {"prefix": "/"}}]
    assert ISTIO.read(place, made.objects) == Routing(matches=((),))
    del spec["http"][0]["match"]
    assert ISTIO.read(place, made.objects) == Routing(matches=((),))


@pytest.mark.parametrize(
    ("test", "known"),
    [
        (MatchTest("header", "x-a", "==", "1"), True),
        (MatchTest("header", "x-a", "^=", "1"), True),
        (MatchTest("header", "x-a", "exists"), True),
        (MatchTest("header", "x-a", "=~", "^(a|b)"), True),
        (MatchTest("query", "a", "==", "1"), True),
        (MatchTest("query", "a", "=~", "1"), True),
        (COOKIE, False),
    ],
)
def test_matches_without_a_note(test: MatchTest, known: bool) -> None:
    place = site("test", "istio")
    made = cluster(place, Routing(weight=30.0, mirror=0.5, matches=((test,),)))
    del virtual_service(made.objects)["metadata"]["annotations"]
    seen = ISTIO.read(place, made.objects)
    assert seen is not None
    assert (seen.weight, seen.mirror) == (30.0, 0.5)
    assert (seen.matches == ((test,),)) is known
    assert len(seen.matches) == 1


@pytest.mark.parametrize("note", ["", "{", "[]", '{"podinfo": 5}', '{"podinfo": {"weight": "much"}}'])
def test_a_note_that_cannot_be_read_is_passed_over(note: str) -> None:
    place = site("test", "istio")
    made = cluster(place, weight(30))
    virtual_service(made.objects)["metadata"]["annotations"][NOTE] = note
    assert ISTIO.read(place, made.objects) == weight(30)


def test_a_mirror_without_a_share_is_one_of_everything() -> None:
    place = site("test", "istio")
    made = cluster(place, Routing(mirror=20.0))
    rule = virtual_service(made.objects)["spec"]["http"][0]
    del rule["mirrorPercentage"]
    assert ISTIO.read(place, made.objects) == Routing(mirror=100.0)
    rule["mirror"]["host"] = "elsewhere"
    assert ISTIO.read(place, made.objects) == HOME


def test_rules_that_lead_elsewhere_are_no_routing() -> None:
    place = site("test", "istio")
    made = cluster(place, weight(30))
    virtual_service(made.objects)["spec"]["http"] = [{"route": [{"destination": {"host": "podinfo"}}]}]
    assert ISTIO.read(place, made.objects) is None


@pytest.mark.parametrize("name", ["istio", "istio-users-route"])
def test_whatever_a_definition_lets_people_leave_out_can_be_missing(name: str) -> None:
    """Reading never fails for it, and releasing neither."""
    rig = RIGS[name]("test")
    made = cluster(rig.site, EVERYTHING, *rig.given)
    service = virtual_service(made.objects, rig.site.program.traffic.options.get("route", "podinfo"))
    for path in list(_paths(service["spec"], ("spec",))):
        if path[-1] in ("host", "destination") or isinstance(path[-1], int):
            continue
        less = deepcopy(service)
        place: Any = less
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]
        objects = {**made.objects, next(ref for ref, each in made.objects.items() if each is service): less}
        assert isinstance(ISTIO.read(rig.site, objects), Routing | None), path
        ISTIO.release(rig.site, objects)


def _paths(value: Any, here: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _paths(each, (*here, key))


def test_long_host_names_are_the_same_services() -> None:
    place = site("test", "istio")
    made = cluster(place, weight(30))
    route = virtual_service(made.objects)["spec"]["http"][0]["route"]
    route[0]["destination"]["host"] = "podinfo-primary.test"
    route[1]["destination"]["host"] = "podinfo-canary.test.svc.cluster.local"
    assert ISTIO.read(place, made.objects) == weight(30)
    route[1]["destination"]["host"] = "podinfo-canary.other.svc.cluster.local"
    assert ISTIO.read(place, made.objects) == HOME


def test_the_canary_is_never_given_more_than_was_asked_for() -> None:
    for percent, held in ((33.3333, 33.33), (0.001, 0.0), (99.999, 99.99)):
        route = virtual_service(cluster(site("test", "istio"), weight(percent)).objects)["spec"]["http"][0]["route"]
        assert 100 * route[1]["weight"] / sum(entry["weight"] for entry in route) == pytest.approx(held)


# --- cookies --------------------------------------------------------------------------------------------------------


def test_the_cookie_of_an_earlier_run_holds_nobody() -> None:
    before, now = site("test", "istio", session="old"), site("test", "istio", session="new")
    made = cluster(before, Routing(20.0, sticky=STICKY))
    assert ISTIO.read(now, made.objects) != Routing(20.0, sticky=STICKY)
    made.do(ISTIO.render(now, Routing(20.0, sticky=STICKY), made.objects))
    text = json.dumps(virtual_service(made.objects)["spec"])
    assert "shop-session=new" in text
    assert "shop-session=old" not in text


@pytest.mark.parametrize("routing", [HOME, Routing(sticky=STICKY)])
def test_at_home_no_cookie_is_given_and_none_counts(routing: Routing) -> None:
    place = site("test", "istio")
    made = cluster(place, Routing(20.0, sticky=STICKY))
    made.do(ISTIO.render(place, routing, made.objects))
    assert "shop-session" not in json.dumps(virtual_service(made.objects)["spec"])


def test_a_cookies_age_is_in_seconds() -> None:
    made = cluster(site("test", "istio"), Routing(20.0, sticky=StickySpec("a", 90_500)))
    assert "Max-Age=90;" in json.dumps(virtual_service(made.objects)["spec"])


# --- a user's route -------------------------------------------------------------------------------------------------


def test_what_the_user_changes_in_their_rule_stays() -> None:
    rig = users_rig()
    made = cluster(rig.site, EVERYTHING, *rig.given)
    spec = virtual_service(made.objects, "shop")["spec"]
    spec["http"][3]["timeout"] = "9s"
    spec["http"][3]["match"] = [{"uri": {"prefix": "/new"}}]
    made.do(ISTIO.render(rig.site, EVERYTHING, made.objects))
    rules = virtual_service(made.objects, "shop")["spec"]["http"]
    assert [rule.get("timeout") for rule in rules] == [None, "9s", "9s", "9s", None]
    assert all(match["uri"] == {"prefix": "/new"} for rule in rules[1:4] for match in rule["match"])
    assert ISTIO.read(rig.site, made.objects) == EVERYTHING
    made.do(ISTIO.release(rig.site, made.objects))
    given = deepcopy(rig.given[0])
    given["spec"]["http"][1] |= {"timeout": "9s", "match": [{"uri": {"prefix": "/new"}}]}
    assert virtual_service(made.objects, "shop") == given


def test_two_rollouts_share_a_virtual_service() -> None:
    rig = users_rig(lambda spec: spec["http"].append({"name": "cart", "route": [{"destination": {"host": "cart"}}]}))
    shop = rig.site
    cart = Site(
        site("test", "istio", {"route": "shop", "rule": "cart"}).program, "cart", "cart-primary", "cart-canary", 80
    )
    made = cluster(shop, weight(10), *rig.given)
    made.do(ISTIO.render(cart, matching([HEADER]), made.objects))
    made.do(ISTIO.render(shop, EVERYTHING, made.objects))
    assert ISTIO.read(shop, made.objects) == EVERYTHING
    assert ISTIO.read(cart, made.objects) == matching([HEADER])
    made.do(ISTIO.release(shop, made.objects))
    assert ISTIO.read(shop, made.objects) is None
    assert ISTIO.read(cart, made.objects) == matching([HEADER])
    made.do(ISTIO.release(cart, made.objects))
    assert virtual_service(made.objects, "shop") == rig.given[0]


def test_the_only_rule_that_leads_to_the_service_needs_no_name() -> None:
    rig = users_rig(lambda spec: spec["http"][1].pop("name"))
    place = site("test", "istio", {"route": "shop"})
    made = cluster(place, EVERYTHING, *rig.given)
    assert ISTIO.read(place, made.objects) == EVERYTHING
    made.do(ISTIO.release(place, made.objects))
    assert virtual_service(made.objects, "shop") == rig.given[0]


def test_a_rule_that_the_user_took_away() -> None:
    rig = users_rig()
    made = cluster(rig.site, weight(10), *rig.given)
    spec = virtual_service(made.objects, "shop")["spec"]
    spec["http"] = [rule for rule in spec["http"] if rule.get("name") != "shop"]
    assert ISTIO.read(rig.site, made.objects) is None
    (edit, *_) = ISTIO.release(rig.site, made.objects)
    assert isinstance(edit, Edit)
    assert "annotations" not in edit.after["metadata"]
    assert edit.after["spec"] == spec


def test_a_route_that_was_deleted_is_no_trouble_on_release() -> None:
    rig = users_rig()
    made = cluster(rig.site, weight(10), *rig.given)
    del made.objects[Ref(API, "VirtualService", "test", "shop")]
    assert ISTIO.read(rig.site, made.objects) is None
    assert all(isinstance(change, Delete) for change in ISTIO.release(rig.site, made.objects))
