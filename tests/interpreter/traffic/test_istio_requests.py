"""Protects that Istio sends each request where the local proxy would: the rendered rules are played by Envoy's rules of
matching, over requests that are made to be near misses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.local.choice import Choice
from interpreter.objects import Apply
from interpreter.traffic.istio import Istio
from interpreter.traffic.provider import TrafficError
from tests.interpreter.traffic.rigs import site

SESSION = "s3ss10n"
PLACE = site("test", "istio", session=SESSION)


class Request(NamedTuple):
    """What can be told of a request. `cookies` keep their order."""

    headers: Mapping[str, str] = {}
    cookies: tuple[tuple[str, str], ...] = ()
    queries: Mapping[str, str] = {}

    def header(self, name: str) -> Iterable[str]:
        return [value for key, value in self.headers.items() if key.lower() == name.lower()]

    def cookie(self, name: str) -> Iterable[str]:
        return [value for key, value in self.cookies if key == name]

    def query(self, name: str) -> Iterable[str]:
        return [value for key, value in self.queries.items() if key == name]


def rules(routing: Routing) -> list[dict[str, Any]]:
    *_, service = Istio().render(PLACE, routing, {})
    assert isinstance(service, Apply)
    found: list[dict[str, Any]] = service.manifest["spec"]["http"]
    return found


def shares(made: list[dict[str, Any]], request: Request) -> dict[str, float]:
    """Percent by host, as Envoy would have it: the first rule that matches decides."""
    headers = {key.lower(): value for key, value in request.headers.items()}
    if request.cookies:
        headers["cookie"] = "; ".join(f"{key}={value}" for key, value in request.cookies)
    for rule in made:
        matches = rule.get("match") or [{}]
        if any(_fits(match, headers, request.queries) for match in matches):
            total = sum(entry["weight"] for entry in rule["route"])
            return {entry["destination"]["host"]: 100 * entry["weight"] / total for entry in rule["route"]}
    raise AssertionError("no rule matches")


def _fits(match: Mapping[str, Any], headers: Mapping[str, str], queries: Mapping[str, str]) -> bool:
    assert match.keys() <= {"headers", "queryParams"}
    tests = [(headers.get(key), test) for key, test in match.get("headers", {}).items()]
    tests += [(queries.get(key), test) for key, test in match.get("queryParams", {}).items()]
    return all(value is not None and _holds(test, value) for value, test in tests)


def _holds(test: Mapping[str, str], value: str) -> bool:
    match dict(test):
        case {"exact": wanted}:
            return value == wanted
        case {"prefix": wanted}:
            return value.startswith(wanted)
        case {"regex": pattern}:
            return re2.fullmatch(pattern, value) is not None
        case other:
            assert other == {}
            return True


NAMES = ("a", "xa", "ax", "A", "a.b")
VALUES = ("", "b", "bb", "ab", "a=b", "b c", "beta-1", "xbeta", "1", "a;b".replace(";", "."), SESSION, f"{SESSION}0")
PATTERNS = (
    "b",
    "^b",
    "b$",
    "^b$",
    "^$",
    "",
    "a.b",
    "a|^b$",
    "[^x]eta",
    r"\d",
    "(?i)BETA",
    r"^\w+$",
    "b.*b",
    r"\bb\b",
    "=b",
)
TESTS = st.builds(
    MatchTest,
    st.sampled_from(("header", "cookie", "query")),
    st.sampled_from(NAMES),
    st.sampled_from(("==", "^=", "exists")),
    st.sampled_from(VALUES),
) | st.builds(
    MatchTest,
    st.sampled_from(("header", "cookie", "query")),
    st.sampled_from(NAMES),
    st.just("=~"),
    st.sampled_from(PATTERNS),
)
ALTERNATIVES = st.lists(st.lists(TESTS, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)
ROUTINGS = st.builds(
    Routing,
    st.sampled_from((0.0, 12.5, 100.0)),
    st.just(0.0),
    ALTERNATIVES,
    st.sampled_from((None, StickySpec("a", 1000), StickySpec("a.b", 1000))),
)
REQUESTS = st.builds(
    Request,
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=2).filter(
        lambda found: len({key.lower() for key in found}) == len(found)
    ),
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=3, unique_by=lambda pair: pair[0]
    ).map(tuple),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=2),
)


@settings(max_examples=1500, deadline=None)
@given(ROUTINGS, REQUESTS)
def test_requests_go_where_the_local_proxy_sends_them(routing: Routing, request: Request) -> None:
    try:
        made = rules(routing)
    except TrafficError:
        assume(False)
    wanted = wanted_share(routing, request)
    assert shares(made, request).get("podinfo-canary", 0.0) == pytest.approx(wanted)


def wanted_share(routing: Routing, request: Request) -> float:
    """Percent of such requests that the local proxy gives to the canary: what no weight and all the weight have in
    common is certain, and the rest goes by weight."""
    choice = Choice(routing, SESSION)
    roles = {choice.role(request) for _ in range(24)}
    if roles == {"canary", "primary"}:
        return routing.weight
    return 100.0 if roles == {"canary"} else 0.0


@pytest.mark.parametrize(
    ("header", "held"),
    [
        ("s=s3ss10n", True),
        ("s=s3ss10n; other=1", True),
        ("other=1;s=s3ss10n", True),
        ("other=1;  s=s3ss10n ; more=2", True),
        ("s=s3ss10n0", False),
        ("s=0s3ss10n", False),
        ("xs=s3ss10n", False),
        ("x-s=s3ss10n", False),
        ("other=s=s3ss10n", False),
        ("s=", False),
        ("S=s3ss10n", False),
    ],
)
def test_just_the_holders_of_the_cookie_stay(header: str, held: bool) -> None:
    made = rules(Routing(10.0, sticky=StickySpec("s", 1000)))
    assert (shares(made, Request({"Cookie": header})).get("podinfo-canary") == 100.0) is held


def test_the_primarys_holders_stay_until_all_goes_to_the_canary() -> None:
    both = StickySpec("c", 1000, {"primary_cookie": "p"})
    of_primary, of_canary = Request(cookies=(("p", SESSION),)), Request(cookies=(("p", SESSION), ("c", SESSION)))
    made = rules(Routing(10.0, sticky=both))
    assert shares(made, of_primary) == {"podinfo-primary": 100.0}
    assert shares(made, of_canary) == {"podinfo-canary": 100.0}
    assert shares(made, Request()) == {"podinfo-primary": 90.0, "podinfo-canary": 10.0}
    matched = rules(Routing(10.0, matches=((MatchTest("cookie", "p", "exists"),),), sticky=both))
    assert shares(matched, of_primary) == {"podinfo-canary": 100.0}
    assert shares(rules(Routing(100.0, sticky=both)), of_primary)["podinfo-canary"] == 100.0
