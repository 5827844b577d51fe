"""Protects what is special about Gloo: what tests and options are made into, where Upstreams come from, and what of a
user's RouteTable can be split."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Apply, Delete, Edit, Manifest, ref_of
from interpreter.routing import HOME
from interpreter.traffic.gloo import Gloo
from interpreter.traffic.gloo_options import RETRY_ON, route_options, seconds
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import FLAGGER_ORIGINAL
from interpreter.traffic.provider import TrafficError
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import manifest, site, with_baseline
from tests.interpreter.traffic.rigs_gloo import RIGS
from tests.interpreter.traffic.situations import HEADER, STICKY, matching, weight

PLACE = site("test", "gloo")
TABLE, UPSTREAM = "gateway.solo.io/v1", "gloo.solo.io/v1"


def table(*routes: dict[str, Any], **more: Any) -> Manifest:
    return manifest("test", TABLE, "RouteTable", "shop", {"routes": list(routes)}, **more)


def to(name: str, namespace: str = "gloo-system") -> dict[str, Any]:
    return {"routeAction": {"single": {"upstream": {"name": name, "namespace": namespace}}}}


def routes(routing: Routing, options: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    place = site("test", "gloo", options)
    made = [each.manifest for each in Gloo().render(place, routing, {}) if isinstance(each, Apply)]
    (found,) = [each for each in made if each["kind"] == "RouteTable"]
    return list(found["spec"]["routes"])


def header(test: MatchTest) -> dict[str, Any]:
    (found,) = routes(matching([test]))[0]["matchers"][0]["headers"]
    return dict(found)


@pytest.mark.parametrize(
    ("test", "fits", "others"),
    [
        (MatchTest("header", "x", "^=", "be.ta"), "be.ta-1", "beta"),
        (MatchTest("header", "x", "=~", "beta"), "a-beta-b", "bet"),
        (MatchTest("header", "x", "==", ""), "", "a"),
        (MatchTest("cookie", "group", "==", "a"), "x=1; group=a; y=2", "agroup=a"),
    ],
)
def test_expressions_fit_whole_values(test: MatchTest, fits: str, others: str) -> None:
    found = header(test)
    assert found["regex"] is True
    assert re2.fullmatch(found["value"], fits)
    assert not re2.fullmatch(found["value"], others)


def test_a_header_that_is_there_has_no_value() -> None:
    """Gloo takes a test without a value for one of presence; an empty one would be that by accident."""
    assert header(MatchTest("header", "x", "exists")) == {"name": "x"}
    assert header(MatchTest("header", "x", "==", "1")) == {"name": "x", "value": "1"}


def test_paths_are_the_parents_unless_match_says_others() -> None:
    assert [each["inheritablePathMatchers"] for each in routes(HOME)] == [True]
    assert "matchers" not in routes(HOME)[0]
    (named,) = routes(HOME, {"match": [{"uri": {"prefix": "/a"}}, {"method": {"exact": "GET"}}]})
    assert named["inheritablePathMatchers"] is False
    assert named["matchers"] == [{"prefix": "/a"}, {"prefix": "/", "methods": ["GET"]}]
    (pathless,) = routes(HOME, {"match": [{"method": {"exact": "GET"}}]})
    assert (pathless["inheritablePathMatchers"], pathless["matchers"]) == (True, [{"methods": ["GET"]}])


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ({"authority": {"exact": "a"}}, "`authority`, which Gloo cannot test"),
        ({"uri": {"suffix": "/a"}}, "one of exact, prefix and regex"),
        ({"method": {"regex": "G.*"}}, "only be tested with exact"),
        ({"headers": {"x": {"exact": 1}}}, "the test on `x`"),
    ],
)
def test_matches_that_cannot_be_had(match: dict[str, Any], why: str) -> None:
    with pytest.raises(TrafficError, match=why):
        routes(HOME, {"match": [match]})


@pytest.mark.parametrize(
    ("ms", "text"), [(15_000, "15s"), (1500, "1.5s"), (25, "0.025s"), (100_000, "100s"), (0, "0s")]
)
def test_durations_are_seconds(ms: int, text: str) -> None:
    assert seconds(ms) == text


def options(said: dict[str, Any]) -> dict[str, Any]:
    return route_options(Options(site("test", "gloo", said).program))


def test_retries_have_a_condition() -> None:
    """Envoy never tries again without one, and Gloo takes no attempts for one."""
    assert options({"retries": {"attempts": 2}}) == {"retries": {"retryOn": RETRY_ON, "numRetries": 2}}
    assert options({"retries": {"attempts": 0}}) == {}


def test_rewrites() -> None:
    whole = options({"rewrite": {"uri": "/a\\1"}})["regexRewrite"]
    assert re2.sub(whole["pattern"]["regex"], whole["substitution"], "/x/y") == "/a\\1"
    assert options({"rewrite": {"uri": "/", "type": "ReplacePrefixMatch"}}) == {"prefixRewrite": "/"}


def test_a_cookie_holds_no_variable_of_envoys() -> None:
    place = Routing(weight=20.0, sticky=replace(STICKY, attributes={"path": "/50%"}))
    (entry,) = [each for each in routes(place)[-1]["routeAction"]["multi"]["destinations"] if "options" in each]
    (given,) = entry["options"]["headerManipulation"]["responseHeadersToAdd"]
    assert "Path=/50%%;" in given["header"]["value"]
    assert given["append"] is True


# --- Upstreams ------------------------------------------------------------------------------------------------------


def test_an_upstream_is_there_before_a_route_leads_to_it_and_goes_after() -> None:
    rig = with_baseline(RIGS["gloo"]("test"))
    cluster = Pretence(())
    changes = rig.provider.render(rig.site, weight(20), cluster.objects)
    assert [each.manifest["kind"] for each in changes if isinstance(each, Apply)] == ["Upstream"] * 3 + ["RouteTable"]
    cluster.do(changes)
    last = rig.provider.render(rig.site, HOME, cluster.objects)[-1]
    assert isinstance(last, Delete)
    assert last.ref.name == "test-podinfo-baselineupstream-9898"


MODEL = {"static": {"hosts": []}, "namespacedStatuses": {}, "connectionConfig": {"connectTimeout": "2s"}}


def test_settings_are_kept_when_the_upstream_that_they_came_from_is_gone() -> None:
    """A rollback must not wait for somebody's Upstream."""
    place = site("test", "gloo", {"upstream": "gloo-system/model"})
    model = manifest("gloo-system", UPSTREAM, "Upstream", "model", MODEL)
    with pytest.raises(TrafficError, match="Upstream `gloo-system/model`, whose settings"):
        Gloo().render(place, HOME, {})
    cluster = Pretence((model,))
    cluster.do(Gloo().render(place, weight(20), cluster.objects))
    del cluster.objects[ref_of(model)]
    before = dict(cluster.objects)
    cluster.do(Gloo().render(place, weight(20), cluster.objects))
    assert cluster.objects == before
    (spec,) = [each["spec"] for ref, each in before.items() if ref.name == "test-podinfo-canaryupstream-9898"]
    assert set(spec) == {"connectionConfig", "kube"}


def test_http2_is_spoken_to_what_speaks_it() -> None:
    for said, wanted in (("grpc", True), ("http2", True), ("http", None), (None, None)):
        place = site("test", "gloo", app_protocol=said)
        (first, *_) = Gloo().render(place, HOME, {})
        assert isinstance(first, Apply)
        assert first.manifest["spec"].get("useHttp2") is wanted


# --- a RouteTable of the user's -------------------------------------------------------------------------------------


def users(*found: dict[str, Any], rule: str = "", routing: Routing = HOME) -> Manifest:
    place = site("test", "gloo", {"route": "shop", **({"rule": rule} if rule else {})})
    live = table(*found)
    (edit,) = [each for each in Gloo().render(place, routing, {ref_of(live): live}) if isinstance(each, Edit)]
    return edit.after


@pytest.mark.parametrize(
    ("found", "rule", "why"),
    [
        ([to("elsewhere")], "", "has no routes that lead to the Service `podinfo`"),
        ([to("test-podinfo-9898"), to("test-podinfo-9898")], "", "has 2 routes that lead"),
        ([to("test-podinfo-9898")], "shop", "has no routes named `shop`"),
        ([{"name": "shop", "directResponseAction": {"status": 200}}], "shop", "leads to no destination"),
        (
            [{"routeAction": {"multi": {"destinations": [
                {"destination": {"kube": {"ref": {"name": "podinfo", "namespace": "test"}, "port": 1}}, "weight": 1},
                {"destination": {"upstream": {"name": "b", "namespace": "c"}}, "weight": 1},
            ]}}}],
            "",
            "and nowhere else to be split",
        ),
        (
            [{"routeAction": {"single": {"kube": {"ref": {"name": "podinfo"}}, "subset": {"values": {"a": "b"}}}}}],
            "",
            "no subset",
        ),
    ],
)  # fmt: skip
def test_routes_that_cannot_be_split(found: list[dict[str, Any]], rule: str, why: str) -> None:
    with pytest.raises(TrafficError, match=why):
        users(*found, rule=rule)


def test_a_mirror_of_the_users_stays_and_is_never_two() -> None:
    mirror = {"shadowing": {"upstream": {"name": "audit", "namespace": "tools"}, "percentage": 5}}
    route = {"name": "shop", "options": mirror, **to("test-podinfo-9898")}
    assert users(route, routing=weight(20))["spec"]["routes"][-1]["options"] == mirror
    assert "options" not in users(route, routing=matching([HEADER]))["spec"]["routes"][0]
    with pytest.raises(TrafficError, match="`shop` has a mirror of its own"):
        users(route, routing=Routing(mirror=10.0))


def test_a_route_without_matchers_keeps_its_paths() -> None:
    """Gloo refuses a matcher without a path where none is inherited."""
    matched = users(to("test-podinfo-9898"), routing=matching([HEADER]))["spec"]["routes"][0]
    assert matched["matchers"][0]["prefix"] == "/"
    inherited = users({"inheritablePathMatchers": True, **to("test-podinfo-9898")}, routing=matching([HEADER]))["spec"][
        "routes"
    ][0]
    assert "prefix" not in inherited["matchers"][0]


def test_options_that_a_users_table_says_itself() -> None:
    place = site("test", "gloo", {"route": "shop", "timeout": "1s"})
    live = table(to("test-podinfo-9898"))
    with pytest.raises(TrafficError, match="`timeout` has no effect"):
        Gloo().render(place, HOME, {ref_of(live): live})


def test_flaggers_table_is_gone_on_with_and_its_original_put_back() -> None:
    """What Flagger wrote says where it leads, so a rollout that moves over reads its weights."""
    destinations = [
        {"destination": {"upstream": {"name": f"test-podinfo-{arm}upstream-9898", "namespace": "test"}}, "weight": part}
        for arm, part in (("primary", 70), ("canary", 30))
    ]
    spec = {"routes": [{"inheritablePathMatchers": True, "routeAction": {"multi": {"destinations": destinations}}}]}
    owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": "1"}
    flaggers = manifest("test", TABLE, "RouteTable", "podinfo", spec, ownerReferences=[owner])
    cluster = Pretence((flaggers,))
    for arm in ("primary", "canary"):
        cluster.do([Apply(manifest("test", UPSTREAM, "Upstream", f"test-podinfo-{arm}upstream-9898", {}))])
    assert Gloo().read(PLACE, cluster.objects) == weight(30)
    kept = manifest(
        "test", TABLE, "RouteTable", "podinfo", spec, annotations={FLAGGER_ORIGINAL: '{"routes":[{"name":"mine"}]}'}
    )
    (edit,) = Gloo().release(PLACE, {ref_of(kept): kept})
    assert isinstance(edit, Edit)
    assert edit.after["spec"] == {"routes": [{"name": "mine"}]}
