"""The rules of a VirtualService that route between primary and canary: made for a `Routing`, and read.

In order, the first that holds decides: holders of this run's cookie go to the canary, then those that the routing's
matches pick, then the weights. All rules are copies of one base rule, which has the service's own matches and what else
the user wants done to requests; so what goes to the canary by a match is treated like everything else.

Weights are whole numbers in Istio, and relative: hundreds as a rule, thousands or ten thousands for a fraction.

The mirror stands on the weighted rule. Istio copies what that rule takes, whoever answers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from interpreter.state import Routing
from interpreter.traffic.istio_matches import holder, joined, requests, tests
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, share, whole_parts

Rule = dict[str, Any]

MIRROR_KEYS = ("mirror", "mirrorPercentage", "mirrorPercent", "mirror_percent", "mirrors")
_SCALES = (100, 1_000, 10_000)


class Ends(NamedTuple):
    """The two entries of a rule's `route` list, without weights: where primary and canary are."""

    primary: dict[str, Any]
    canary: dict[str, Any]


def is_tcp(site: Site) -> bool:
    """Whether the service speaks a protocol of its own, of which Istio knows connections only."""
    return (site.program.service.app_protocol or "").lower() == "tcp"


def http_rules(site: Site, base: Rule, ends: Ends, routing: Routing, names: tuple[str, str] = ("", "")) -> list[Rule]:
    """The rules for this routing. `base` has neither route nor mirror. `names` are for the rules that come before the
    weighted one: of cookie holders, and of matches. Raises `TrafficError`."""
    bound = routing.sticky is not None and routing.weight > 0
    canary = _binding(ends.canary, routing, site.session) if bound else ends.canary
    rules = []
    if routing.sticky is not None and bound:
        held = [holder(routing.sticky.cookie, site.session)]
        rules.append(_to_canary(base, held, canary, names[0]))
    if routing.matches:
        rules.append(_to_canary(base, requests(routing.matches), canary, names[1]))
    return [*rules, _weighted(base, Ends(ends.primary, canary), routing)]


def tcp_rules(base: Rule, ends: Ends, routing: Routing) -> list[Rule]:
    """The one rule for connections, which have nothing but weights. Raises `TrafficError` for other wishes."""
    if routing.mirror or routing.matches or routing.sticky is not None:
        raise TrafficError("Istio cannot look into tcp connections nor copy them: only weights can be had")
    return [{**copied(base), "route": split(ends, routing.weight)}]


def split(ends: Ends, weight: float) -> list[dict[str, Any]]:
    """A route list with weights."""
    total, part = weights(weight)
    return [{**copied(ends.primary), "weight": total - part}, {**copied(ends.canary), "weight": part}]


def weights(percent: float) -> tuple[int, int]:
    """The total that this share needs to be a whole number, and the number. Finer than a hundredth of a percent is
    rounded down."""
    for total in _SCALES:
        part = whole_parts(percent, total)
        if abs(part - percent / 100 * total) < 1e-6:
            return total, part
    return _SCALES[-1], whole_parts(percent, _SCALES[-1])


def read_rules(site: Site, rules: Sequence[Mapping[str, Any]]) -> Routing | None:
    """What rules amount to, by their weights, mirror and matches; None if none of them leads to primary or canary."""
    ours = [rule for rule in rules if _leads(site, rule)]
    if not ours:
        return None
    *before, last = ours
    matches = [tests(match) for rule in before if canary_share(site, rule) for match in rule.get("match") or [{}]]
    return Routing(weight=canary_share(site, last), mirror=_mirrored(site, last), matches=tuple(matches))


def canary_share(site: Site, rule: Mapping[str, Any]) -> float:
    """Percent of a rule's requests that the canary answers."""
    route = rule.get("route") or ()
    canarys = [entry for entry in route if leads_to(entry, site.canary, site.namespace)]
    if len(route) == 1:
        return 100.0 * len(canarys)  # one that stands alone needs no weight
    return share(*(sum(entry.get("weight", 0) for entry in entries) for entries in (canarys, route)))


def leads_to(entry: Mapping[str, Any], service: str, namespace: str) -> bool:
    """Whether an entry of a route list names this Service, in any of the ways to write one."""
    return is_host(entry.get("destination", {}).get("host", ""), service, namespace)


def is_host(host: str, service: str, namespace: str) -> bool:
    """Whether a host name is this Service's, long or short."""
    name, _, rest = host.partition(".")
    return name == service and (not rest or rest == namespace or rest.startswith(f"{namespace}.svc"))


def renamed(host: str, service: str) -> str:
    """A host name with another Service in it, as long or short as it was."""
    _, dot, rest = host.partition(".")
    return f"{service}{dot}{rest}"


def without(rule: Mapping[str, Any], keys: Iterable[str]) -> Rule:
    return copied({key: value for key, value in rule.items() if key not in keys})


def is_split(site: Site, routes: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any rule leads to primary or canary, as only rules of our making do."""
    return any(_leads(site, rule) for rule in routes)


def _leads(site: Site, rule: Mapping[str, Any]) -> bool:
    services = (site.primary, site.canary)
    return any(leads_to(entry, service, site.namespace) for entry in rule.get("route") or () for service in services)


def _to_canary(base: Rule, canarys: list[dict[str, Any]], canary: dict[str, Any], name: str) -> Rule:
    rule = copied(base)
    if name:
        rule["name"] = name
    rule["match"] = joined(base.get("match") or [], canarys)
    rule["route"] = [{**copied(canary), "weight": 100}]
    return rule


def _weighted(base: Rule, ends: Ends, routing: Routing) -> Rule:
    rule = copied(base)
    rule["route"] = split(ends, routing.weight)
    if routing.mirror > 0:
        rule["mirror"] = copied(ends.canary["destination"])
        rule["mirrorPercentage"] = {"value": _plain(routing.mirror)}
    return rule


def _binding(canary: dict[str, Any], routing: Routing, session: str) -> dict[str, Any]:
    """The canary's entry, whose responses give the client the cookie."""
    if routing.sticky is None:
        return canary
    bound = copied(canary)
    sticky = routing.sticky
    attributes = f"Path=/; Max-Age={sticky.max_age_ms // 1000}; HttpOnly; SameSite=Lax"
    response = bound.setdefault("headers", {}).setdefault("response", {})
    response.setdefault("add", {})["Set-Cookie"] = f"{sticky.cookie}={session}; {attributes}"
    return bound


def _mirrored(site: Site, rule: Mapping[str, Any]) -> float:
    mirror = rule.get("mirror") or {}
    if not is_host(mirror.get("host", ""), site.canary, site.namespace):
        return 0.0
    percentage = rule.get("mirrorPercentage")
    return 100.0 if percentage is None else float(percentage.get("value", 0))


def _plain(number: float) -> float | int:
    """JSON has one kind of number: a whole one is written without a point."""
    return int(number) if float(number).is_integer() else number
