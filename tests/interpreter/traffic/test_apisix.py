"""Protects what is special about APISIX: which requests go where, what of a rule is kept, and what is refused.

Requests are put through the rules as APISIX does it: of the rules of a path, the one of the highest priority whose
expressions all hold. (lua-resty-radixtree, lua-resty-expr)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Apply, Delete, Manifest, Ref
from interpreter.routing import HOME
from interpreter.traffic.apisix import API_VERSION, Apisix
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.request_shares import NUMBERS
from tests.interpreter.traffic import rigs, rigs_apisix
from tests.interpreter.traffic.mangling import mangled_specs
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.situations import COOKIE, EVERYTHING, HEADER, QUERY, STICKY, STICKY_BOTH

OURS = Ref(API_VERSION, "ApisixRoute", "test", "shop-podinfo-canary")
USERS = Ref(API_VERSION, "ApisixRoute", "test", "shop")
SITE = rigs.site("test", "apisix", {"route": "shop"})
RULE: dict[str, Any] = {
    "name": "shop",
    "match": {"paths": ["/*"]},
    "backends": [{"serviceName": "podinfo", "servicePort": 9898}],
}


def rendered(routing: Routing, *rules: Mapping[str, Any], site: Site = SITE) -> list[dict[str, Any]]:
    users = rigs_apisix.users_route("test", {"http": [*rules] or [RULE]})
    cluster = Pretence([users])
    cluster.do(Apisix().render(site, routing, cluster.objects))
    assert cluster.objects[USERS] == users
    found: list[dict[str, Any]] = cluster.objects[OURS]["spec"]["http"]
    return found


def answered(rules: Sequence[Mapping[str, Any]], **request: str) -> Mapping[str, Any]:
    """The rule that a request goes by; its words are APISIX' variables."""
    return max((rule for rule in rules if _holds(rule, request)), key=lambda rule: rule["priority"])


def _holds(rule: Mapping[str, Any], request: Mapping[str, str]) -> bool:
    return all(_fits(test, request) for test in rule["match"].get("exprs", ()))


def _fits(test: Mapping[str, Any], request: Mapping[str, str]) -> bool:
    name = test["subject"]["name"]
    scopes = {"Header": f"http_{name.lower().replace('-', '_')}", "Cookie": f"cookie_{name}", "Query": f"arg_{name}"}
    value = request.get(scopes.get(test["subject"]["scope"], name))
    if value is None:
        return False
    if test["op"] == "Equal":
        return bool(value == test["value"])
    assert test["op"] == "RegexMatch"
    return re.search(test["value"], value) is not None


def service(rule: Mapping[str, Any]) -> str:
    name: str = rule["backends"][0]["serviceName"]
    return name


def dealt(rules: Sequence[Mapping[str, Any]], **request: str) -> Counter[str]:
    """Where requests of every id go."""
    return Counter(service(answered(rules, request_id=f"{number:04x}00", **request)) for number in range(NUMBERS))


@pytest.mark.parametrize("percent", [0.01, 20])
def test_every_request_goes_to_one_arm_in_the_proportion_that_was_asked_for(percent: float) -> None:
    counts = dealt(rendered(Routing(weight=percent), site=replace(SITE, baseline="podinfo-baseline")))
    expected = {
        "podinfo-canary": percent,
        "podinfo-baseline": min(percent, (100 - percent) / 2),
        "podinfo-primary": 100 - percent - min(percent, (100 - percent) / 2),
    }
    assert {arm: 100 * count / NUMBERS for arm, count in counts.items()} == pytest.approx(expected, abs=0.0031)
    assert counts["podinfo-canary"] <= percent / 100 * NUMBERS


def test_the_ends_need_no_share() -> None:
    assert {service(rule) for rule in rendered(HOME)} == {"podinfo-primary"}
    assert {service(rule) for rule in rendered(Routing(weight=100))} == {"podinfo-canary"}


def test_who_goes_where() -> None:
    """A holder of the canary's cookie stays, whoever matches goes to the canary, a holder of the primary's stays; the
    last of the ids are never the canary's by weight."""
    rules = rendered(Routing(20, 0, ((HEADER, COOKIE), (QUERY,)), STICKY_BOTH))
    last, first = {"request_id": "ffff"}, {"request_id": "0000"}
    kept = {"cookie_shop_primary".replace("shop_", "shop-"): SITE.session}
    assert service(answered(rules, **last)) == "podinfo-primary"
    assert service(answered(rules, **first)) == "podinfo-canary"
    assert service(answered(rules, **first, **kept)) == "podinfo-primary"
    assert service(answered(rules, **last, http_x_canary="insider", cookie_group="always")) == "podinfo-canary"
    assert service(answered(rules, **last, http_x_canary="insider")) == "podinfo-primary"
    assert service(answered(rules, **last, **kept, arg_version="2")) == "podinfo-canary"
    assert service(answered(rules, **last, **kept, **{"cookie_shop-canary": SITE.session})) == "podinfo-canary"
    assert service(answered(rules, **last, **{"cookie_shop-canary": "of-an-earlier-run"})) == "podinfo-primary"


@pytest.mark.parametrize(
    ("op", "value", "holds", "fails"),
    [
        ("==", "a.b", "a.b", "axb"),
        ("^=", "a.b", "a.bc", "axbc"),
        ("=~", "b+", "abbc", "ac"),
        ("exists", "", "", None),
    ],
)
def test_operators(op: Any, value: str, holds: str, fails: str | None) -> None:
    rules = rendered(Routing(matches=((MatchTest("header", "X-Group", op, value),),)))
    assert service(answered(rules, request_id="ffff", http_x_group=holds)) == "podinfo-canary"
    other = {} if fails is None else {"http_x_group": fails}
    assert service(answered(rules, request_id="ffff", **other)) == "podinfo-primary"


def test_only_what_is_not_the_canarys_is_mirrored_and_only_its_answers_give_its_cookie() -> None:
    for rule in rendered(EVERYTHING, site=replace(SITE, baseline="podinfo-baseline")):
        plugins = {plugin["name"]: plugin["config"] for plugin in rule.get("plugins", ())}
        to_canary = service(rule) == "podinfo-canary"
        assert ("proxy-mirror" in plugins) is not to_canary
        assert ("response-rewrite" in plugins) is to_canary


def test_a_rules_own_rewriting_of_answers_is_kept_beside_the_cookie() -> None:
    own = {"name": "response-rewrite", "enable": True, "config": {"headers": {"X-By": "shop"}, "status_code": 201}}
    (canary,) = [
        rule
        for rule in rendered(Routing(20, sticky=STICKY), {**RULE, "plugins": [own]})
        if rule["name"] == "canary-weight-of-shop"
    ]
    (plugin,) = canary["plugins"]
    assert plugin["config"]["status_code"] == 201
    assert plugin["config"]["headers"]["set"] == {"X-By": "shop"}
    assert plugin["config"]["headers"]["add"][0].startswith("Set-Cookie: shop-session=")


@pytest.mark.parametrize(
    ("plugin", "routing", "words"),
    [
        ({"name": "proxy-mirror", "enable": True, "config": {"host": "http://a"}}, Routing(mirror=10), "mirrors"),
        ({"name": "response-rewrite", "enable": True, "config": {"vars": []}}, Routing(20, sticky=STICKY), "condition"),
    ],
)
def test_plugins_that_leave_no_room(plugin: Manifest, routing: Routing, words: str) -> None:
    with pytest.raises(TrafficError, match=words):
        rendered(routing, {**RULE, "plugins": [plugin]})
    rendered(Routing(20), {**RULE, "plugins": [plugin]})


@pytest.mark.parametrize(
    ("other", "refused"),
    [
        ({"priority": 5}, True),
        ({"priority": 0}, True),
        ({"priority": 6}, False),
        ({"priority": -1}, False),
        ({"match": {"paths": ["/other/*"]}}, False),
        ({"match": {"paths": ["/*"], "methods": ["POST"]}}, False),
        ({"match": {"paths": ["/*"], "hosts": ["other.example.com"]}}, False),
        ({"match": {"paths": ["/*"], "hosts": ["*.example.com"]}}, True),
    ],
)
def test_a_rule_that_ours_would_outrank(other: Manifest, refused: bool) -> None:
    ours = {**RULE, "match": {"paths": ["/*"], "methods": ["GET"], "hosts": ["shop.example.com"]}}
    elsewhere = {
        "name": "b",
        "match": {"paths": ["/*"]},
        "backends": [{"serviceName": "b", "servicePort": 80}],
        **other,
    }
    if not refused:
        assert {rule["name"] for rule in rendered(HOME, ours, elsewhere)} == {"primary-rest-of-shop"}
        return
    with pytest.raises(TrafficError, match=r"from the rule `b`.* priority of 6 or more"):
        rendered(HOME, ours, elsewhere)


@pytest.mark.parametrize(
    ("options", "rules", "words"),
    [
        ({}, [RULE], "option `route`"),
        ({"route": "gone"}, [RULE], "does not exist"),
        ({"route": "shop", "rule": "cart"}, [RULE], "no rule named `cart`.*correct `rule`"),
        ({"route": "shop"}, [{**RULE, "backends": [{"serviceName": "b", "servicePort": 80}]}], "no rule that leads"),
        (
            {"route": "shop"},
            [{**RULE, "backends": [*RULE["backends"], {"serviceName": "b", "servicePort": 80}]}],
            "more than the Service",
        ),
        ({"route": "shop"}, [{**RULE, "upstreams": [{"name": "outside"}]}], "more than the Service"),
        ({"route": "shop"}, [{"name": "shop", "backends": RULE["backends"]}], "has no `match`"),
    ],
)
def test_what_cannot_be_split(options: Manifest, rules: list[Manifest], words: str) -> None:
    with pytest.raises(TrafficError, match=words):
        rendered(HOME, *rules, site=rigs.site("test", "apisix", options))


def test_how_the_service_is_spoken_to_holds_for_each_arm() -> None:
    """The copies follow the user's, one that the user made stays theirs, and all of ours go with the user's."""

    def upstream(name: str) -> Ref:
        return Ref(API_VERSION, "ApisixUpstream", "test", name)

    made = rigs.manifest("test", API_VERSION, "ApisixUpstream", "podinfo", {"scheme": "grpc", "retries": 2})
    theirs = rigs.manifest("test", API_VERSION, "ApisixUpstream", "podinfo-primary", {"retries": 9})
    cluster = Pretence([rigs_apisix.users_route("test"), made, theirs])
    cluster.do(Apisix().render(replace(SITE, baseline="podinfo-baseline"), Routing(20), cluster.objects))
    assert cluster.objects[upstream("podinfo-canary")]["spec"] == made["spec"]
    assert cluster.objects[upstream("podinfo-baseline")]["spec"] == made["spec"]
    assert cluster.objects[upstream("podinfo-primary")] == theirs
    changes = Apisix().render(SITE, Routing(20), cluster.objects)
    assert [type(change) for change in changes] == [Apply, Apply, Delete]
    del cluster.objects[upstream("podinfo")]
    cluster.do(Apisix().render(SITE, HOME, cluster.objects))
    assert {ref.name for ref in cluster.objects if ref.kind == "ApisixUpstream"} == {"podinfo-primary"}
    assert Delete(upstream("podinfo-primary")) not in Apisix().release(SITE, cluster.objects)


def test_without_its_note_a_route_is_read_as_far_as_it_shows() -> None:
    cluster = Pretence([rigs_apisix.users_route("test")])
    cluster.do(Apisix().render(SITE, Routing(12.5, 25, ((HEADER,),)), cluster.objects))
    del cluster.objects[OURS]["metadata"]["annotations"]
    assert Apisix().read(SITE, cluster.objects) == Routing(12.5, 25, ((),))
    cluster.objects[OURS]["spec"] = {"http": [{**RULE, "name": "something"}]}
    assert Apisix().read(SITE, cluster.objects) is None


@pytest.mark.parametrize("noted", [True, False])
def test_whatever_is_done_to_a_route_can_be_read(noted: bool) -> None:
    cluster = Pretence([rigs_apisix.users_route("test")])
    cluster.do(Apisix().render(SITE, replace(EVERYTHING, weight=20), cluster.objects))
    if not noted:
        del cluster.objects[OURS]["metadata"]["annotations"]
    for mangled in mangled_specs(cluster.objects[OURS]):
        Apisix().read(SITE, {**cluster.objects, OURS: mangled})
