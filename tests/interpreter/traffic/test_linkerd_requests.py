"""Protects that Linkerd's proxies and a mesh behind SMI send each request where the local proxy would.

Linkerd's rules of matching and precedence are the Gateway API's, and its expressions must fit the whole value. Of a
TrafficSplit with matches, what fits none of them goes to the endpoints of the apex Service, which are the primary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from interpreter.desired import Routing
from interpreter.objects import Apply
from interpreter.traffic.linkerd import Linkerd
from interpreter.traffic.provider import Site, TrafficError, TrafficProvider
from interpreter.traffic.smi import Smi
from tests.interpreter.traffic.rigs import site
from tests.interpreter.traffic.test_gateway_api_requests import IMPLEMENTATIONS, Regex, shares
from tests.interpreter.traffic.test_istio_requests import REQUESTS, ROUTINGS, SESSION, Request, wanted_share

LINKERD = site("test", "linkerd", session=SESSION)
SPLITS = {version: site("test", "smi", {"api": version}) for version in ("v1alpha3", "v1alpha4")}


def specs(provider: TrafficProvider, place: Site, routing: Routing) -> dict[str, Any]:
    """By kind. What cannot be had is not tested."""
    try:
        changes = provider.render(place, routing, {})
    except TrafficError:
        assume(False)
    made = [change.manifest for change in changes if isinstance(change, Apply)]
    return {each["kind"]: each["spec"] for each in made}


@settings(max_examples=500, deadline=None)
@given(ROUTINGS, REQUESTS)
def test_linkerd_sends_requests_where_the_local_proxy_does(routing: Routing, request: Request) -> None:
    made = specs(Linkerd(), LINKERD, replace(routing, mirror=0))["HTTPRoute"]["rules"]
    assert all(len(rule["matches"]) <= 8 for rule in made)
    found = shares(made, request, IMPLEMENTATIONS["whole"])
    assert found.get("podinfo-canary", 0.0) == pytest.approx(wanted_share(routing, request))


@settings(max_examples=500, deadline=None)
@given(ROUTINGS, REQUESTS, st.sampled_from(sorted(SPLITS)), st.sampled_from(sorted(IMPLEMENTATIONS)))
def test_a_split_sends_requests_where_the_local_proxy_does(
    routing: Routing, request: Request, version: str, how: str
) -> None:
    asked = Routing(0.0 if routing.matches else routing.weight, matches=routing.matches)
    made = specs(Smi(), SPLITS[version], asked)
    assert _canary(made, request, IMPLEMENTATIONS[how]) == pytest.approx(wanted_share(asked, request))


def _canary(made: dict[str, Any], request: Request, regex: Regex) -> float:
    split = made["TrafficSplit"]
    if "matches" in split and not any(_fits(match, request, regex) for match in made["HTTPRouteGroup"]["matches"]):
        return 0.0
    weights: dict[str, int] = {backend["service"]: backend["weight"] for backend in split["backends"]}
    return 100.0 * weights["podinfo-canary"] / sum(weights.values())


def _fits(match: dict[str, Any], request: Request, regex: Regex) -> bool:
    headers = {key.lower(): value for key, value in request.headers.items()}
    if request.cookies:
        headers["cookie"] = "; ".join(f"{key}={value}" for key, value in request.cookies)
    tests = match["headers"] if isinstance(match["headers"], list) else [match["headers"]]
    pairs = [pair for each in tests for pair in each.items()]
    return all(name in headers and regex(pattern, headers[name]) is not None for name, pattern in pairs)
