"""The Gateway API: an HTTPRoute, or a GRPCRoute where the service speaks gRPC.

Without the option `route` the route has the apex Service's name, attaches to the Gateways of `gateway_refs`, and is
ours from top to bottom; one of that name that was there before is taken over, and given back on release. With `route`
the user keeps a route, and only where one of its rules leads is ours (`gateway_api_users_route`).

`api "v1beta1"` writes HTTPRoutes of that version. What an implementation says that it cannot do is refused
(`gateway_api_features`). A route that a Gateway has not accepted routes nothing: `trouble` says so in words, for people
to see; it holds nothing up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.routing import HOME
from interpreter.traffic import gateway_api_features, gateway_api_users_route
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

    def further(self, site: Site, existing: Objects) -> tuple[Ref, ...]:
        if not gateway_api_features.depends_on_features(site.program):
            return ()
        return gateway_api_features.further(_version(site), site.namespace, _parents(site, existing), existing)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        ref = _route(site)
        self._demand(site, routing, existing)
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

    def trouble(self, site: Site, existing: Objects) -> str | None:
        ref = _route(site)
        live = existing.get(ref)
        said = None if live is None else _said_of(live)
        return None if said is None else f"{ref} {said}"

    def _demand(self, site: Site, routing: Routing, existing: Objects) -> None:
        """Only what the route does not have already, so that nothing keeps traffic from being taken back."""
        if not gateway_api_features.needs(site.program, routing):
            return
        live = existing.get(_route(site))
        held = self.read(site, existing) or (HOME if live is not None and is_ours(live) else None)
        wanted = gateway_api_features.needs(site.program, routing, held)
        gateway_api_features.demand(wanted, _version(site), site.namespace, _parents(site, existing), existing)


def _said_of(route: Mapping[str, Any]) -> str | None:
    """A Gateway's refusal of a route, in words; None if there is none. Each Gateway reports in
    `status.parents[].conditions`; a report on an earlier generation says nothing of this one, and one that is still to
    come may never come."""
    generation = route["metadata"].get("generation")
    for parent in (route.get("status") or {}).get("parents") or ():
        for condition in parent.get("conditions") or ():
            of_this = condition.get("observedGeneration") in (None, generation)
            if of_this and condition.get("type") in _BAD and condition.get("status") == "False":
                said = f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")
                return f"{_BAD[condition['type']]} at {_parent(parent)} ({said or 'no reason given'})"
    return None


def _parent(parent: Mapping[str, Any]) -> str:
    ref = parent.get("parentRef") or {}
    namespace = f"{ref['namespace']}/" if ref.get("namespace") else ""
    return f"{ref.get('kind', 'Gateway')} `{namespace}{ref.get('name', '')}`"


def _parents(site: Site, existing: Objects) -> gateway_api_features.Parents:
    """Of the user's route, or of ours."""
    if Options(site.program).route:
        return (existing.get(_route(site)) or {}).get("spec", {}).get("parentRefs") or ()
    return Options(site.program).gateway_refs


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
