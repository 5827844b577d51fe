"""Protects what is Skipper's own: routes of the user's that ours would outweigh, the order in which the two Ingresses
change, and what is read off annotations that somebody changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Apply, Change, Manifest, Ref, ref_of
from interpreter.routing import HOME
from interpreter.traffic.provider import TrafficError
from interpreter.traffic.reading import NOTE
from interpreter.traffic.skipper import FILTER, PREDICATE, ROUTES, WEIGHTS, Skipper
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, site
from tests.interpreter.traffic.situations import HEADER, matching, weight

SKIPPER = Skipper()
PLACE = site("test", "skipper", {"ingress": "shop"})
USERS, CANARY, MATCH, _ = SKIPPER.refs(PLACE)


def given(change: Callable[[Manifest], object] = lambda _: None) -> Pretence:
    """A user's Ingress `shop`, changed."""
    made = Pretence(RIGS["skipper"]("test").given)
    change(made.objects[USERS])
    return made


def routed(routing: Routing, change: Callable[[Manifest], object] = lambda _: None) -> Pretence:
    made = given(change)
    made.do(SKIPPER.render(PLACE, routing, made.objects))
    return made


def annotations(made: Pretence, ref: Ref) -> dict[str, str]:
    found: dict[str, str] = made.objects[ref]["metadata"]["annotations"]
    return found


# --- what our routes would take -------------------------------------------------------------------------------------


def places(*places: tuple[str, str, str, str]) -> Callable[[Manifest], object]:
    """An Ingress with these hosts, paths, types of paths, and Services."""

    def change(ingress: Manifest) -> None:
        ingress["spec"]["rules"] = [
            {
                **({"host": host} if host else {}),
                "http": {
                    "paths": [
                        {
                            **({"path": path} if path else {}),
                            "pathType": how,
                            "backend": {"service": {"name": name, "port": {"number": 80}}},
                        }
                    ]
                },
            }
            for host, path, how, name in places
        ]

    return change


OPEN = "ImplementationSpecific"


@pytest.mark.parametrize(
    ("ours", "other", "taken"),
    [
        (("a", "/", "Prefix"), ("a", "/x", "Prefix"), False),
        (("a", "/x", "Prefix"), ("a", "/", "Prefix"), False),
        (("a", "/", "Prefix"), ("b", "/", "Prefix"), False),
        (("a", "/", "Prefix"), ("a", "/", "Prefix"), True),
        (("a", "/", "Prefix"), ("a", "/", "Exact"), True),
        (("", "/", "Prefix"), ("b", "/", "Prefix"), True),
        (("b", "/", "Prefix"), ("", "/", "Prefix"), False),
        (("a", "/", OPEN), ("a", "/x", OPEN), True),
        (("a", "", OPEN), ("a", "/x", OPEN), True),
        (("a", "/x", OPEN), ("a", "/", OPEN), False),
        (("a", "/", OPEN), ("a", "/x", "Prefix"), False),
        (("a", "/", "Prefix"), ("a", "/x", OPEN), False),
    ],
)
def test_requests_of_others_are_not_taken(ours: tuple[str, str, str], other: tuple[str, str, str], taken: bool) -> None:
    change = places((*other, "elsewhere"), (*ours, "podinfo"))
    if not taken:
        assert routed(weight(10), change)
        return
    with pytest.raises(TrafficError, match="would take the requests for"):
        routed(weight(10), change)


def test_paths_of_no_type_are_prefixes_where_the_ingress_says_so() -> None:
    change = places(("a", "/", OPEN, "podinfo"), ("a", "/x", OPEN, "elsewhere"))

    def as_prefixes(ingress: Manifest) -> None:
        change(ingress)
        ingress["metadata"]["annotations"]["zalando.org/skipper-ingress-path-mode"] = "path-prefix"

    assert (
        annotations(routed(weight(10), as_prefixes), CANARY)["zalando.org/skipper-ingress-path-mode"] == "path-prefix"
    )


@pytest.mark.parametrize(
    ("routes", "safe"),
    [
        ("", True),
        ('a: Method("OPTIONS") -> status(200) -> <shunt>;', False),
        ('a: Method("OPTIONS") && Weight(1000) -> status(200) -> <shunt>;', True),
        ('a: Method("OPTIONS") && Weight(1000) -> <shunt>; b: Path("/b") && Weight(999) -> <shunt>', False),
        ('Method("OPTIONS") && Weight(1200) -> status(200) -> <shunt>', True),
    ],
)
def test_routes_of_the_users_own_stay_above_ours(routes: str, safe: bool) -> None:
    def change(ingress: Manifest) -> None:
        ingress["metadata"]["annotations"][ROUTES] = routes

    if safe:
        assert ROUTES not in annotations(routed(weight(10), change), CANARY)
        return
    with pytest.raises(TrafficError, match=r"add the predicate `Weight\(1000\)` to each"):
        routed(weight(10), change)


def test_a_default_backend_cannot_be_split() -> None:
    def change(ingress: Manifest) -> None:
        ingress["spec"] = {"defaultBackend": {"service": {"name": "podinfo", "port": {"number": 80}}}}

    with pytest.raises(TrafficError, match="does not name the Service `podinfo`"):
        routed(HOME, change)


def test_the_ingress_is_not_there() -> None:
    with pytest.raises(TrafficError, match="Ingress `test/shop`, which `ingress` names, does not exist"):
        SKIPPER.render(PLACE, HOME, {})


# --- writing --------------------------------------------------------------------------------------------------------


def test_text_in_routes_is_quoted() -> None:
    """What a user tests for cannot end the text that it stands in, and so say something to Skipper."""
    tricky = MatchTest("header", "x", "==", '") -> <shunt>; a: * -> "\\')
    routes = annotations(routed(matching([tricky])), MATCH)[ROUTES]
    assert 'HeaderRegexp("x", "^\\"\\\\) -> <shunt>; a: \\\\* -> \\"\\\\\\\\$")' in routes


def test_numbers_have_no_exponents() -> None:
    routes = annotations(routed(Routing(0.01, mirror=0.01)), MATCH)[ROUTES]
    assert "TrafficSegment(0, 0.0001)" in routes
    assert "TrafficSegment(0.0001, 0.0002)" in routes


def test_what_the_user_says_to_skipper_holds_for_ours_too() -> None:
    rig = RIGS["skipper-annotated"]("test")
    made = Pretence(rig.given)
    made.do(SKIPPER.render(rig.site, matching([HEADER]), made.objects))
    said = annotations(made, MATCH)
    assert said[PREDICATE].startswith('Method("GET") && ')
    assert all('Method("GET") && ' in route for route in said[ROUTES].splitlines())
    assert said[FILTER].startswith("consecutiveBreaker(15) -> ")
    assert said["zalando.org/skipper-loadbalancer"] == "consistentHash"


# --- order ----------------------------------------------------------------------------------------------------------


def names(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [
        ("apply", ref_of(change.manifest).name) if isinstance(change, Apply) else ("delete", change.ref.name)  # type: ignore[union-attr]
        for change in changes
    ]


def test_dealing_begins_last_and_ends_first() -> None:
    """Between two changes nobody is dealt to an arm that is not there, and nothing counts twice."""
    made = routed(weight(10))
    dealing = SKIPPER.render(PLACE, Routing(10.0, matches=((HEADER,),)), made.objects)
    assert names(dealing) == [("apply", "shop-canary"), ("apply", "shop-canary-match")]
    made.do(dealing)
    home = SKIPPER.render(PLACE, HOME, made.objects)
    assert names(home) == [("delete", "shop-canary-match"), ("apply", "shop-canary")]


# --- reading --------------------------------------------------------------------------------------------------------


def test_what_flagger_made_is_read_without_a_note() -> None:
    made = routed(weight(15))
    del annotations(made, CANARY)[NOTE]
    assert SKIPPER.read(PLACE, made.objects) == weight(15)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({WEIGHTS: '{"podinfo-primary": 30, "podinfo-canary": 10}'}, weight(25)),
        ({WEIGHTS: '{"podinfo-primary": 30}'}, None),
        ({WEIGHTS: "[]"}, None),
        ({WEIGHTS: '{"podinfo-primary": null, "podinfo-canary": 1}'}, None),
        ({WEIGHTS: "{"}, None),
        ({PREDICATE: "False()"}, HOME),
    ],
)
def test_annotations_that_somebody_changed(changes: dict[str, str], expected: Routing | None) -> None:
    made = routed(weight(15))
    annotations(made, CANARY).update(changes)
    assert SKIPPER.read(PLACE, made.objects) == expected


def test_without_a_note_matches_count_as_everything() -> None:
    made = routed(Routing(20.0, 50.0, ((HEADER,),)))
    annotations(made, CANARY)[NOTE] = "{}"
    assert SKIPPER.read(PLACE, made.objects) == Routing(20.0, 50.0, ((),))


@pytest.mark.parametrize("ref", [CANARY, MATCH])
def test_without_its_ingress_a_routing_does_not_hold(ref: Ref) -> None:
    routing = Routing(20.0, matches=((HEADER,),))
    made = routed(routing)
    objects: dict[Ref, Any] = {key: each for key, each in made.objects.items() if key != ref}
    assert SKIPPER.read(PLACE, made.objects) == routing
    assert SKIPPER.read(PLACE, objects) != routing
