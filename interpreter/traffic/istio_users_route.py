"""Weights inside a VirtualService that the user keeps: where one of its rules leads, and nothing else.

The rule is the one that `rule` names, or the only one that leads to the apex Service. Its `route` becomes primary and
canary with weights; the rules for matches and cookie holders stand right before it, under names of ours, as copies of
it with further conditions. All else (matches, timeouts, faults, other rules, other protocols, fields that we do not
know) stays as the user has it and can be edited by them at any time.

The rule's own route is kept in `ORIGINAL`. If the user's tools write their form of the VirtualService again, the rule
leads to the apex Service again: that is then the original, and the routing is put in anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import users_route
from interpreter.traffic.istio_rules import (
    MIRROR_KEYS,
    Ends,
    Names,
    Rule,
    http_rules,
    is_host,
    is_split,
    is_tcp,
    leads_to,
    read_rules,
    renamed,
    tcp_rules,
    without,
)
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import edit, keep_original, original
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, note, trusted

_OURS = ("route", *MIRROR_KEYS)
_USERS = ("hosts", "gateways", "match", "rewrite", "retries", "timeout", "cors", "headers", "delegation", "port")


def changes(site: Site, ref: Ref, routing: Routing, existing: Objects) -> list[Change]:
    """The `Edit` for this routing. Raises `TrafficError` if the rule cannot be found or cannot be split."""
    live = users_route.named(site, ref, existing, _USERS)
    return edit(live, _edited(site, live, routing))


def read(site: Site, live: Manifest) -> Routing | None:
    """The routing that the rule has; None if it is in the user's form, or cannot be found."""
    try:
        place = _find(site, live)
    except TrafficError:
        return None
    ours = place.ours()
    if not is_split(site, ours[-1:]):
        return None
    return trusted(live, site, lambda each, routing: _made(each, place, routing) == ours) or read_rules(site, ours)


def released(site: Site, live: Manifest | None) -> list[Change]:
    """The `Edit` that puts the rule back."""
    return users_route.released(site, live, _find)


class _Place(NamedTuple):
    """Where the rule stands: `routes[first:end]` are the rules of ours, the last of them being the user's own."""

    kind: str
    routes: Sequence[Rule]
    first: int
    end: int
    kept: Mapping[str, Any]

    def ours(self) -> list[Rule]:
        return list(self.routes[self.first : self.end])

    def original(self) -> Rule:
        """The user's rule as it was, with what they changed in it meanwhile."""
        return {**without(self.routes[self.end - 1], _OURS), **copied(self.kept)}

    def fill(self, after: Manifest, rules: Sequence[Rule]) -> None:
        after["spec"][self.kind] = [*self.routes[: self.first], *rules, *self.routes[self.end :]]


def _edited(site: Site, live: Manifest, routing: Routing) -> Manifest:
    place = _find(site, live)
    after = copied(live)
    place.fill(after, _made(site, place, routing))
    keep_original(after, site.apex, place.kept)
    note(after, site.apex, routing)
    return after


def _made(site: Site, place: _Place, routing: Routing) -> list[Rule]:
    rule = place.original()
    ends = _ends(site, rule)
    if place.kind == "tcp":
        return tcp_rules(site, without(rule, ("route",)), ends, routing)
    if routing.mirror > 0 and any(key in rule for key in MIRROR_KEYS):
        raise TrafficError(f"{_called(rule)} has a mirror of its own, beside which Istio takes no other: remove it")
    mirrors = {key: rule[key] for key in MIRROR_KEYS if key in rule}
    *before, last = http_rules(site, without(rule, _OURS), ends, routing, _names(site))
    return [*before, {**last, **mirrors}]


def _ends(site: Site, rule: Rule) -> Ends:
    """Where each arm is, from the entry of the rule's route that leads to the apex Service (or to the primary)."""
    route = rule.get("route") or []
    ours = (site.canary, site.baseline_service)
    entries = [entry for entry in route if not any(leads_to(entry, service, site.namespace) for service in ours)]
    if len(entries) != 1 or not _is_base(site, entries[0]):
        raise TrafficError(
            f"{_called(rule)} must lead to the Service `{site.apex}` and nowhere else to be split: "
            "route what goes elsewhere by another rule"
        )
    entry = entries[0]
    destination = entry["destination"]
    if "subset" in destination:
        raise TrafficError(
            f"{_called(rule)} leads to the subset `{destination['subset']}`, which the Services of primary and canary "
            "do not have: take `subset` away"
        )
    base = without(entry, ("weight",))
    return Ends(
        *({**base, "destination": {**destination, "host": renamed(destination["host"], arm)}} for arm in site.arms)
    )


def _is_base(site: Site, entry: Mapping[str, Any]) -> bool:
    return any(leads_to(entry, service, site.namespace) for service in (site.apex, site.primary))


def _find(site: Site, live: Manifest) -> _Place:
    kind = "tcp" if is_tcp(site) else "http"
    routes: Sequence[Rule] = live.get("spec", {}).get(kind) or []
    at = _index(site, live, routes, Options(site.program).rule)
    first = users_route.first_of(routes, at, _names(site))
    return _Place(kind, routes, first, at + 1, _kept(site, live, routes[at]))


def _index(site: Site, live: Manifest, routes: Sequence[Rule], rule: str) -> int:
    where = f"VirtualService `{site.namespace}/{live['metadata']['name']}`"
    services = (site.apex, *site.arms)
    names = _names(site)
    return users_route.index_of(where, "rules", routes, rule, names, lambda one: _leads(site, one, services), site.apex)


def _leads(site: Site, route: Rule, services: Sequence[str]) -> bool:
    hosts = [entry.get("destination", {}).get("host", "") for entry in route.get("route") or ()]
    return any(is_host(host, service, site.namespace) for host in hosts for service in services)


def _kept(site: Site, live: Manifest, rule: Rule) -> Mapping[str, Any]:
    """The parts of the rule that we change, as they were."""
    kept = original(live, site.apex)
    if kept is not None and not _leads(site, rule, (site.apex,)):
        return kept
    return {key: rule[key] for key in _OURS if key in rule}


def _names(site: Site) -> Names:
    return Names(*(f"rollway-{site.apex}-{what}" for what in Names._fields))


def _called(rule: Rule) -> str:
    return f"the VirtualService's rule `{rule['name']}`" if rule.get("name") else "the VirtualService's rule"
