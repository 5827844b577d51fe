"""Istio: a VirtualService with weights, and a DestinationRule for each of primary, canary and baseline.

Without the option `route` the VirtualService has the apex Service's name and is ours from top to bottom; one of that
name that was there before is taken over, and given back on release. With `route` the user keeps a VirtualService, and
only where one of its rules leads is ours (`istio_users_route`).

What Flagger wrote for Istio has the same names and hosts, so the objects of a Canary are gone on with. Flagger writes
v1beta1: the same objects, in another version of the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from operator import eq
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import istio_users_route
from interpreter.traffic.istio_rules import Ends, Rule, http_rules, is_split, is_tcp, read_rules, tcp_rules
from interpreter.traffic.options import HeaderEdits, Options, duration_text
from interpreter.traffic.ownership import manifest, put, put_back
from interpreter.traffic.provider import Site
from interpreter.traffic.reading import note, trusted

API_VERSION = "networking.istio.io/v1"
MESH = "mesh"


class Istio:
    """The provider `istio`."""

    name = "istio"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return (_virtual_service(site), *(_rule_ref(site, name) for name in _rule_names(site)))

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        """A baseline's DestinationRule is there before anything leads to it, and goes after nothing does."""
        changes: list[Change] = []
        for wanted in _destination_rules(site):
            changes += put(site, wanted, existing, partial(eq, wanted["spec"]))
        if Options(site.program).route:
            changes += istio_users_route.changes(site, _virtual_service(site), routing, existing)
        else:
            service = manifest(site, _virtual_service(site), _spec(site, routing))
            note(service, site.apex, routing)
            changes += put(site, service, existing, partial(_is_split, site))
        return (*changes, *([] if site.baseline else _without_rule(site, site.baseline_service, existing)))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        needed = (_virtual_service(site), _rule_ref(site, site.canary), _rule_ref(site, site.primary))
        if any(ref not in existing for ref in needed):
            return None
        live = existing[_virtual_service(site)]
        if Options(site.program).route:
            return istio_users_route.read(site, live)
        rules = _rules(live.get("spec") or {})
        found = trusted(live, site, lambda each, routing: _rules(_spec(each, routing)) == rules)
        return found or read_rules(site, rules)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        changes: list[Change] = []
        if Options(site.program).route:
            changes += istio_users_route.released(site, existing.get(_virtual_service(site)))
        else:
            changes += put_back(site, _virtual_service(site), existing, partial(_is_split, site))
        for name in _rule_names(site):
            changes += _without_rule(site, name, existing)
        return tuple(changes)


def _virtual_service(site: Site) -> Ref:
    return site.ref(API_VERSION, "VirtualService", Options(site.program).route or site.apex)


def _rule_names(site: Site) -> tuple[str, str, str]:
    return site.canary, site.primary, site.baseline_service


def _rule_ref(site: Site, name: str) -> Ref:
    return site.ref(API_VERSION, "DestinationRule", name)


def _destination_rules(site: Site) -> list[Manifest]:
    """Those that should be."""
    names = [name for name in _rule_names(site) if site.baseline or name != site.baseline_service]
    return [manifest(site, _rule_ref(site, name), _rule_spec(site, name)) for name in names]


def _rule_spec(site: Site, name: str) -> dict[str, Any]:
    policy = Options(site.program).traffic_policy
    return {"host": name, "trafficPolicy": policy} if policy else {"host": name}


def _without_rule(site: Site, name: str, existing: Objects) -> list[Change]:
    return put_back(site, _rule_ref(site, name), existing, partial(eq, _rule_spec(site, name)))


def _spec(site: Site, routing: Routing) -> dict[str, Any]:
    options = Options(site.program)
    spec: dict[str, Any] = {}
    if not options.delegation:
        open_to_all = "*" in options.hosts or site.apex in options.hosts
        spec["hosts"] = [*options.hosts, *(() if open_to_all else (site.apex,))]
        spec["gateways"] = list(options.gateways) or [MESH]
    if is_tcp(site):
        base = {"match": list(options.match)} if options.match else {}
        return {**spec, "tcp": tcp_rules(site, base, _ends(site, options), routing)}
    return {**spec, "http": http_rules(site, _base(options), _ends(site, options), routing)}


def _ends(site: Site, options: Options) -> Ends:
    """Where each arm is. A port is named where Istio cannot know it: a request through a gateway has none
    of the Service's, and a Service with several does not say which is meant."""
    past_mesh = options.delegation or (options.gateways or (MESH,))[0] != MESH
    port = options.port or (site.port if site.ports and past_mesh else None)
    rest = {"port": {"number": port}} if port else {}
    return Ends(*({"destination": {"host": host, **rest}} for host in site.arms))


def _base(options: Options) -> Rule:
    """What every rule has."""
    parts: Rule = {
        "match": list(options.match),
        "rewrite": _rewrite(options),
        "timeout": None if options.timeout_ms is None else duration_text(options.timeout_ms),
        "retries": _retries(options),
        "corsPolicy": _cors(options),
        "headers": _present(request=_edits(options.headers.request), response=_edits(options.headers.response)),
    }
    return _present(**parts)


def _rewrite(options: Options) -> dict[str, Any]:
    rewrite = options.rewrite
    return {} if rewrite is None else _present(uri=rewrite.uri, authority=rewrite.authority)


def _retries(options: Options) -> dict[str, Any]:
    retries = options.retries
    if retries is None:
        return {}
    times = {"perTryTimeout": retries.per_try_timeout_ms, "backoff": retries.backoff_ms}
    spelt = {key: duration_text(time) for key, time in times.items() if time is not None}
    attempts = {} if retries.attempts is None else {"attempts": retries.attempts}
    return {**attempts, **spelt, **_present(retryOn=retries.retry_on)}


def _cors(options: Options) -> dict[str, Any]:
    cors = options.cors
    if cors is None:
        return {}
    found = _present(
        allowOrigins=[dict(origin) for origin in cors.allow_origins],
        allowMethods=list(cors.allow_methods),
        allowHeaders=list(cors.allow_headers),
        exposeHeaders=list(cors.expose_headers),
        maxAge=None if cors.max_age_ms is None else duration_text(cors.max_age_ms),
    )
    return found if cors.allow_credentials is None else {**found, "allowCredentials": cors.allow_credentials}


def _edits(edits: HeaderEdits) -> dict[str, Any]:
    return _present(add=dict(edits.add), set=dict(edits.set), remove=list(edits.remove))


def _present(**parts: Any) -> dict[str, Any]:
    return {key: part for key, part in parts.items() if part}


def _is_split(site: Site, spec: Mapping[str, Any]) -> bool:
    return is_split(site, _rules(spec))


def _rules(spec: Mapping[str, Any]) -> list[Rule]:
    return [*(spec.get("http") or ()), *(spec.get("tcp") or ())]
