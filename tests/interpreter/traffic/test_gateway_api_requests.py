"""Protects that a Gateway sends each request where the local proxy would: the rendered rules are played by the Gateway
API's rules of matching and precedence, by implementations whose expressions search and by those whose must fit the
whole value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.objects import Apply
from interpreter.traffic.gateway_api import GatewayApi
from interpreter.traffic.provider import TrafficError
from tests.interpreter.traffic.rigs import site
from tests.interpreter.traffic.test_istio_requests import REQUESTS, ROUTINGS, SESSION, Request, wanted_share

PLACE = site("test", "gateway_api", {"gateway_refs": [{"name": "public"}]}, session=SESSION)

Regex = Callable[[str, str], object]
IMPLEMENTATIONS: Mapping[str, Regex] = {"search": re2.search, "whole": re2.fullmatch}


def rules(routing: Routing) -> list[dict[str, Any]]:
    (change,) = GatewayApi().render(PLACE, routing, {})
    assert isinstance(change, Apply)
    found: list[dict[str, Any]] = change.manifest["spec"]["rules"]
    return found


def shares(made: list[dict[str, Any]], request: Request, regex: Regex) -> dict[str, float]:
    """Percent by Service: of the matches that fit, the one with most headers, then most parameters, then the first."""
    headers = {key.lower(): value for key, value in request.headers.items()}
    if request.cookies:
        headers["cookie"] = "; ".join(f"{key}={value}" for key, value in request.cookies)
    fitting = [
        (-len(match.get("headers", ())), -len(match.get("queryParams", ())), number)
        for number, rule in enumerate(made)
        for match in rule["matches"]
        if _fits(match, headers, request.queries, regex)
    ]
    backends = made[min(fitting)[-1]]["backendRefs"]
    total = sum(backend["weight"] for backend in backends)
    return {backend["name"]: 100 * backend["weight"] / total for backend in backends}


def _fits(match: Mapping[str, Any], headers: Mapping[str, str], queries: Mapping[str, str], regex: Regex) -> bool:
    assert match["path"] == {"type": "PathPrefix", "value": "/"}
    tests = [(headers.get(test["name"].lower()), test) for test in match.get("headers", ())]
    tests += [(queries.get(test["name"]), test) for test in match.get("queryParams", ())]
    return all(value is not None and _holds(test, value, regex) for value, test in tests)


def _holds(test: Mapping[str, str], value: str, regex: Regex) -> bool:
    if test["type"] == "Exact":
        return value == test["value"]
    return regex(test["value"], value) is not None


@settings(max_examples=1000, deadline=None)
@given(ROUTINGS, REQUESTS, st.sampled_from(sorted(IMPLEMENTATIONS)))
def test_requests_go_where_the_local_proxy_sends_them(routing: Routing, request: Request, how: str) -> None:
    try:
        made = rules(routing)
    except TrafficError:
        assume(False)
    found = shares(made, request, IMPLEMENTATIONS[how])
    assert found.get("podinfo-canary", 0.0) == pytest.approx(wanted_share(routing, request))


@pytest.mark.parametrize("how", IMPLEMENTATIONS)
def test_the_primarys_holders_stay_but_for_matches_and_the_canarys_cookie(how: str) -> None:
    regex = IMPLEMENTATIONS[how]
    matches = ((MatchTest("query", "v", "==", "2"),), (MatchTest("header", "x", "exists"),))
    made = rules(Routing(10.0, matches=matches, sticky=StickySpec("c", 1000, {"primary_cookie": "p"})))
    of_primary = Request(cookies=(("p", SESSION),))
    assert shares(made, of_primary, regex) == {"podinfo-primary": 100.0}
    assert shares(made, of_primary._replace(queries={"v": "2"}), regex) == {"podinfo-canary": 100.0}
    assert shares(made, of_primary._replace(headers={"X": "1"}), regex) == {"podinfo-canary": 100.0}
    assert shares(made, Request(cookies=(("p", SESSION), ("c", SESSION))), regex) == {"podinfo-canary": 100.0}
    assert shares(made, Request(), regex) == {"podinfo-primary": 90.0, "podinfo-canary": 10.0}
