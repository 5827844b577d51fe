"""The rules of a VirtualService that route between primary and canary, and the baseline if there is one: made for a
`Routing`, and read.

In order, the first that holds decides: holders of this run's cookie go to the canary, then those that the routing's
matches pick; holders of the primary's cookie go to the primary; then the weights decide. All rules are copies of one
base rule, which has the service's own matches and what else the user wants done to requests; so what goes to the canary
by a match is treated like everything else.

Weights are whole numbers in Istio, and relative: hundreds as a rule, thousands or ten thousands for a fraction.

The mirror stands on the rules that can lead to the primary. Istio copies what such a rule takes, whoever answers it: of
what the canary gets by its weight there is a copy for it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.traffic.cookies import Binding, bindings
from interpreter.traffic.istio_matches import Match, joined, requests, tests
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, scaled_parts, share

Rule = dict[str, Any]

MIRROR_KEYS = ("mirror", "mirrorPercentage", "mirrorPercent", "mirror_percent", "mirrors")


class Ends(NamedTuple):
    """The entries of a rule's `route` list, without weights: where primary, canary and baseline are."""

    primary: dict[str, Any]
    canary: dict[str, Any]
    baseline: dict[str, Any]


def is_tcp(site: Site) -> bool:
    """Whether the service speaks a protocol of its own, of which Istio knows connections only."""
    return (site.program.service.app_protocol or "").lower() == "tcp"


class Names(NamedTuple):
    """What the rules before the weighted one are called: of the canary's cookie holders, of matches, of the primary's
    cookie holders. Empty names are left out."""

    sticky: str = ""
    match: str = ""
    primary: str = ""


_UNNAMED = Names()


def http_rules(site: Site, base: Rule, ends: Ends, routing: Routing, names: Names = _UNNAMED) -> list[Rule]:
    """The rules for this routing, the weighted one last. `base` has neither route nor mirror. Raises `TrafficError`."""
    cookies = bindings(site, routing)
    bound = Ends(_giving(ends.primary, cookies.primary), _giving(ends.canary, cookies.canary), ends.baseline)
    rules = []
    if cookies.canary is not None:
        rules.append(_all_to(bound.canary, base, [_holder(cookies.canary)], names.sticky))
    if routing.matches:
        rules.append(_all_to(bound.canary, base, requests(routing.matches), names.match))
    if cookies.primary is not None:
        held = _all_to(ends.primary, base, [_holder(cookies.primary)], names.primary)
        rules.append({**held, **_mirror(ends, routing)})
    return [*rules, {**copied(base), "route": split(site, bound, routing), **_mirror(ends, routing)}]


def tcp_rules(site: Site, base: Rule, ends: Ends, routing: Routing) -> list[Rule]:
    """The one rule for connections, which have nothing but weights. Raises `TrafficError` for other wishes."""
    if routing.mirror or routing.matches or routing.sticky is not None:
        raise TrafficError("Istio cannot look into tcp connections nor copy them: only weights can be had")
    return [{**copied(base), "route": split(site, ends, routing)}]


def split(site: Site, ends: Ends, routing: Routing) -> list[dict[str, Any]]:
    """A route list with weights; the baseline is in it if it gets anything."""
    total, canary, baseline = scaled_parts(routing.weight, site.baseline_part(routing))
    parts = [total - canary - baseline, canary, *([baseline] if baseline else [])]
    return [{**copied(end), "weight": part} for end, part in zip(ends, parts, strict=False)]


def read_rules(site: Site, rules: Sequence[Mapping[str, Any]]) -> Routing | None:
    """What rules amount to, by their weights, mirror and matches; None if none of them leads to primary, canary or
    baseline."""
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
    """Whether any rule leads to primary, canary or baseline, as only rules of our making do."""
    return any(_leads(site, rule) for rule in routes)


def _leads(site: Site, rule: Mapping[str, Any]) -> bool:
    return any(leads_to(entry, service, site.namespace) for entry in rule.get("route") or () for service in site.arms)


def _all_to(entry: dict[str, Any], base: Rule, whose: list[Match], name: str) -> Rule:
    called = {"name": name} if name else {}
    route = [{**copied(entry), "weight": 100}]
    return {**copied(base), **called, "match": joined(base.get("match") or [], whose), "route": route}


def _mirror(ends: Ends, routing: Routing) -> Rule:
    if routing.mirror <= 0:
        return {}
    return {"mirror": copied(ends.canary["destination"]), "mirrorPercentage": {"value": _plain(routing.mirror)}}


def _giving(entry: dict[str, Any], binding: Binding | None) -> dict[str, Any]:
    """An entry whose responses give the client this cookie, beside those that the application gives."""
    made = copied(entry)
    if binding is not None:
        response = made.setdefault("headers", {}).setdefault("response", {})
        response["add"] = {**response.get("add", {}), "Set-Cookie": binding.header}
    return made


def _holder(binding: Binding) -> Match:
    """The match of requests that carry this very cookie."""
    return requests([[MatchTest("cookie", binding.name, "==", binding.value)]])[0]


def _mirrored(site: Site, rule: Mapping[str, Any]) -> float:
    mirror = rule.get("mirror") or {}
    if not is_host(mirror.get("host", ""), site.canary, site.namespace):
        return 0.0
    percentage = rule.get("mirrorPercentage")
    return 100.0 if percentage is None else float(percentage.get("value", 0))


def _plain(number: float) -> float | int:
    """JSON has one kind of number: a whole one is written without a point."""
    return int(number) if float(number).is_integer() else number
