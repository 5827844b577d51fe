"""The routes of a RouteTable that lead to primary and canary, and the baseline if there is one: made, and read.

In order, the first that fits decides: holders of this run's cookie go to the canary, then those that the routing's
matches pick; holders of the primary's cookie go to the primary; then the weights decide. All are copies of one base
route with further tests, so they have the same paths and methods, and stay in this order when Gloo sorts the routes of
several tables by path.

Every destination is an Upstream of ours, in a list with weights even where it stands alone: there it can have options
of its own, and a cookie is given by one of them. Envoy copies what a route takes, whoever answers it: of what the
canary gets by its weight a mirror has a copy for it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.traffic.cookies import Binding, bindings
from interpreter.traffic.gloo_matches import Matcher, combined, tests_of
from interpreter.traffic.options import Options
from interpreter.traffic.provider import Site
from interpreter.traffic.reading import copied, scaled_parts, share

Route = dict[str, Any]
Destination = dict[str, Any]


class Names(NamedTuple):
    """What the routes before the weighted one are called. Empty names are left out."""

    sticky: str = ""
    match: str = ""
    primary: str = ""


_UNNAMED = Names()


class Base(NamedTuple):
    """What all routes share: `route` has neither action nor mirror, `matchers` are its own, with one at least, and
    `options` those of a destination."""

    route: Mapping[str, Any]
    matchers: Sequence[Matcher]
    options: Mapping[str, Any] = {}


def upstream_name(site: Site, arm: str) -> str:
    """The Upstream of `primary`, `canary` or `baseline`, by the name that Flagger gives it."""
    return f"{site.namespace}-{site.apex}-{arm}upstream-{Options(site.program).port or site.port}"


def routes(site: Site, base: Base, routing: Routing, names: Names = _UNNAMED) -> list[Route]:
    """The routes for this routing, the weighted one last. Raises `TrafficError` for cookies that cannot be tested."""
    cookies = bindings(site, routing)
    canary = [(_destination(site, base, "canary", cookies.canary), 100)]
    made = []
    if cookies.canary is not None:
        made.append(_route(base, _holder(cookies.canary), canary, names.sticky))
    if routing.matches:
        made.append(_route(base, routing.matches, canary, names.match))
    if cookies.primary is not None:
        held = _route(base, _holder(cookies.primary), [(_destination(site, base, "primary"), 100)], names.primary)
        made.append(_mirrored(site, held, routing))
    weighted = {**copied(base.route), "routeAction": _action(_split(site, base, routing))}
    return [*made, _mirrored(site, weighted, routing)]


def is_split(site: Site, found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any route leads to an Upstream of ours."""
    return any(_leads(site, route) for route in found)


def read_routes(site: Site, found: Sequence[Mapping[str, Any]]) -> Routing | None:
    """What routes amount to, by their weights, mirror and matchers; None if none of them leads to us."""
    ours = [route for route in found if _leads(site, route)]
    if not ours:
        return None
    *before, last = ours
    matches = [
        tests_of(each) for route in before if canary_share(site, route) for each in route.get("matchers") or [{}]
    ]
    return Routing(weight=canary_share(site, last), mirror=_mirror_share(site, last), matches=tuple(matches))


def canary_share(site: Site, route: Mapping[str, Any]) -> float:
    """Percent of a route's requests that the canary answers."""
    weights = [(upstream_of(site, entry), entry.get("weight") or 0) for entry in destinations(route)]
    if len(weights) == 1:
        return 100.0 if weights[0][0] == upstream_name(site, "canary") else 0.0
    canarys = sum(weight for name, weight in weights if name == upstream_name(site, "canary"))
    return share(canarys, sum(weight for _, weight in weights))


def destinations(route: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Where a route leads, a single destination as a list of one."""
    action = route.get("routeAction") or {}
    if action.get("single"):
        return [{"destination": action["single"], "weight": 1}]
    return list((action.get("multi") or {}).get("destinations") or ())


def upstream_of(site: Site, entry: Mapping[str, Any]) -> str:
    """The Upstream in the rollout's namespace that a weighted destination names; empty for any other."""
    upstream = (entry.get("destination") or {}).get("upstream") or {}
    return upstream.get("name", "") if upstream.get("namespace", site.namespace) == site.namespace else ""


def _leads(site: Site, route: Mapping[str, Any]) -> bool:
    ours = {upstream_name(site, arm) for arm in ("primary", "canary", "baseline")}
    return any(upstream_of(site, entry) in ours for entry in destinations(route))


def _route(
    base: Base, alternatives: Sequence[Sequence[MatchTest]], entries: list[tuple[Destination, int]], name: str
) -> Route:
    called = {"name": name} if name else {}
    made = {**copied(base.route), **called, "matchers": combined(base.matchers, alternatives)}
    return {**made, "routeAction": _action(entries)}


def _action(entries: Sequence[tuple[Destination, int]]) -> dict[str, Any]:
    return {"multi": {"destinations": [{**copied(entry), "weight": weight} for entry, weight in entries]}}


def _split(site: Site, base: Base, routing: Routing) -> list[tuple[Destination, int]]:
    cookies = bindings(site, routing)
    total, canary, baseline = scaled_parts(routing.weight, site.baseline_part(routing))
    entries = [
        (_destination(site, base, "primary", cookies.primary), total - canary - baseline),
        (_destination(site, base, "canary", cookies.canary), canary),
    ]
    return [*entries, (_destination(site, base, "baseline"), baseline)] if baseline else entries


def _destination(site: Site, base: Base, arm: str, binding: Binding | None = None) -> Destination:
    upstream = {"name": upstream_name(site, arm), "namespace": site.namespace}
    options = _giving(copied(base.options), binding)
    return {"destination": {"upstream": upstream}, **({"options": options} if options else {})}


def _giving(options: dict[str, Any], binding: Binding | None) -> dict[str, Any]:
    """Options of a destination whose responses give this cookie. Envoy reads `%` as the beginning of a variable."""
    if binding is not None:
        headers = options.setdefault("headerManipulation", {})
        given = {"header": {"key": "Set-Cookie", "value": binding.header.replace("%", "%%")}, "append": True}
        headers["responseHeadersToAdd"] = [*(headers.get("responseHeadersToAdd") or ()), given]
    return options


def _holder(binding: Binding) -> list[list[MatchTest]]:
    return [[MatchTest("cookie", binding.name, "==", binding.value)]]


def _mirrored(site: Site, route: Route, routing: Routing) -> Route:
    if routing.mirror <= 0:
        return route
    upstream = {"name": upstream_name(site, "canary"), "namespace": site.namespace}
    percentage = int(routing.mirror) if float(routing.mirror).is_integer() else routing.mirror
    shadowing = {"upstream": upstream, "percentage": percentage}
    return {**route, "options": {**(route.get("options") or {}), "shadowing": shadowing}}


def _mirror_share(site: Site, route: Mapping[str, Any]) -> float:
    shadowing = (route.get("options") or {}).get("shadowing") or {}
    if upstream_of(site, {"destination": shadowing}) != upstream_name(site, "canary"):
        return 0.0
    return float(shadowing.get("percentage") or 0)
