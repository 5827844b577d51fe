"""The Gateway API: an HTTPRoute, or a GRPCRoute where the service speaks gRPC.

Without the option `route` the route has the apex Service's name, attaches to the Gateways of `gateway_refs`, and is
ours from top to bottom; one of that name that was there before is taken over, and given back on release. With `route`
the user keeps a route, and only where one of its rules leads is ours (`gateway_api_users_route`).

`api "v1beta1"` writes HTTPRoutes of that version. A route that no Gateway has accepted routes nothing: `accepted` says
so in words, for people to see; it holds nothing up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.state import Routing
from interpreter.traffic import gateway_api_users_route
from interpreter.traffic.gateway_api_crd import GROUP, Installed, crd_ref, depends_on_version, installed
from interpreter.traffic.gateway_api_matches import RouteKind
from interpreter.traffic.gateway_api_rule import base_rule
from interpreter.traffic.gateway_api_split import is_split, one_match_each, read_rules, same, split
from interpreter.traffic.gateway_api_users_route import MOST_RULES
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import is_ours, manifest, put, put_back
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import note, trusted

VERSIONS = ("v1", "v1beta1")
_GRPC = ("grpc", "grpcs", "grpc-web")
_BAD = {"Accepted": "is not accepted", "ResolvedRefs": "has references that cannot be followed"}


class GatewayApi:
    """The provider `gateway_api`."""

    name = "gateway_api"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        route = _route(site)
        return (route, crd_ref(_kind(site))) if depends_on_version(site.program) else (route,)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        ref = _route(site)
        if Options(site.program).route:
            return gateway_api_users_route.changes(
                _kind(site), site, ref, routing, existing, _installed(site, existing)
            )
        spec = _spec(site, routing, _installed(site, existing))
        live = existing.get(ref)
        if live is not None and not is_ours(live) and same(spec, live["spec"]):
            spec = live["spec"]  # the API server has filled in defaults, which are no reason to write again
        wanted = manifest(site, ref, spec)
        note(wanted, site.apex, routing)
        return tuple(put(site, wanted, existing, partial(is_split, site)))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        live = existing.get(_route(site))
        if live is None:
            return None
        crd = _installed(site, existing)
        if Options(site.program).route:
            return gateway_api_users_route.read(_kind(site), site, live, crd)
        rules: Sequence[Mapping[str, Any]] = live.get("spec", {}).get("rules") or ()
        found = trusted(live, site, lambda each, routing: same(_spec(each, routing, crd)["rules"], rules))
        return found or read_rules(site, rules)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        if Options(site.program).route:
            return gateway_api_users_route.released(site, existing.get(_route(site)))
        return tuple(put_back(site, _route(site), existing, partial(is_split, site)))


def accepted(route: Mapping[str, Any]) -> str | None:
    """What keeps a route, as the cluster has it, from routing, in words; None if its Gateways have accepted it.

    Each Gateway reports in `status.parents[].conditions`; a report on an earlier generation says nothing of this one.
    """
    generation = route["metadata"].get("generation")
    parents = (route.get("status") or {}).get("parents") or []
    reports = [
        (parent, condition)
        for parent in parents
        for condition in parent.get("conditions") or ()
        if condition.get("type") in _BAD and condition.get("observedGeneration") in (None, generation)
    ]
    for parent, condition in reports:
        if condition.get("status") == "False":
            said = f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")
            return f"the route {_BAD[condition['type']]} at {_parent(parent)} ({said or 'no reason given'})"
    silent = [ref for ref in _expected(route) if not any(_is_of(report, ref) for report in reports)]
    if silent:
        return f"{_parent({'parentRef': silent[0]})} has not accepted the route yet"
    return None


def _expected(route: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(route.get("spec", {}).get("parentRefs") or ())


def _is_of(report: tuple[Mapping[str, Any], Mapping[str, Any]], ref: Mapping[str, Any]) -> bool:
    parent, condition = report
    named = parent.get("parentRef") or {}
    same = all(named.get(key) == ref[key] for key in ("name", "namespace", "sectionName", "port") if key in ref)
    return same and condition["type"] == "Accepted" and condition.get("status") == "True"


def _parent(parent: Mapping[str, Any]) -> str:
    ref = parent.get("parentRef") or {}
    namespace = f"{ref['namespace']}/" if ref.get("namespace") else ""
    return f"{ref.get('kind', 'Gateway')} `{namespace}{ref.get('name', '')}`"


def _kind(site: Site) -> RouteKind:
    service = site.program.service
    spoken = (service.app_protocol or "").lower(), (service.port_name or "").lower()
    return "GRPCRoute" if spoken[0] in _GRPC or spoken[1].startswith("grpc") else "HTTPRoute"


def _version(site: Site) -> str:
    version = Options(site.program).api or VERSIONS[0]
    if version not in VERSIONS:
        raise TrafficError(f"traffic gateway_api: the option `api` is `{version}`; write {' or '.join(VERSIONS)}")
    return version if _kind(site) == "HTTPRoute" else VERSIONS[0]


def _route(site: Site) -> Ref:
    return site.ref(f"{GROUP}/{_version(site)}", _kind(site), Options(site.program).route or site.apex)


def _installed(site: Site, existing: Objects) -> Installed:
    return installed(_kind(site), _version(site), existing)


def _spec(site: Site, routing: Routing, crd: Installed) -> Manifest:
    options = Options(site.program)
    if not options.gateway_refs:
        raise TrafficError("traffic gateway_api: name the Gateways by `gateway_refs`, or a route of yours by `route`")
    bases = one_match_each(base_rule(_kind(site), site, crd))
    rules = [made for base in bases for made in split(_kind(site), site, base, routing, crd)]
    if len(rules) > MOST_RULES:
        raise TrafficError(
            f"the route would have {len(rules)} rules, and a route holds {MOST_RULES}: each match needs a rule of its "
            "own where the prefix of paths is replaced; write fewer matches"
        )
    spec: Manifest = {"parentRefs": [dict(ref) for ref in options.gateway_refs]}
    if options.hosts:
        spec["hostnames"] = list(options.hosts)
    return {**spec, "rules": rules}
