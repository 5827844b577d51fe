"""What an implementation of the Gateway API says that it can do, against what a routing asks of it.

Mirrors and matches on query parameters are optional. An implementation without one of them need not refuse the route:
one answers each request with an error, another copies everything instead of a share. So it is asked before. A route
names its Gateways, a Gateway its GatewayClass, and that has in `status.supportedFeatures` what the implementation can
do (GEP-2162). A class without a list is judged by what is known of its controller. What cannot be seen refuses nothing,
and neither does a parent that is no Gateway: a mesh has no class.

Only what a route does not have already is refused. So nothing here can keep traffic from being taken back, even where
the class says something else than it said when the route was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dsl.ir import Program, RouteOp
from interpreter.desired import Routing
from interpreter.objects import Objects, Ref
from interpreter.routing import HOME
from interpreter.traffic.gateway_api_crd import GROUP
from interpreter.traffic.options import Options
from interpreter.traffic.provider import TrafficError

MIRROR = "HTTPRouteRequestMirror"
SHARE = "HTTPRouteRequestPercentageMirror"
MIRRORS = "HTTPRouteRequestMultipleMirrors"
QUERY = "HTTPRouteQueryParamMatching"
"""Names of features, from the Gateway API's `pkg/features/httproute.go`. Those of a GRPCRoute have no names of their
own: what is not done for HTTP is taken not to be done for gRPC."""

LACKING: Mapping[str, frozenset[str]] = {
    "traefik.io/gateway-controller": frozenset({MIRROR, SHARE, MIRRORS}),
    "projectcontour.io/gateway-controller": frozenset({SHARE}),
}
"""By the controller's name: what an implementation cannot do, of those that have published, or publish, no list. Seen
with Traefik 3.7 and Contour 1.33 in `tests/interpreter/traffic/test_gateway_api_data_planes.py`."""

Parents = Sequence[Mapping[str, Any]]
"""The `parentRefs` of a route."""


class Need(NamedTuple):
    """A feature, and what it is needed for."""

    feature: str
    what: str


def depends_on_features(program: Program) -> bool:
    """Whether any routing of this rollout asks for anything that is optional: only then are Gateways read."""
    ops = [op for op in program.code if isinstance(op, RouteOp)]
    routings = [HOME, *(Routing(mirror=op.mirror or 0.0, matches=op.matches or ()) for op in ops)]
    return any(needs(program, each) for each in routings)


def further(version: str, namespace: str, parents: Parents, existing: Objects) -> tuple[Ref, ...]:
    """The Gateways among a route's parents, and the classes of those that are known."""
    gateways = _gateways(version, namespace, parents)
    classes = (_class(existing.get(gateway), version) for gateway in gateways)
    return (*gateways, *(each for each in classes if each is not None))


def demand(wanted: Sequence[Need], version: str, namespace: str, parents: Parents, existing: Objects) -> None:
    """Raises `TrafficError` if the class of a Gateway among a route's parents lacks what is wanted."""
    for gateway in _gateways(version, namespace, parents):
        ref = _class(existing.get(gateway), version)
        found = None if ref is None else existing.get(ref)
        if ref is None or found is None:
            continue
        for need in wanted:
            if why := _lacks(found, need.feature):
                raise TrafficError(f"{gateway} cannot have {need.what}: its {ref} {why}; do without {need.what}")


def needs(program: Program, routing: Routing, held: Routing | None = None) -> tuple[Need, ...]:
    """What a routing asks for that is optional, and that the route does not have already with the routing `held`; None
    where the route is still to be made, or to be split."""
    had = {need.feature for need in _needs(program, held)} if held is not None else set()
    return tuple(need for need in _needs(program, routing) if need.feature not in had)


def _lacks(found: Mapping[str, Any], feature: str) -> str:
    """Why a feature is not to be had, in words; empty if it is."""
    published = [_name(each) for each in (found.get("status") or {}).get("supportedFeatures") or ()]
    if published:
        return "" if feature in published else f"does not name `{feature}` in its `status.supportedFeatures`"
    controller = found.get("spec", {}).get("controllerName", "")
    return f"is {controller}'s, which is known not to do it" if feature in LACKING.get(controller, ()) else ""


def _name(published: Any) -> str:
    """Older versions of the Gateway API have lists of names alone."""
    return str(published.get("name", "")) if isinstance(published, Mapping) else str(published)


def _needs(program: Program, routing: Routing) -> Iterator[Need]:
    mirrors = len(Options(program).mirror_to)
    if routing.mirror > 0:
        yield Need(MIRROR, "a mirror")
    if 0 < routing.mirror < 100:
        yield Need(SHARE, f"a mirror of {routing.mirror:g}%")
    if mirrors:
        yield Need(MIRROR, "the option `mirror_to`")
    if mirrors + (routing.mirror > 0) > 1:
        yield Need(MIRRORS, "more than one mirror")
    if any(test.kind == "query" for tests in routing.matches for test in tests):
        yield Need(QUERY, "a match on a query parameter")


def _gateways(version: str, namespace: str, parents: Parents) -> tuple[Ref, ...]:
    named = (
        Ref(f"{GROUP}/{version}", "Gateway", parent.get("namespace") or namespace, parent["name"])
        for parent in parents
        if parent.get("name") and (parent.get("group", GROUP), parent.get("kind") or "Gateway") == (GROUP, "Gateway")
    )
    return tuple(dict.fromkeys(named))


def _class(gateway: Mapping[str, Any] | None, version: str) -> Ref | None:
    name = (gateway or {}).get("spec", {}).get("gatewayClassName")
    return Ref(f"{GROUP}/{version}", "GatewayClass", "", name) if name else None
