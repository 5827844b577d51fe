"""Protects what is Contour's own: what cannot be had and how that is said, what becomes of paths, objects that Flagger
left, HTTPProxies that a user keeps, and what is read off routes that somebody has changed by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.objects import Apply, Edit, Manifest
from interpreter.routing import HOME
from interpreter.traffic.contour import Contour
from interpreter.traffic.provider import ORIGINAL, Site, TrafficError
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, manifest, site
from tests.interpreter.traffic.situations import EVERYTHING, HEADER, matching, weight

CONTOUR = Contour()
API = "projectcontour.io/v1"


def spec(options: Mapping[str, Any], routing: Routing = HOME, **more: Any) -> dict[str, Any]:
    (change,) = CONTOUR.render(site("test", "contour", options, **more), routing, {})
    assert isinstance(change, Apply)
    found: dict[str, Any] = change.manifest["spec"]
    return found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hosts": ["a.example.com", "b.example.com"]}, "one host name"),
        ({"cors": {"allow_origins": ["https://a"], "allow_methods": ["GET"]}}, "say `hosts`"),
        ({"hosts": ["a"], "cors": {"allow_origins": ["https://a"]}}, "`allow_methods`"),
        ({"headers": {"request": {"add": {"x": "1"}}}}, r"`headers.request.set` instead of `add`"),
        ({"retries": {"attempts": 2, "backoff": "1s"}}, "take `backoff` away"),
        ({"match": [{"uri": {"exact": "/a"}}], "rewrite": {"uri": "/b"}}, "prefixes only"),
        ({"match": [{"uri": {"suffix": "/a"}}]}, "uri suffix"),
        ({"match": [{"uri": {"prefix": "a"}}]}, "from `/` on"),
        ({"match": [{"sourceLabels": {"app": "a"}}]}, "`sourceLabels`"),
        ({"match": [{"headers": {"x": {"exact": "1", "prefix": "2"}}}]}, r"headers\.x"),
    ],
)
def test_settings_that_cannot_be_had(options: Mapping[str, Any], words: str) -> None:
    with pytest.raises(TrafficError, match=words):
        spec(options)


def test_a_mirror_of_a_part_of_a_percent_is_refused() -> None:
    with pytest.raises(TrafficError, match=r"whole percents only, and not 0\.5%"):
        spec({}, Routing(mirror=0.5))


@pytest.mark.parametrize(
    ("prefix", "to", "wanted"),
    [
        ("/", "/", {"/": "/"}),
        ("/", "/new", {"/": "/new/"}),
        ("/api", "/", {"/api": "/", "/api/": "/"}),
        ("/api", "/new", {"/api": "/new", "/api/": "/new/"}),
        ("/api/", "/new/", {"/api/": "/new/"}),
    ],
)
def test_a_prefix_is_rewritten_with_and_without_a_slash(prefix: str, to: str, wanted: dict[str, str]) -> None:
    made = spec({"match": [{"uri": {"prefix": prefix}}], "rewrite": {"uri": to}})["routes"]
    assert {
        route["conditions"][-1]["prefix"]: route["pathRewritePolicy"]["replacePrefix"][0]["replacement"]
        for route in made
    } == wanted


def test_no_attempts_are_no_policy() -> None:
    """Contour makes one attempt of none."""
    assert "retryPolicy" not in spec({"retries": {"attempts": 0}})["routes"][0]
    assert spec({"retries": {"retry_on": "503"}})["routes"][0]["retryPolicy"] == {
        "count": 1,
        "retryOn": ["retriable-status-codes"],
        "retriableStatusCodes": [503],
    }


@pytest.mark.parametrize(("said", "wanted"), [("grpc", "h2c"), ("https", "tls"), ("http", None), (None, None)])
def test_what_is_spoken_to_pods(said: str | None, wanted: str | None) -> None:
    services = spec({}, weight(20), app_protocol=said)["routes"][0]["services"]
    assert [entry.get("protocol") for entry in services] == [wanted, wanted]


def test_only_the_answer_that_binds_gives_a_cookie() -> None:
    """For it takes the place of the application's own cookies."""
    *before, last = spec({}, Routing(20.0, sticky=StickySpec("c", 60_000, {"primary_cookie": "p"})))["routes"]
    assert not [entry for route in before for entry in route["services"] if "responseHeadersPolicy" in entry]
    given = [entry["responseHeadersPolicy"]["set"][0]["value"].split(";")[0] for entry in last["services"]]
    assert given == ["p=7f3c9a12", "c=7f3c9a12"]


def test_two_exact_tests_on_one_name_are_taken_by_contour() -> None:
    tests = [MatchTest("query", "a", "==", "1"), MatchTest("query", "A", "==", "2"), HEADER, HEADER]
    *conditions, _ = spec({}, matching(tests))["routes"][0]["conditions"]
    assert conditions == [
        {"queryParameter": {"name": "a", "exact": "1"}},
        {"queryParameter": {"name": "A", "regex": "^2$"}},
        {"header": {"name": "X-Canary", "exact": "insider"}},
    ]


def test_what_flagger_left_is_gone_on_with() -> None:
    def service(name: str, share: int) -> dict[str, Any]:
        override = {"name": "l5d-dst-override", "value": f"{name}.test.svc.cluster.local:9898"}
        return {"name": name, "port": 9898, "weight": share, "requestHeadersPolicy": {"set": [override]}}

    owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": "1", "controller": True}
    condition = {"prefix": "/", "header": {"name": "x-canary", "exact": "insider"}}
    left = [
        {"conditions": [condition], "services": [service("podinfo-primary", 0), service("podinfo-canary", 100)]},
        {"conditions": [{"prefix": "/"}], "services": [service("podinfo-primary", 100), service("podinfo-canary", 0)]},
    ]
    live = manifest("test", API, "HTTPProxy", "podinfo", {"routes": left}, ownerReferences=[owner])
    place, cluster = site("test", "contour"), Pretence([live])
    assert CONTOUR.read(place, cluster.objects) == Routing(matches=((),))
    cluster.do(CONTOUR.render(place, weight(30), cluster.objects))
    assert CONTOUR.read(place, cluster.objects) == weight(30)


def test_a_root_of_the_users_is_not_taken_over() -> None:
    spec = {"virtualhost": {"fqdn": "a.example.com"}, "routes": [{"services": [{"name": "podinfo", "port": 9898}]}]}
    cluster = Pretence([manifest("test", API, "HTTPProxy", "podinfo", spec)])
    with pytest.raises(TrafficError, match="write `route podinfo`"):
        CONTOUR.render(site("test", "contour"), HOME, cluster.objects)
    place = site("test", "contour", {"route": "podinfo"})
    cluster.do(CONTOUR.render(place, weight(30), cluster.objects))
    (found,) = cluster.objects.values()
    assert found["spec"]["virtualhost"] == {"fqdn": "a.example.com"}


# --- a user's own ---------------------------------------------------------------------------------------------------


def users(change: Callable[[dict[str, Any]], object] = lambda _: None) -> tuple[Site, Pretence]:
    rig = RIGS["contour-users-route"]("test")
    (given,) = rig.given
    made = deepcopy(given)
    change(made["spec"])
    return rig.site, Pretence([made])


def the(cluster: Pretence) -> Manifest:
    (found,) = cluster.objects.values()
    return found


def test_what_else_the_user_has_is_as_it_was() -> None:
    place, cluster = users()
    before = deepcopy(the(cluster)["spec"])
    cluster.do(CONTOUR.render(place, EVERYTHING, cluster.objects))
    after = the(cluster)["spec"]
    assert {key: part for key, part in after.items() if key != "routes"} == {
        key: part for key, part in before.items() if key != "routes"
    }
    for number in (0, 2, 4):
        assert before["routes"][number] in after["routes"]
    assert all(route["services"][0]["name"] != "podinfo" for route in after["routes"] if "services" in route)


def test_routes_that_the_user_adds_meanwhile_stay() -> None:
    place, cluster = users()
    cluster.do(CONTOUR.render(place, weight(30), cluster.objects))
    added = {"conditions": [{"prefix": "/new"}], "services": [{"name": "new", "port": 80}]}
    to_be_split = {"conditions": [{"prefix": "/more"}], "services": [{"name": "podinfo", "port": 9898}]}
    the(cluster)["spec"]["routes"] += [added, to_be_split]
    cluster.do(CONTOUR.render(place, weight(40), cluster.objects))
    assert added in the(cluster)["spec"]["routes"]
    assert CONTOUR.read(place, cluster.objects) == weight(40)
    cluster.do(CONTOUR.release(place, cluster.objects))
    _, untouched = users()
    assert the(cluster)["spec"]["routes"] == [*the(untouched)["spec"]["routes"], added, to_be_split]


def test_without_the_annotation_routes_are_joined_again() -> None:
    place, cluster = users(lambda spec: spec["routes"].pop(2))
    cluster.do(CONTOUR.render(place, weight(30), cluster.objects))
    del the(cluster)["metadata"]["annotations"]
    assert CONTOUR.read(place, cluster.objects) == weight(30)
    cluster.do(CONTOUR.release(place, cluster.objects))
    split = [route for route in the(cluster)["spec"]["routes"] if "services" in route]
    assert [route["services"][0]["name"] for route in split] == ["elsewhere", "podinfo", "podinfo"]


@pytest.mark.parametrize(
    ("change", "routing", "words"),
    [
        (lambda spec: spec.update(routes=spec["routes"][:1]), HOME, "no route that leads to the Service `podinfo`"),
        (lambda spec: spec["routes"][3]["services"].append({"name": "b", "port": 1}), HOME, "leads to `podinfo`, `b`"),
        (
            lambda spec: spec["routes"][3]["services"].append({"name": "b", "port": 1, "mirror": True}),
            Routing(mirror=10.0),
            r"mirror of its own \(`b`\)",
        ),
    ],
)
def test_routes_that_cannot_be_split(change: Callable[[dict[str, Any]], object], routing: Routing, words: str) -> None:
    place, cluster = users(change)
    with pytest.raises(TrafficError, match=words):
        CONTOUR.render(place, routing, cluster.objects)


def test_a_mirror_of_the_users_stays() -> None:
    audit = {"name": "audit", "port": 1, "mirror": True}
    place, cluster = users(lambda spec: spec["routes"][3]["services"].append(audit))
    cluster.do(CONTOUR.render(place, weight(30), cluster.objects))
    assert sum(audit in route.get("services", ()) for route in the(cluster)["spec"]["routes"]) == 1


@pytest.mark.parametrize("option", ["timeout", "hosts", "port"])
def test_settings_that_belong_into_the_users_proxy(option: str) -> None:
    _, cluster = users()
    place = site("test", "contour", {"route": "shop", option: 1})
    with pytest.raises(TrafficError, match=f"the option `{option}` has no effect"):
        CONTOUR.render(place, HOME, cluster.objects)


def test_a_proxy_that_is_not_there() -> None:
    place = site("test", "contour", {"route": "shop"})
    with pytest.raises(TrafficError, match="does not exist"):
        CONTOUR.render(place, HOME, {})
    assert CONTOUR.release(place, {}) == ()


def test_a_route_of_the_users_that_is_edited_is_noticed() -> None:
    place, cluster = users()
    changes = CONTOUR.render(place, weight(30), cluster.objects)
    assert isinstance(changes[0], Edit)
    cluster.do(changes)
    assert ORIGINAL in the(cluster)["metadata"]["annotations"]
    for route in the(cluster)["spec"]["routes"]:
        for entry in route.get("services", ()):
            entry["weight"] = 60 if entry["name"] == "podinfo-canary" else 40
    seen = CONTOUR.read(place, cluster.objects)
    assert seen is not None
    assert seen.weight == 60
