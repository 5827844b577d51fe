"""Protects what is the load balancer's own: how tests become conditions, what a rule has room for, in which order rules
stand, how long clients are kept, and what of the user's Ingress is refused or kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.objects import Manifest
from interpreter.routing import HOME
from interpreter.traffic.alb import Alb
from interpreter.traffic.provider import TrafficError
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, site
from tests.interpreter.traffic.situations import HEADER, QUERY, matching, weight

ALB = Alb()
PLACE = site("test", "alb", {"ingress": "shop"})
(USERS,) = ALB.refs(PLACE)
PREFIX = "alb.ingress.kubernetes.io"


def routed(routing: Routing, change: Callable[[Manifest], object] = lambda _: None) -> Pretence:
    """A user's Ingress `shop`, changed, and then routed."""
    made = Pretence(RIGS["alb"]("test").given)
    change(made.objects[USERS])
    made.do(ALB.render(PLACE, routing, made.objects))
    return made


def said(made: Pretence, part: str, name: str = "podinfo") -> Any:
    return json.loads(made.objects[USERS]["metadata"]["annotations"][f"{PREFIX}/{part}.{name}"])


def saying(part: str, text: str) -> Callable[[Manifest], object]:
    def change(ingress: Manifest) -> None:
        ingress["metadata"]["annotations"][f"{PREFIX}/{part}"] = text

    return change


def paths(*places: tuple[str, str]) -> Callable[[Manifest], object]:
    """An Ingress with these paths and their types, all to the apex Service."""

    def change(ingress: Manifest) -> None:
        backend = {"service": {"name": "podinfo", "port": {"number": 80}}}
        made = [{"path": path, "pathType": how, "backend": backend} for path, how in places]
        ingress["spec"]["rules"] = [{"host": "shop.example.com", "http": {"paths": made}}]

    return change


@pytest.mark.parametrize(
    ("test", "condition"),
    [
        (HEADER, {"httpHeaderName": "X-Canary", "values": ["insider"]}),
        (MatchTest("header", "a", "^=", "b."), {"httpHeaderName": "a", "values": ["b.*"]}),
        (MatchTest("header", "a", "exists", ""), {"httpHeaderName": "a", "values": ["*"]}),
        (MatchTest("header", "a", "==", "b*c"), {"httpHeaderName": "a", "regexValues": [r"^b\*c$"]}),
        (MatchTest("header", "a", "=~", "^b|c$"), {"httpHeaderName": "a", "regexValues": ["^.*(?:^b|c$).*$"]}),
        (MatchTest("query", "a", "==", "b*?\\"), {"values": [{"key": "a", "value": r"b\*\?\\"}]}),
        (MatchTest("query", "a", "^=", "b"), {"values": [{"key": "a", "value": "b*"}]}),
    ],
)
def test_a_test_is_one_condition(test: MatchTest, condition: dict[str, Any]) -> None:
    (found,) = said(routed(matching([test])), "conditions", "podinfo-match-0")
    assert condition in found.values()


@pytest.mark.parametrize(
    ("cookies", "fits"),
    [
        ("group=always", True),
        ("a=1; group=always; b=2", True),
        ("xgroup=always", False),
        ("group=alwaysnot", False),
        ("a=group=always", False),
    ],
)
def test_a_cookie_is_found_among_others_and_whole(cookies: str, fits: bool) -> None:
    made = routed(matching([MatchTest("cookie", "group", "==", "always")]))
    (found,) = said(made, "conditions", "podinfo-match-0")
    (pattern,) = found["httpHeaderConfig"]["regexValues"]
    assert (re.search(pattern, cookies) is not None) == fits


def test_texts_and_expressions_on_headers_are_not_mixed_in_a_rule() -> None:
    made = routed(matching([HEADER, MatchTest("header", "b", "=~", "^c")], [HEADER]))
    mixed, plain = (said(made, "conditions", f"podinfo-match-{number}") for number in (0, 1))
    assert [list(each["httpHeaderConfig"])[1] for each in mixed] == ["regexValues", "regexValues"]
    assert [list(each["httpHeaderConfig"])[1] for each in plain] == ["values"]


@pytest.mark.parametrize(
    ("test", "why"),
    [
        (MatchTest("header", "Host", "==", "a"), "matter of the Ingress' hosts"),
        (MatchTest("header", "a" * 41, "==", "a"), "40 characters at most"),
        (MatchTest("header", "a", "==", "é"), "visible characters"),
        (MatchTest("header", "a", "==", ""), "1 to 128"),
        (MatchTest("header", "a", "==", "b" * 129), "takes 129"),
        (MatchTest("header", "a", "=~", r"^\pL+$"), "knows no classes"),
        (MatchTest("query", "a", "=~", "b"), "no expressions on query parameters"),
    ],
)
def test_what_cannot_be_compared_is_refused(test: MatchTest, why: str) -> None:
    with pytest.raises(TrafficError, match=why):
        routed(matching([test]))


def heads(count: int, op: str = "==") -> list[MatchTest]:
    return [MatchTest("header", f"x-{number}", op, "1") for number in range(count)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "tests", "room"),
    [
        (("/", "Prefix"), heads(3), True),
        (("/", "Prefix"), heads(4), False),
        (("/shop", "Prefix"), heads(2), True),
        (("/shop", "Prefix"), heads(3), False),
        (("/shop", "Exact"), heads(3), True),
        (("/*/a*/*", "ImplementationSpecific"), heads(2, "^="), True),
        (("/*/a*/*", "ImplementationSpecific"), heads(3, "^="), False),
    ],
)
def test_a_rule_has_room_for_five_comparisons_and_wildcards(
    place: tuple[str, str], tests: list[MatchTest], room: bool
) -> None:
    if room:
        routed(matching(tests), paths(place))
        return
    with pytest.raises(TrafficError, match="test less at once"):
        routed(matching(tests), paths(place))


def test_conditions_of_the_users_hold_for_the_canary_too_and_take_room() -> None:
    method = '[{"field":"http-request-method","httpRequestMethodConfig":{"values":["GET","HEAD"]}}]'
    made = routed(matching([QUERY]), saying("conditions.podinfo", method))
    assert [each["field"] for each in said(made, "conditions", "podinfo-match-0")] == [
        "http-request-method",
        "query-string",
    ]
    with pytest.raises(TrafficError, match="test less at once"):
        routed(matching(heads(2)), saying("conditions.podinfo", method))


@pytest.mark.parametrize("text", ["{", "{}", '["a"]'])
def test_conditions_that_cannot_be_read_are_told(text: str) -> None:
    routed(weight(10), saying("conditions.podinfo", text))
    with pytest.raises(TrafficError, match="is no JSON list of conditions"):
        routed(matching([HEADER]), saying("conditions.podinfo", text))


def test_paths_of_a_match_stand_right_before_those_that_they_copy() -> None:
    made = routed(matching([HEADER], [QUERY]), paths(("/a", "Prefix"), ("/b", "Exact")))
    (rule,) = made.objects[USERS]["spec"]["rules"]
    assert [(path["path"], path["pathType"], path["backend"]["service"]["name"]) for path in rule["http"]["paths"]] == [
        (path, how, name)
        for path, how in (("/a", "Prefix"), ("/b", "Exact"))
        for name in ("podinfo-match-0", "podinfo-match-1", "podinfo")
    ]


def test_a_default_backend_is_weighed_but_cannot_be_matched() -> None:
    def default(ingress: Manifest) -> None:
        ingress["spec"]["defaultBackend"] = {"service": {"name": "podinfo", "port": {"number": 80}}}

    made = routed(weight(10), default)
    assert made.objects[USERS]["spec"]["defaultBackend"]["service"]["port"] == {"name": "use-annotation"}
    made.do(ALB.release(PLACE, made.objects))
    assert made.objects[USERS]["spec"]["defaultBackend"]["service"]["port"] == {"number": 80}
    with pytest.raises(TrafficError, match="by its default backend"):
        routed(matching([HEADER]), default)


@pytest.mark.parametrize(
    ("percent", "age_ms", "seconds"),
    [(20, 86_400_000, 86_400), (20, 10**10, 604_800), (20, 10, 1), (0, 86_400_000, None), (100, 86_400_000, None)],
)
def test_clients_are_kept_only_while_both_arms_get_some(percent: float, age_ms: int, seconds: int | None) -> None:
    made = routed(Routing(percent, sticky=StickySpec("any", age_ms)))
    config = said(made, "actions")["forwardConfig"].get("targetGroupStickinessConfig")
    assert config == (None if seconds is None else {"enabled": True, "durationSeconds": seconds})


@pytest.mark.parametrize("percent", [0.1, 0.2, 33.3, 50, 99.9])
def test_weights_are_what_the_load_balancer_can_hold(percent: float) -> None:
    primary, canary = (
        group["weight"] for group in said(routed(weight(percent)), "actions")["forwardConfig"]["targetGroups"]
    )
    assert 0 <= primary <= 999
    assert 0 <= canary <= 999
    assert canary / (primary + canary) == pytest.approx(percent / 100)


def test_an_action_that_the_user_writes_meanwhile_is_the_original() -> None:
    made = routed(weight(10))
    theirs = '{"type":"forward","targetGroupARN":"arn:theirs"}'
    saying("actions.podinfo", theirs)(made.objects[USERS])
    assert ALB.read(PLACE, made.objects) is None
    made.do(ALB.render(PLACE, weight(20), made.objects))
    assert ALB.read(PLACE, made.objects) == weight(20)
    made.do(ALB.release(PLACE, made.objects))
    assert made.objects[USERS]["metadata"]["annotations"][f"{PREFIX}/actions.podinfo"] == theirs


def test_weights_that_somebody_changed_are_read() -> None:
    made = routed(weight(10))
    annotations = made.objects[USERS]["metadata"]["annotations"]
    annotations[f"{PREFIX}/actions.podinfo"] = annotations[f"{PREFIX}/actions.podinfo"].replace(
        '"weight":10}', '"weight":90}'
    )
    assert ALB.read(PLACE, made.objects) == weight(50)


def test_of_a_match_that_somebody_changed_the_most_is_thought() -> None:
    made = routed(matching([HEADER]))
    saying("conditions.podinfo-match-0", "[]")(made.objects[USERS])
    assert ALB.read(PLACE, made.objects) == Routing(matches=((),))


def test_an_ingress_that_leads_elsewhere_is_told() -> None:
    def elsewhere(ingress: Manifest) -> None:
        ingress["spec"] = json.loads(json.dumps(ingress["spec"]).replace('"podinfo"', '"other"'))

    with pytest.raises(TrafficError, match="does not name the Service `podinfo`"):
        routed(HOME, elsewhere)


def test_a_name_that_is_too_long_for_an_annotation_is_told() -> None:
    name = "a" * 50
    place = site("test", "alb", {"ingress": "shop"})
    place = type(place)(place.program, name, f"{name}-primary", f"{name}-canary", 80)
    made = Pretence(RIGS["alb"]("test").given)
    made.objects[USERS]["spec"]["defaultBackend"] = None
    made.objects[USERS]["spec"] = json.loads(json.dumps(made.objects[USERS]["spec"]).replace('"podinfo"', f'"{name}"'))
    made.do(ALB.render(place, weight(10), made.objects))
    with pytest.raises(TrafficError, match="give the Service"):
        ALB.render(place, matching([HEADER]), made.objects)


def test_copies_are_refused() -> None:
    with pytest.raises(TrafficError, match="cannot copy requests"):
        routed(Routing(mirror=10.0))
