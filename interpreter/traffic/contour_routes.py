"""The routes of an HTTPProxy: one becomes several, each for the requests of one kind.

    holders of the canary's cookie; matches     all to the canary
    holders of the primary's cookie             all to the primary
    the rest                                    by weight

Contour puts them in this order by their conditions on headers: the primary's holders have one more than the rest, and
while there are any, what is before them is made to have two more. Matches and the canary's holders go to one place, so
that it does not matter which of them comes first.

Contour sets headers of answers, and cannot add to them. So only the answer that binds a client is given a cookie, which
takes the place of cookies that the application may give with that very answer; those of a client who is bound already
are left alone. The cookie is not prolonged by later answers.

A mirror copies what the weights are for, whoever answers, and what holders of the primary's cookie ask.

Facts: Contour v1.33, `internal/dag/httpproxy_processor.go`, `policy.go`, `internal/envoy/v3/route.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.traffic.contour_conditions import Condition, conditions, more_specific
from interpreter.traffic.cookies import Binding, bindings
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, scaled_parts, share

Route = dict[str, Any]

_LINKERD = "l5d-dst-override"
"""By this header a Contour inside Linkerd's mesh lets Linkerd know where a request goes. Flagger sets it, too."""


def split(site: Site, base: Route, routing: Routing) -> list[Route]:
    """The routes in place of `base`, of whose services the only one that is no mirror leads to the apex Service. Raises
    `TrafficError` for a mirror that cannot be had."""
    cookies = bindings(site, routing)
    (entry,) = [service for service in base["services"] if not service.get("mirror")]
    theirs = [service for service in base["services"] if service.get("mirror")]
    to_primary, to_canary = _arm(site, entry, site.primary), _arm(site, entry, site.canary)
    mirror = _mirrors(to_canary, theirs, routing)
    routes, headers = [], 2 if cookies.primary else 0
    if cookies.canary is not None:
        routes.append(_route(base, more_specific([_holds(cookies.canary)], headers), [_whole(to_canary)]))
    for tests in routing.matches:
        wanted = more_specific(conditions(tests), headers)
        routes.append(_route(base, wanted, [_whole(_giving(to_canary, cookies.canary))]))
    if cookies.primary is not None:
        routes.append(_route(base, [_holds(cookies.primary)], [_whole(to_primary), *mirror]))
    total, canary, baseline = scaled_parts(routing.weight, site.baseline_part(routing))
    services = [
        {**_giving(to_primary, cookies.primary), "weight": total - canary - baseline},
        {**_giving(to_canary, cookies.canary), "weight": canary},
    ]
    if baseline:
        services.append({**_arm(site, entry, site.baseline_service), "weight": baseline})
    return [*routes, _route(base, [], [*services, *mirror])]


def read_routes(site: Site, routes: Iterable[Mapping[str, Any]]) -> Routing | None:
    """What routes amount to by their weights and mirrors; None if none has them. Of matches it is seen that there are
    some, not which: that is told as one that fits every request, since to think more of the canary's share than is so
    is the safe mistake."""
    ours = [route for route in routes if is_split(site, route)]
    if not ours:
        return None
    weight = _canary_share(site, ours[-1])
    matched = any(_canary_share(site, route) > weight for route in routes)
    return Routing(weight, _mirrored(site, ours[-1]), ((),) if matched else ())


def is_split(site: Site, route: Mapping[str, Any]) -> bool:
    """Whether a route deals requests between primary and canary, as only those of our making do."""
    return leads(route, (site.primary,)) and leads(route, (site.canary,))


def leads(route: Mapping[str, Any], services: Sequence[str]) -> bool:
    """Whether answers come from one of these Services."""
    return any(entry.get("name") in services for entry in _answering(route))


def _answering(route: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in route.get("services") or () if not entry.get("mirror")]


def _canary_share(site: Site, route: Mapping[str, Any]) -> float:
    entries = _answering(route)
    if len(entries) == 1:
        return 100.0 * (entries[0].get("name") == site.canary)  # one that stands alone needs no weight
    canarys = [entry for entry in entries if entry.get("name") == site.canary]
    return share(*(sum(entry.get("weight", 0) for entry in some) for some in (canarys, entries)))


def _mirrored(site: Site, route: Mapping[str, Any]) -> float:
    """A mirror without a weight, or with none of it, gets everything."""
    for entry in route.get("services") or ():
        if entry.get("mirror") and entry.get("name") == site.canary:
            return float(entry.get("weight") or 100)
    return 0.0


def _route(base: Route, more: Sequence[Condition], services: Sequence[Mapping[str, Any]]) -> Route:
    """A copy of the base for some of its requests."""
    made = copied({key: part for key, part in base.items() if key not in ("conditions", "services")})
    wanted = [*more, *(base.get("conditions") or ())]
    return {**({"conditions": copied({"all": wanted})["all"]} if wanted else {}), **made, "services": list(services)}


def _whole(service: Mapping[str, Any]) -> dict[str, Any]:
    return {**service, "weight": 100}


def _arm(site: Site, entry: Mapping[str, Any], service: str) -> dict[str, Any]:
    """The entry of a route that leads to the apex Service, leading to another."""
    made = {**copied({key: part for key, part in entry.items() if key != "weight"}), "name": service}
    policy = dict(made.get("requestHeadersPolicy") or {})
    given = [header for header in policy.get("set") or () if header["name"].lower() != _LINKERD]
    address = f"{service}.{site.namespace}.svc.cluster.local:{entry['port']}"
    policy["set"] = [*given, {"name": _LINKERD, "value": address}]
    return {**made, "requestHeadersPolicy": policy}


def _giving(entry: Mapping[str, Any], binding: Binding | None) -> dict[str, Any]:
    """An entry whose answers give the client this cookie."""
    made = copied(entry)
    if binding is not None:
        policy = made.setdefault("responseHeadersPolicy", {})
        given = [header for header in policy.get("set") or () if header["name"].lower() != "set-cookie"]
        policy["set"] = [*given, {"name": "Set-Cookie", "value": binding.header}]
    return made


def _holds(binding: Binding) -> Condition:
    return conditions([MatchTest("cookie", binding.name, "==", binding.value)])[0]


def _mirrors(
    to_canary: Mapping[str, Any], theirs: Sequence[Mapping[str, Any]], routing: Routing
) -> list[dict[str, Any]]:
    if routing.mirror <= 0:
        return [dict(entry) for entry in theirs]
    if theirs:
        raise TrafficError(
            f"the route has a mirror of its own (`{theirs[0].get('name')}`), and Contour takes no second one: remove it"
        )
    if not float(routing.mirror).is_integer():
        raise TrafficError(f"Contour mirrors whole percents only, and not {routing.mirror:g}%")
    return [{**copied(to_canary), "mirror": True, "weight": int(routing.mirror)}]
