"""Protects what is ingress-nginx' own: values that its validation takes, what it cannot do, and what of the user's
Ingress is copied."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Apply, Manifest, Ref
from interpreter.routing import HOME
from interpreter.traffic.nginx import PREFIX, Nginx
from interpreter.traffic.provider import TrafficError
from interpreter.traffic.reading import NOTE
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, site
from tests.interpreter.traffic.situations import COOKIE, HEADER, STICKY, matching, weight

NGINX = Nginx()
PLACE = site("test", "nginx", {"ingress": "shop"})
VALID = r"[-._~a-zA-Z0-9/:^$\[\](){}*+?|&=\\]*"
"""What the validation of `canary-by-header-pattern` takes."""


def given(change: Callable[[Manifest], object] = lambda _: None) -> dict[Ref, Manifest]:
    """A user's Ingress `shop`, changed."""
    objects = Pretence(RIGS["nginx"]("test").given).objects
    for each in objects.values():
        change(each)
    return objects


def rendered(routing: Routing, objects: dict[Ref, Manifest] | None = None) -> Manifest:
    (change,) = NGINX.render(PLACE, routing, objects or given())
    assert isinstance(change, Apply)
    return change.manifest


def said(routing: Routing) -> dict[str, str]:
    """The annotations that make a canary, without their prefix."""
    annotations = rendered(routing)["metadata"]["annotations"]
    return {
        key.removeprefix(f"{PREFIX}/canary"): value
        for key, value in annotations.items()
        if key.startswith(f"{PREFIX}/canary-")
    }


# --- what is written ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (0.0, {"-weight": "0"}),
        (7.0, {"-weight": "7"}),
        (12.5, {"-weight": "125", "-weight-total": "1000"}),
        (0.01, {"-weight": "1", "-weight-total": "10000"}),
        (33.3333, {"-weight": "3333", "-weight-total": "10000"}),
        (100.0, {"-weight": "100"}),
    ],
)
def test_weights_are_whole_numbers_of_a_total(percent: float, expected: dict[str, str]) -> None:
    assert said(weight(percent)) == expected


def header(op: str, value: str) -> Routing:
    return matching([MatchTest("header", "x", op, value)])  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["insider", "a b", "a/b:c~d"])
def test_a_plain_value_is_compared(value: str) -> None:
    assert said(header("==", value))["-by-header-value"] == value


@pytest.mark.parametrize(
    ("op", "value", "yes", "no"),
    [
        ("==", "a,b", ["a,b"], ["a,bc", "xa,b"]),
        ("==", "50% (of it)", ["50% (of it)"], ["50% of it"]),
        ("==", "", [""], ["x"]),
        ("^=", "a.b", ["a.bc"], ["axb", "xa.b"]),
        ("^=", "ü!", ["ü!", "ü!x"], ["u!"]),
        ("=~", '"beta", [a,b]\\,', ['x "beta", a,', '"beta", ,,'], ['"beta" a,']),
        ("exists", "", ["", "x"], []),
    ],
)
def test_other_values_become_expressions_that_pass_the_validation(
    op: str, value: str, yes: list[str], no: list[str]
) -> None:
    pattern = said(header(op, value))["-by-header-pattern"]
    assert re.fullmatch(VALID, pattern)
    assert all(re.search(pattern.encode(), each.encode()) for each in yes)
    assert not any(re.search(pattern.encode(), each.encode()) for each in no)


@pytest.mark.parametrize("pattern", ["a{2,3}", "(?P<name>a)", "[ä]"])
def test_an_expression_that_the_validation_would_refuse(pattern: str) -> None:
    """There it would be taken for none, and `always` be let through."""
    with pytest.raises(TrafficError, match="ingress-nginx does not take"):
        rendered(header("=~", pattern))


# --- what cannot be had ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("routing", "words"),
    [
        (Routing(mirror=10.0), "cannot copy requests"),
        (Routing(10.0, sticky=STICKY), "cannot keep clients with the canary"),
        (matching([HEADER, COOKIE]), "two things of one request"),
        (matching([HEADER], [MatchTest("header", "y", "exists")]), "tests one header, and there are 2"),
        (matching([COOKIE], [COOKIE]), "tests one cookie, and there are 2"),
        (matching([MatchTest("cookie", "c", "==", "yes")]), 'write cookie "c" == "always"'),
        (matching([MatchTest("query", "v", "==", "2")]), "query parameter `v`"),
        (matching([MatchTest("cookie", "c!", "==", "always")]), "does not take `c!`"),
    ],
)
def test_what_it_cannot_do(routing: Routing, words: str) -> None:
    with pytest.raises(TrafficError, match=words):
        rendered(routing)


def test_an_ingress_that_is_not_there() -> None:
    with pytest.raises(TrafficError, match="Ingress `test/shop`, which `ingress` names, does not exist"):
        NGINX.render(PLACE, HOME, {})
    with pytest.raises(TrafficError, match="name the Ingress whose traffic is split"):
        NGINX.refs(site("test", "nginx"))


def test_an_ingress_that_does_not_name_the_service() -> None:
    def elsewhere(ingress: Manifest) -> None:
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                path["backend"] = {"service": {"name": "elsewhere", "port": {"number": 80}}}
        ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"] = {"resource": {"kind": "Bucket", "name": "b"}}

    words = r"does not name the Service `podinfo`: it leads `shop.example.com/` to a resource, .*/exact` to `elsewhere`"
    with pytest.raises(TrafficError, match=words):
        rendered(HOME, given(elsewhere))
    with pytest.raises(TrafficError, match="it has no paths"):
        rendered(HOME, given(lambda ingress: ingress.update(spec={})))


# --- what is copied -------------------------------------------------------------------------------------------------


def test_only_what_a_canary_heeds_is_copied() -> None:
    """A certificate's issuer would act twice."""
    annotations = rendered(HOME)["metadata"]["annotations"]
    assert f"{PREFIX}/session-cookie-name" in annotations
    assert f"{PREFIX}/rewrite-target" not in annotations
    assert not [key for key in annotations if "cert-manager" in key or key.endswith("/ttl")]
    assert annotations["external-dns.kubernetes.io/ingress-hostname-source"] == "annotation-only"


def test_what_the_user_says_of_canaries_is_not_taken_over() -> None:
    def weighted(ingress: Manifest) -> None:
        ingress["metadata"]["annotations"][f"{PREFIX}/canary-weight-total"] = "7"

    assert f"{PREFIX}/canary-weight-total" not in rendered(weight(5), given(weighted))["metadata"]["annotations"]


def test_the_users_ingress_is_followed() -> None:
    """A path that the user adds is split at the next look; till then the routing does not hold."""
    made = Pretence(given().values())
    made.do(NGINX.render(PLACE, matching([HEADER]), made.objects))
    assert NGINX.read(PLACE, made.objects) == matching([HEADER])
    users = made.objects[NGINX.refs(PLACE)[0]]
    added = deepcopy(users["spec"]["rules"][0]["http"]["paths"][0])
    users["spec"]["rules"][0]["http"]["paths"].append({**added, "path": "/more"})
    made.objects[NGINX.refs(PLACE)[1]]["metadata"]["annotations"][f"{PREFIX}/canary-weight"] = "3"
    assert NGINX.read(PLACE, made.objects) == Routing(3.0, matches=((HEADER,),))
    made.do(NGINX.render(PLACE, HOME, made.objects))
    assert NGINX.read(PLACE, made.objects) == HOME
    paths = made.objects[NGINX.refs(PLACE)[1]]["spec"]["rules"][0]["http"]["paths"]
    assert [path["path"] for path in paths] == ["/", "/exact", "/more"]


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"canary-weight": "30"}, weight(30)),
        ({"canary-weight": "30", "canary-weight-total": "1000"}, weight(3)),
        ({"canary-weight": "30", "canary-weight-total": "50"}, weight(30)),
        ({"canary-weight": "many"}, None),
        ({"canary": "false"}, None),
        ({"canary-by-header": "x"}, matching([MatchTest("header", "x", "==", "always")])),
        ({"canary-by-header": "x", "canary-by-header-pattern": "^b"}, matching([MatchTest("header", "x", "=~", "^b")])),
        ({"canary-by-cookie": "c"}, matching([MatchTest("cookie", "c", "==", "always")])),
    ],
)
def test_annotations_that_somebody_changed(changes: dict[str, str], expected: Routing | None) -> None:
    objects: dict[Ref, Any] = given()
    objects[NGINX.refs(PLACE)[1]] = made = rendered(HOME)
    made["metadata"]["annotations"].update({f"{PREFIX}/{key}": value for key, value in changes.items()})
    assert NGINX.read(PLACE, objects) == expected


def test_what_flagger_made_is_read_without_a_note() -> None:
    objects: dict[Ref, Any] = given()
    objects[NGINX.refs(PLACE)[1]] = made = rendered(weight(15))
    del made["metadata"]["annotations"][NOTE]
    assert NGINX.read(PLACE, objects) == weight(15)


def test_without_the_users_ingress_nothing_is_routed() -> None:
    assert NGINX.read(PLACE, {NGINX.refs(PLACE)[1]: rendered(weight(15))}) is None
