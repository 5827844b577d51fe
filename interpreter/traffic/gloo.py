"""Gloo: a RouteTable with weights, and an Upstream for each of primary, canary and baseline.

Without the option `route` the RouteTable has the apex Service's name and is ours from top to bottom; one of that name
that was there before is taken over, and given back on release. A VirtualService of the user's delegates to it, and its
paths are the table's too, unless `match` says others. With `route` the user keeps a RouteTable, and only where one of
its routes leads is ours (`gloo_users_route`).

The Upstreams are always ours. What is to be said of connections (TLS, pools, health checks) stands in an Upstream of
the user's, which `upstream` names as `namespace/name`: ours have its settings, all but where it leads. If it is gone,
they keep those that they have.

What Flagger wrote for Gloo has the same names, so the objects of a Canary are gone on with.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import gloo_users_route
from interpreter.traffic.gloo_matches import has_path, user_matchers
from interpreter.traffic.gloo_options import route_options
from interpreter.traffic.gloo_routes import Base, Route, is_split, read_routes, routes, upstream_name
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import manifest, put, put_back
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, covers, note, trusted

TABLES = "gateway.solo.io/v1"
UPSTREAMS = "gloo.solo.io/v1"

_WHERE_IT_LEADS = ("ai", "aws", "awsEc2", "azure", "consul", "gcp", "kube", "pipe", "static")
_NOT_SETTINGS = (*_WHERE_IT_LEADS, "discoveryMetadata", "namespacedStatuses", "status", "metadata")
_HTTP2 = frozenset({"grpc", "http2", "h2c", "kubernetes.io/h2c"})


class Gloo:
    """The provider `gloo`."""

    name = "gloo"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        model = _model_ref(site)
        ours = (_table_ref(site), *(_upstream_ref(site, arm) for arm in ("primary", "canary", "baseline")))
        return ours if model is None else (*ours, model)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        """An Upstream is there before anything leads to it, and goes after nothing does."""
        changes: list[Change] = []
        baseline = ("baseline",) if site.baseline_part(routing) else ()
        for arm in ("primary", "canary", *baseline):
            upstream = manifest(site, _upstream_ref(site, arm), _upstream_spec(site, arm, existing))
            changes += put(site, upstream, existing, partial(_leads_to, site, arm))
        if Options(site.program).route:
            changes += gloo_users_route.changes(site, _table_ref(site), routing, existing)
        else:
            table = manifest(site, _table_ref(site), {"routes": _routes(site, routing)})
            note(table, site.apex, routing)
            changes += put(site, table, existing, partial(_is_split, site))
        return (*changes, *([] if baseline else _without(site, "baseline", existing)))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        needed = (_table_ref(site), _upstream_ref(site, "primary"), _upstream_ref(site, "canary"))
        if any(ref not in existing for ref in needed):
            return None
        live = existing[_table_ref(site)]
        if Options(site.program).route:
            return gloo_users_route.read(site, live)
        found = _routes_of(live.get("spec") or {})
        noted = trusted(live, site, lambda each, routing: _routes(each, routing) == found)
        return noted or read_routes(site, found)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        changes: list[Change] = []
        if Options(site.program).route:
            changes += gloo_users_route.released(site, existing.get(_table_ref(site)))
        else:
            changes += put_back(site, _table_ref(site), existing, partial(_is_split, site))
        for arm in ("canary", "primary", "baseline"):
            changes += _without(site, arm, existing)
        return tuple(changes)


def _table_ref(site: Site) -> Ref:
    return site.ref(TABLES, "RouteTable", Options(site.program).route or site.apex)


def _upstream_ref(site: Site, arm: str) -> Ref:
    return site.ref(UPSTREAMS, "Upstream", upstream_name(site, arm))


def _model_ref(site: Site) -> Ref | None:
    """The Upstream whose settings are copied: `namespace/name`, or a name in the rollout's namespace."""
    namespace, _, name = Options(site.program).upstream.rpartition("/")
    return Ref(UPSTREAMS, "Upstream", namespace or site.namespace, name) if name else None


def _without(site: Site, arm: str, existing: Objects) -> list[Change]:
    return put_back(site, _upstream_ref(site, arm), existing, partial(_leads_to, site, arm))


# --- the RouteTable -------------------------------------------------------------------------------------------------


def _routes(site: Site, routing: Routing) -> list[Route]:
    options = Options(site.program)
    matchers = user_matchers(options.match)
    base: Route = {"inheritablePathMatchers": not any(map(has_path, matchers))}
    if matchers:
        base["matchers"] = matchers
    if said := route_options(options):
        base["options"] = said
    return routes(site, Base(base, matchers or [{}]), routing)


def _routes_of(spec: Mapping[str, Any]) -> list[Route]:
    return list(spec.get("routes") or ())


def _is_split(site: Site, spec: Mapping[str, Any]) -> bool:
    return is_split(site, _routes_of(spec))


# --- Upstreams ------------------------------------------------------------------------------------------------------


def _upstream_spec(site: Site, arm: str, existing: Objects) -> dict[str, Any]:
    spec = _settings(site, arm, existing)
    if (site.program.service.app_protocol or "").lower() in _HTTP2:
        spec.setdefault("useHttp2", True)
    return {**spec, "kube": _kube(site, arm)}


def _kube(site: Site, arm: str) -> dict[str, Any]:
    service = dict(zip(("primary", "canary", "baseline"), site.arms, strict=True))[arm]
    port = Options(site.program).port or site.port
    return {"serviceName": service, "serviceNamespace": site.namespace, "servicePort": port}


def _settings(site: Site, arm: str, existing: Objects) -> dict[str, Any]:
    """Those of the user's Upstream. Raises `TrafficError` if there is none, and was none before."""
    ref = _model_ref(site)
    if ref is None:
        return {}
    found = (ref, _upstream_ref(site, arm), _upstream_ref(site, "primary"))
    live: Manifest | None = next((existing[each] for each in found if each in existing), None)
    if live is None:
        raise TrafficError(f"{ref}, whose settings `upstream` copies, does not exist: make it, or take `upstream` away")
    return {key: value for key, value in copied(live.get("spec") or {}).items() if key not in _NOT_SETTINGS}


def _leads_to(site: Site, arm: str, spec: Mapping[str, Any]) -> bool:
    return covers(_kube(site, arm), spec.get("kube") or {})
