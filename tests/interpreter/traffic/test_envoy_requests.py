"""Protects that Gloo and App Mesh send each request where the local proxy would: the rendered routes are played by the
rules by which their Envoys match, over requests that are made to be near misses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import HealthCheck, assume, given, settings

from dsl.capabilities import PROVIDERS
from interpreter.desired import Routing
from interpreter.objects import Apply
from interpreter.traffic.provider import TrafficError
from interpreter.traffic.registry import provider
from tests.interpreter.traffic.rigs import site
from tests.interpreter.traffic.test_istio_requests import REQUESTS, ROUTINGS, SESSION, Request, wanted_share


def written(name: str, kind: str, routing: Routing) -> list[dict[str, Any]]:
    made = provider(name).render(site("test", name, session=SESSION), routing, {})
    found = [each.manifest for each in made if isinstance(each, Apply) and each.manifest["kind"] == kind]
    return list(next(each for each in found if each["metadata"]["name"] == "podinfo")["spec"]["routes"])


def gloo(routing: Routing, request: Request) -> float:
    """The canary's share of the first route with a matcher that fits."""
    for route in written("gloo", "RouteTable", routing):
        if any(_gloo_fits(matcher, request) for matcher in route.get("matchers") or [{}]):
            entries = route["routeAction"]["multi"]["destinations"]
            return _share((each["destination"]["upstream"]["name"], each["weight"]) for each in entries)
    raise AssertionError("no route fits")


def appmesh(routing: Routing, request: Request) -> float:
    """The canary's share of the route with the least priority number that fits."""
    for route in sorted(written("appmesh", "VirtualRouter", routing), key=lambda each: each["priority"]):
        http = route["httpRoute"]
        if _appmesh_fits(http["match"], request):
            targets = http["action"]["weightedTargets"]
            return _share((each["virtualNodeRef"]["name"], each["weight"]) for each in targets)
    raise AssertionError("no route fits")


def _share(weights: Iterable[tuple[str, int]]) -> float:
    parts = list(weights)
    return 100 * sum(part for name, part in parts if "-canary" in name) / sum(part for _, part in parts)


def _headers(request: Request) -> dict[str, str]:
    headers = {key.lower(): value for key, value in request.headers.items()}
    if request.cookies:
        headers["cookie"] = "; ".join(f"{key}={value}" for key, value in request.cookies)
    return headers


def _gloo_fits(matcher: Mapping[str, Any], request: Request) -> bool:
    assert matcher.keys() <= {"headers", "queryParameters"}
    headers = _headers(request)
    tests = [(headers.get(test["name"].lower()), test) for test in matcher.get("headers", ())]
    tests += [(request.queries.get(test["name"]), test) for test in matcher.get("queryParameters", ())]
    return all(value is not None and _gloo_holds(test, value) for value, test in tests)


def _gloo_holds(test: Mapping[str, Any], value: str) -> bool:
    if not test.get("value"):
        return True
    return re2.fullmatch(test["value"], value) is not None if test.get("regex") else value == test["value"]


def _appmesh_fits(match: Mapping[str, Any], request: Request) -> bool:
    assert match.keys() <= {"prefix", "headers", "queryParameters"}
    headers = _headers(request)
    tests = [(headers.get(test["name"].lower()), test) for test in match.get("headers", ())]
    tests += [(request.queries.get(test["name"]), test) for test in match.get("queryParameters", ())]
    return all(value is not None and _appmesh_holds(test.get("match"), value) for value, test in tests)


def _appmesh_holds(test: Mapping[str, str] | None, value: str) -> bool:
    match test:
        case None:
            return True
        case {"exact": text}:
            return value == text
        case {"prefix": text}:
            return value.startswith(text)
        case {"regex": pattern}:
            return re2.fullmatch(pattern, value) is not None
    raise AssertionError(test)


@pytest.mark.parametrize(("name", "played"), [("gloo", gloo), ("appmesh", appmesh)])
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(ROUTINGS, REQUESTS)
def test_requests_go_where_the_local_proxy_sends_them(
    name: str, played: Callable[[Routing, Request], float], routing: Routing, request: Request
) -> None:
    row = PROVIDERS[name]
    if not row.sticky:
        routing = replace(routing, sticky=None)
    if row.granularity >= 1:
        routing = replace(routing, weight=float(int(routing.weight)))
    assume(all(test.op in row.operators(test.kind) for tests in routing.matches for test in tests))
    try:
        found = played(routing, request)
    except TrafficError:
        assume(False)
    assert found == pytest.approx(wanted_share(routing, request))
