"""Protects what is special about SMI: which version is written, what matches are made into, and what cannot be had."""

from __future__ import annotations

from typing import Any

import pytest

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Apply, Delete, Manifest, Objects, Ref
from interpreter.routing import HOME
from interpreter.traffic.provider import TrafficError
from interpreter.traffic.smi import DEFINITION, Smi
from interpreter.traffic.smi_matches import DEFINITION as GROUPS
from interpreter.traffic.smi_split import GATEWAYS
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import manifest, site
from tests.interpreter.traffic.situations import COOKIE, HEADER, QUERY, matching, weight

PLACE = site("test", "smi")
MATCHING = site("test", "smi", {"api": "v1alpha4"})


def definition(*served: str, dead: tuple[str, ...] = ()) -> Manifest:
    versions = [{"name": name, "served": name not in dead} for name in (*served, *dead)]
    return {"metadata": {"name": DEFINITION.name}, "spec": {"versions": versions}}


def split(version: str, **spec: Any) -> dict[Ref, Manifest]:
    ref = Ref(f"split.smi-spec.io/{version}", "TrafficSplit", "test", "podinfo")
    return {ref: manifest("test", ref.api_version, ref.kind, ref.name, {"service": "podinfo", **spec})}


def written(existing: Objects, routing: Routing = HOME) -> str:
    (change,) = Smi().render(PLACE, routing, existing)
    assert isinstance(change, Apply)
    return str(change.manifest["apiVersion"]).removeprefix("split.smi-spec.io/")


@pytest.mark.parametrize(
    ("served", "dead", "wanted"),
    [
        (("v1alpha1", "v1alpha2"), (), "v1alpha2"),
        (("v1alpha2",), ("v1alpha4", "v1alpha3"), "v1alpha2"),
        (("v1alpha4",), ("v1alpha2",), "v1alpha4"),
        (("v1alpha1",), (), "v1alpha1"),
        (("v9",), (), "v1alpha2"),
    ],
)
def test_the_newest_version_that_is_served_is_written(
    served: tuple[str, ...], dead: tuple[str, ...], wanted: str
) -> None:
    assert written({DEFINITION: definition(*served, dead=dead)}) == wanted


def test_a_definition_that_cannot_be_seen_is_made_up_for_by_what_is_there() -> None:
    assert written({}) == "v1alpha2"
    ours = {ref: {**each, "metadata": {**each["metadata"], "annotations": {"rollway.dev/routing": "{}"}}}
            for ref, each in split("v1alpha1", backends=[]).items()}  # fmt: skip
    assert written(ours) == "v1alpha1"


def test_matches_need_a_version_that_is_said() -> None:
    with pytest.raises(TrafficError, match="write `api v1alpha4`"):
        Smi().render(PLACE, matching([HEADER]), {DEFINITION: definition("v1alpha4")})
    with pytest.raises(TrafficError, match="in v1alpha2 cannot look into requests"):
        Smi().render(site("test", "smi", {"api": "v1alpha2"}), matching([HEADER]), {})
    with pytest.raises(TrafficError, match="`api` is `v2`"):
        Smi().refs(site("test", "smi", {"api": "v2"}))


def test_a_match_and_a_share_of_the_rest_cannot_be_had_at_once() -> None:
    with pytest.raises(TrafficError, match="cannot give the canary 20% of the traffic and requests that match"):
        Smi().render(MATCHING, Routing(20, matches=((HEADER,),)), {})
    cluster = routed(Routing(100, matches=((HEADER,),)))
    (only,) = cluster.objects.values()
    assert "matches" not in only["spec"]


def test_what_a_group_cannot_test_is_refused() -> None:
    with pytest.raises(TrafficError, match="the query parameter `version`"):
        routed(matching([QUERY]))
    twice = MatchTest("header", "x-canary", "exists", "")
    with pytest.raises(TrafficError, match="two tests on the header `x-canary`"):
        routed(matching([HEADER, twice]))


@pytest.mark.parametrize(
    ("version", "shape", "listed"),
    [("v1alpha4", "object", False), ("v1alpha3", "array", True), ("v1alpha4", None, True), ("v1alpha3", None, False)],
)
def test_headers_have_the_shape_of_the_installed_definition(version: str, shape: str | None, listed: bool) -> None:
    within: dict[str, Any] = {"properties": {"headers": {"type": shape}}}
    for key in ("matches", "spec"):
        within = {"properties": {key: {"items": within} if key == "matches" else within}}
    versions = [{"name": version, "served": True, "schema": {"openAPIV3Schema": within}}]
    given = {GROUPS: {"spec": {"versions": versions}}} if shape else {}
    group, _ = Smi().render(site("test", "smi", {"api": version}), matching([HEADER, COOKIE]), given)
    assert isinstance(group, Apply)
    (match,) = group.manifest["spec"]["matches"]
    assert isinstance(match["headers"], list) is listed
    names = [name for each in match["headers"] for name in each] if listed else list(match["headers"])
    assert names == ["x-canary", "cookie"]


def test_the_group_is_there_before_it_is_named_and_goes_after() -> None:
    cluster = routed(HOME)
    kinds = [change.manifest["kind"] for change in render(cluster, matching([HEADER])) if isinstance(change, Apply)]
    assert kinds == ["HTTPRouteGroup", "TrafficSplit"]
    cluster.do(render(cluster, matching([HEADER])))
    first, last = render(cluster, HOME)
    assert isinstance(first, Apply)
    assert isinstance(last, Delete)


def test_a_group_that_was_changed_or_taken_away_is_not_what_was_noted() -> None:
    cluster = routed(matching([HEADER]))
    (group,) = [ref for ref in cluster.objects if ref.kind == "HTTPRouteGroup"]
    cluster.objects[group]["spec"]["matches"][0]["headers"] = [{"x-canary": "other"}]
    found = Smi().read(MATCHING, cluster.objects)
    assert found == matching([MatchTest("header", "x-canary", "=~", "^(?:other)$")])
    del cluster.objects[group]
    assert Smi().read(MATCHING, cluster.objects) == Routing(matches=((),))


@pytest.mark.parametrize(
    ("weights", "percent"),
    [((900, 100), 10), (("900m", "100m"), 10), ((1, None), 0), ((0, 0), 0), (("x", "5"), 100)],
)
def test_weights_are_read_whatever_they_are(weights: tuple[Any, Any], percent: float) -> None:
    backends = [
        {"service": f"podinfo-{arm}", "weight": part} for arm, part in zip(("primary", "canary"), weights, strict=True)
    ]
    assert Smi().read(PLACE, split("v1alpha2", backends=backends)) == weight(percent)


def test_a_users_split_is_not_a_routing_and_gets_its_annotations_back() -> None:
    place = site("test", "smi", {"api": "v1alpha2", "gateways": ["public"]})
    given = split("v1alpha2", backends=[{"service": "other", "weight": 1}])
    cluster = Pretence(given.values())
    assert Smi().read(place, cluster.objects) is None
    cluster.do(Smi().render(place, weight(10), cluster.objects))
    (live,) = cluster.objects.values()
    assert live["metadata"]["annotations"][GATEWAYS] == "public"
    cluster.do(Smi().release(place, cluster.objects))
    assert cluster.objects == given


def render(cluster: Pretence, routing: Routing) -> tuple[Any, ...]:
    return Smi().render(MATCHING, routing, cluster.objects)


def routed(routing: Routing) -> Pretence:
    cluster = Pretence(())
    cluster.do(render(cluster, routing))
    return cluster
