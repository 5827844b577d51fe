"""Protects that Contour sends each request where the local proxy would: the rendered routes are put in order as Contour
does it and played by Envoy's rules of matching, over requests that are made to be near misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import given, settings

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.objects import Apply
from interpreter.traffic.contour import Contour
from interpreter.traffic.contour_conditions import PATHS
from tests.interpreter.traffic.rigs import site
from tests.interpreter.traffic.test_istio_requests import REQUESTS, ROUTINGS, SESSION, Request, wanted_share

PLACE = site("test", "contour", session=SESSION)
Route = Mapping[str, Any]


def routes(routing: Routing, place: Any = PLACE) -> list[Route]:
    (change,) = Contour().render(place, routing, {})
    assert isinstance(change, Apply)
    found: list[Route] = change.manifest["spec"]["routes"]
    _valid(found)
    return found


def _valid(found: Sequence[Route]) -> None:
    """What Contour refuses a whole HTTPProxy for."""
    for route in found:
        for part in ("header", "queryParameter"):
            exact = [one[part]["name"].lower() for one in route["conditions"] if "exact" in one.get(part, {})]
            assert len(exact) == len(set(exact)), "two exact conditions on one name"
            assert all(len(one[part]) == 2 and all(one[part].values()) for one in route["conditions"] if part in one)
        assert sum(entry.get("mirror", False) for entry in route["services"]) <= 1
        assert any(key in route["conditions"][-1] for key in PATHS), "a path that is not last is a prefix"


def shares(made: Sequence[Route], request: Request, path: str = "/") -> dict[str, float]:
    """Percent by Service: of the routes that fit, the one with the longest path, then most headers, then most
    parameters. Of those that are still equal any may be first: they must all say the same."""
    headers = {key.lower(): value for key, value in request.headers.items()} | {":authority": "a", ":path": path}
    if request.cookies:
        headers["cookie"] = "; ".join(f"{key}={value}" for key, value in request.cookies)
    fitting = [route for route in made if _fits(route["conditions"], headers, request.queries, path)]
    best = max(_rank(route["conditions"]) for route in fitting)
    (answer,) = {tuple(sorted(_dealt(route).items())) for route in fitting if _rank(route["conditions"]) == best}
    return dict(answer)


def _rank(conditions: Sequence[Mapping[str, Any]]) -> tuple[bool, int, int, int]:
    path = next(one for one in conditions if any(key in one for key in PATHS))
    headers, queries = (sum(part in one for one in conditions) for part in ("header", "queryParameter"))
    return "exact" in path, max(len(text) for text in path.values()), headers, queries


def _dealt(route: Route) -> dict[str, float]:
    answering = [entry for entry in route["services"] if not entry.get("mirror")]
    total = sum(entry["weight"] for entry in answering)
    return {entry["name"]: 100 * entry["weight"] / total for entry in answering if entry["weight"]}


def _fits(
    conditions: Sequence[Mapping[str, Any]], headers: Mapping[str, str], queries: Mapping[str, str], path: str
) -> bool:
    for condition in conditions:
        for part, values in (("header", headers), ("queryParameter", queries)):
            if part in condition:
                name = condition[part]["name"]
                value = values.get(name.lower() if part == "header" else name)
                if value is None or not _holds(condition[part], value):
                    return False
        if not path.startswith(condition.get("prefix", "")) or condition.get("exact", path) != path:
            return False
    return True


def _holds(test: Mapping[str, Any], value: str) -> bool:
    match dict(test):
        case {"exact": wanted}:
            return bool(value == wanted)
        case {"prefix": wanted}:
            return value.startswith(wanted)
        case {"regex": pattern}:
            return re2.fullmatch(pattern, value) is not None
        case other:
            assert other["present"] is True
            return True


@settings(max_examples=1500, deadline=None)
@given(ROUTINGS, REQUESTS)
def test_requests_go_where_the_local_proxy_sends_them(routing: Routing, request: Request) -> None:
    wanted = wanted_share(routing, request)
    assert shares(routes(routing), request).get("podinfo-canary", 0.0) == pytest.approx(wanted)


def test_the_primarys_holders_stay_but_for_matches_and_the_canarys_cookie() -> None:
    matches = ((MatchTest("query", "v", "==", "2"),), (MatchTest("header", "x", "exists"),))
    made = routes(Routing(10.0, matches=matches, sticky=StickySpec("c", 1000, {"primary_cookie": "p"})))
    of_primary = Request(cookies=(("p", SESSION),))
    assert shares(made, of_primary) == {"podinfo-primary": 100.0}
    assert shares(made, of_primary._replace(queries={"v": "2"})) == {"podinfo-canary": 100.0}
    assert shares(made, of_primary._replace(headers={"X": "1"})) == {"podinfo-canary": 100.0}
    assert shares(made, Request(cookies=(("p", SESSION), ("c", SESSION)))) == {"podinfo-canary": 100.0}
    assert shares(made, Request()) == {"podinfo-primary": 90.0, "podinfo-canary": 10.0}


def test_a_match_of_the_services_own_takes_no_request_from_the_canary() -> None:
    """Contour puts the route with most conditions first, and the service's own conditions count as well."""
    own = [
        {"uri": {"prefix": "/a"}, "headers": {"x": {}, "y": {}}},
        {"uri": {"prefix": "/a"}},
        {"uri": {"exact": "/b"}},
    ]
    place = site("test", "contour", {"match": own}, session=SESSION)
    both = StickySpec("c", 1000, {"primary_cookie": "p"})
    made = routes(Routing(10.0, matches=((MatchTest("query", "v", "==", "2"),),), sticky=both), place)
    for headers in ({}, {"X": "1", "Y": "1"}):
        asked, cookie = Request(headers, queries={"v": "2"}), (("p", SESSION),)
        for path in ("/a/1", "/b"):
            assert shares(made, asked._replace(cookies=cookie), path) == {"podinfo-canary": 100.0}
            assert shares(made, Request(headers, cookie), path) == {"podinfo-primary": 100.0}
            assert shares(made, Request(headers), path) == {"podinfo-primary": 90.0, "podinfo-canary": 10.0}
    with pytest.raises(ValueError, match="empty"):
        shares(made, Request(), "/b/1")
