"""An IngressRoute beside the user's: for the requests of its routes that lead to the rollout, and no others.

The user's IngressRoute is read and never written; requests go by it whenever ours is not there. Ours has the same entry
points, class and TLS, and of each of the user's routes to the apex Service (or to the TraefikService of its name) as
many copies as are needed, with all that the route has, each for some of its requests. By priority above the route's:

    +3    holders of the canary's cookie, and matches, to the canary
    +2    holders of the primary's cookie, to the primary
    +1    the rest, to the choice by weight; only where the user's route leads to the Service

Other routes of the user's that outweigh that one still do: ours are not for the requests of theirs. A route without a
priority has the length of its rule for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Manifest, Objects, Ref
from interpreter.traffic.cookies import Binding, bindings
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import manifest
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied
from interpreter.traffic.traefik_rules import all_of, any_of, tested
from interpreter.traffic.traefik_services import KIND, NEW, Arms, Backend, cookie_name

Route = dict[str, Any]

_CLASS = "kubernetes.io/ingress.class"
_OF_SERVICE = ("name", "kind", "namespace", "weight")


def users_ref(site: Site) -> Ref:
    return site.ref(NEW, "IngressRoute", Options(site.program).route)


def our_ref(site: Site) -> Ref:
    return site.ref(NEW, "IngressRoute", f"{Options(site.program).route}-{site.apex}-canary")


def users_routes(site: Site, existing: Objects) -> list[Route]:
    """The user's routes that lead to the rollout. Raises `TrafficError` if there is none, or one leads elsewhere
    too."""
    ref = users_ref(site)
    if ref not in existing:
        raise TrafficError(f"{ref}, which `route` names, does not exist: make it, or take `route` away")
    found = [route for route in _routes(existing[ref]) if any(_is_apex(site, one) for one in _services(route))]
    if not found:
        raise TrafficError(
            f"{ref} has no route that leads to the Service `{site.apex}`, or to the TraefikService of that name: "
            "lead one there"
        )
    for route in found:
        if len(_services(route)) > 1:
            raise TrafficError(
                f"the route `{route.get('match')}` of {ref} leads to several services: to be split it must lead to "
                f"`{site.apex}` and nowhere else"
            )
    return found


def backend(site: Site, existing: Objects) -> Backend:
    """Where the apex Service is, without its name: as the user's first route to it has it, or its port alone."""
    for route in users_routes(site, existing):
        (service,) = _services(route)
        if service.get("kind") != KIND:
            return {key: copied({key: part})[key] for key, part in service.items() if key not in _OF_SERVICE}
    return {}


def beside(site: Site, existing: Objects, routing: Routing, arms: Arms) -> Manifest | None:
    """The IngressRoute of ours for this routing; None if none is needed."""
    users = existing[users_ref(site)]
    routes = [
        made
        for route in users_routes(site, existing)
        for made in _copies(site, route, _outweighing(users, route), routing, arms)
    ]
    if not routes:
        return None
    spec = {key: part for key, part in (users.get("spec") or {}).items() if key != "routes"}
    made = manifest(site, our_ref(site), {**copied(spec), "routes": routes})
    said = (users["metadata"].get("annotations") or {}).get(_CLASS)
    if said is not None:
        made["metadata"]["annotations"] = {_CLASS: said}
    return made


def _copies(site: Site, route: Route, others: Sequence[str], routing: Routing, arms: Arms) -> list[Route]:
    cookies = bindings(site, routing)
    canarys = [_holds(site, cookies.canary)] if cookies.canary else []
    canarys += [tested(tests) for tests in routing.matches]
    wanted = [(3, any_of(canarys), arms.canary)] if canarys else []
    if cookies.primary:
        wanted.append((2, _holds(site, cookies.primary), arms.held))
    (service,) = _services(route)
    if service.get("kind") != KIND:
        wanted.append((1, "", {"name": site.apex, "kind": KIND}))
    if route.get("syntax") == "v2" and any(rule for _, rule, _ in wanted):
        raise TrafficError(f"the route `{route['match']}` is in the syntax of Traefik v2: write it in that of v3")
    rest = copied({key: part for key, part in route.items() if key not in ("match", "priority", "services")})
    base = _priority(route)
    return [
        {
            **rest,
            "match": all_of([f"({route['match']})", *([f"({rule})"] if rule else []), *others]),
            "priority": base + above,
            "services": [dict(arm)],
        }
        for above, rule, arm in wanted
    ]


def _outweighing(users: Manifest, route: Route) -> list[str]:
    """Rules that keep requests of routes with a greater priority away."""
    return [
        f"!({other['match']})"
        for other in _routes(users)
        if other is not route and other["match"] != route["match"] and _priority(other) >= _priority(route)
    ]


def _priority(route: Mapping[str, Any]) -> int:
    return route.get("priority") or len(route["match"])


def _holds(site: Site, binding: Binding) -> str:
    return tested([MatchTest("cookie", cookie_name(site, binding), "exists")])


def _is_apex(site: Site, service: Mapping[str, Any]) -> bool:
    return service.get("name") == site.apex and service.get("namespace", site.namespace) == site.namespace


def _services(route: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return route.get("services") or []


def _routes(users: Mapping[str, Any]) -> list[Route]:
    return (users.get("spec") or {}).get("routes") or []
