"""Protects what is Traefik's own: what cannot be had and how that is said, what makes an IngressRoute of ours
necessary, the user's that it stands beside, and what is read off objects that somebody has changed by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from dsl.capabilities import row_of
from dsl.ir import StickySpec
from interpreter.desired import Routing
from interpreter.objects import Delete, Manifest, Ref
from interpreter.routing import HOME
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.traefik import Traefik
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, manifest, site
from tests.interpreter.traffic.situations import HEADER, STICKY, STICKY_BOTH, matching, weight

TRAEFIK = Traefik()
API = "traefik.io/v1alpha1"
OURS = "shop-podinfo-canary"


def begun(rig: str, change: Callable[[dict[str, Any]], object] = lambda _: None) -> tuple[Site, Pretence]:
    made = RIGS[rig]("test")
    given = deepcopy(made.given)
    for one in given:
        change(one["spec"])
    return made.site, Pretence(given)


def route(place: Site, cluster: Pretence, routing: Routing) -> None:
    cluster.do(TRAEFIK.render(place, routing, cluster.objects))


def named(objects: Mapping[Ref, Manifest], name: str) -> Manifest | None:
    return next((each for ref, each in objects.items() if ref.name == name), None)


@pytest.mark.parametrize("routing", [matching([HEADER]), Routing(20.0, sticky=STICKY)])
def test_matches_and_cookies_need_the_users_route(routing: Routing) -> None:
    with pytest.raises(TrafficError, match="by the option `route`"):
        TRAEFIK.render(site("test", "traefik"), routing, {})


def test_the_linter_knows_that() -> None:
    for options, can in (({}, False), ({"route": "shop"}, True), ({"api": "v2"}, False)):
        row = row_of("traefik", options)
        assert row is not None
        assert (row.sticky, row.matches, row.mirror) == (can, can, True)


def test_old_and_routed_is_not_to_be_had() -> None:
    place = site("test", "traefik", {"route": "shop", "api": "v2"})
    cluster = Pretence(RIGS["traefik-routed"]("test").given)
    with pytest.raises(TrafficError, match="with `api v2` there is no `route`"):
        TRAEFIK.render(place, HOME, cluster.objects)


@pytest.mark.parametrize(
    ("routing", "words"),
    [
        (Routing(mirror=0.5), r"whole percents only, and not 0\.5%"),
        (Routing(20.0, sticky=StickySpec("c", 1000, {"partitioned": True})), "no partitioned cookies"),
    ],
)
def test_what_traefik_has_not(routing: Routing, words: str) -> None:
    place, cluster = begun("traefik-routed")
    with pytest.raises(TrafficError, match=words):
        route(place, cluster, routing)


def _second(spec: dict[str, Any]) -> None:
    spec["routes"][2]["services"].append({"name": "b", "port": 1})


@pytest.mark.parametrize(
    ("change", "routing", "words"),
    [
        (lambda spec: spec["routes"].pop(2), HOME, "no route that leads to the Service `podinfo`"),
        (lambda spec: spec["routes"][2]["services"][0].update(namespace="other"), HOME, "no route that leads"),
        (_second, HOME, "leads to several services"),
        (lambda spec: spec["routes"][2].update(syntax="v2"), matching([HEADER]), "write it in that of v3"),
    ],
)
def test_routes_that_cannot_be_split(change: Callable[[dict[str, Any]], object], routing: Routing, words: str) -> None:
    place, cluster = begun("traefik-routed", change)
    with pytest.raises(TrafficError, match=words):
        route(place, cluster, routing)


def test_a_route_that_is_not_there() -> None:
    place = site("test", "traefik", {"route": "shop"})
    with pytest.raises(TrafficError, match="`route` names, does not exist"):
        TRAEFIK.render(place, HOME, {})
    assert TRAEFIK.release(place, {}) == ()


def test_nothing_stands_beside_the_users_route_that_is_not_needed() -> None:
    place, cluster = begun("traefik-routed")
    for routing, needed in ((HOME, False), (weight(20), False), (matching([HEADER]), True), (weight(20), False)):
        route(place, cluster, routing)
        assert (named(cluster.objects, OURS) is not None) is needed
    place, cluster = begun("traefik-to-service")
    route(place, cluster, HOME)
    assert named(cluster.objects, OURS) is not None


def test_what_is_led_to_is_made_before_and_goes_after() -> None:
    place, cluster = begun("traefik-routed")
    everything = Routing(20.0, 10.0, ((HEADER,),), STICKY_BOTH)
    made = [change.manifest["metadata"]["name"] for change in TRAEFIK.render(place, everything, {**cluster.objects})]  # type: ignore[union-attr]
    at = {name: number for number, name in enumerate(made)}
    assert at["podinfo-mirrored"] < at["podinfo-primary-sticky"] < at["podinfo"] < at[OURS]
    assert at["podinfo-canary-sticky"] < at["podinfo"]
    route(place, cluster, everything)
    changes = TRAEFIK.render(place, HOME, cluster.objects)
    deleted = [change.ref.name for change in changes if isinstance(change, Delete)]
    assert not isinstance(changes[0], Delete)
    assert deleted[0] == OURS
    assert set(deleted[1:]) == {"podinfo-mirrored", "podinfo-primary-sticky", "podinfo-canary-sticky"}


def test_a_change_of_the_users_route_is_followed() -> None:
    place, cluster = begun("traefik-routed")
    route(place, cluster, matching([HEADER]))
    users = named(cluster.objects, "shop")
    assert users is not None
    users["spec"]["routes"][2]["match"] = "Host(`new.example.com`)"
    assert TRAEFIK.read(place, cluster.objects) != matching([HEADER])
    route(place, cluster, matching([HEADER]))
    assert TRAEFIK.read(place, cluster.objects) == matching([HEADER])
    ours = named(cluster.objects, OURS)
    assert ours is not None
    assert ours["spec"]["routes"][0]["match"].startswith("(Host(`new.example.com`)) && ")


@pytest.mark.parametrize("rig", ["traefik-routed", "traefik-to-service"])
def test_what_was_deleted_is_missed(rig: str) -> None:
    place, cluster = begun(rig)
    everything = Routing(20.0, 10.0, ((HEADER,),), STICKY_BOTH)
    route(place, cluster, everything)
    for ref in [ref for ref in cluster.objects if ref.name != "shop"]:
        less = {other: each for other, each in cluster.objects.items() if other != ref}
        assert TRAEFIK.read(place, less) != everything, ref


def test_weights_changed_by_hand_are_read() -> None:
    place, cluster = begun("traefik-routed")
    route(place, cluster, Routing(20.0, 10.0, sticky=STICKY))
    apex = named(cluster.objects, "podinfo")
    assert apex is not None
    apex["spec"]["weighted"]["services"][1]["weight"] = 240
    assert TRAEFIK.read(place, cluster.objects) == Routing(75.0, 10.0, ((),))


def test_what_flagger_left_is_gone_on_with() -> None:
    owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": "1", "controller": True}
    services = [{"name": "podinfo-primary", "port": 9898, "weight": 70, "namespace": "test"}]
    services.append({"name": "podinfo-canary", "port": 9898, "weight": 30, "namespace": "test"})
    spec = {"weighted": {"services": services}}
    place = site("test", "traefik")
    cluster = Pretence([manifest("test", API, "TraefikService", "podinfo", spec, ownerReferences=[owner])])
    assert TRAEFIK.read(place, cluster.objects) == weight(30)
    route(place, cluster, HOME)
    apex = named(cluster.objects, "podinfo")
    assert apex is not None
    assert apex["spec"]["weighted"]["services"] == [{"port": 9898, "name": "podinfo-primary", "weight": 100}]
