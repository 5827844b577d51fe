"""Weights inside a RouteTable that the user keeps: where one of its routes leads, and nothing else.

The route is the one that `rule` names, or the only one that leads to the apex Service: to the Service itself (`kube`),
or to the Upstream that Gloo's discovery makes of it (`NAMESPACE-SERVICE-PORT`). One that is named may lead to any
single Upstream. Its `routeAction` becomes primary and canary with weights; the routes for matches and cookie holders
stand right before it, under names of ours, as copies of it with further tests. All else stays as the user has it.

The route's own action is kept in `ORIGINAL`, and so is its mirror while ours stands in its place. If the user's tools
write their form of the table again, the route leads elsewhere than to our Upstreams: that is then the original, and the
routing is put in anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import users_route
from interpreter.traffic.gloo_routes import (
    Base,
    Names,
    Route,
    destinations,
    is_split,
    read_routes,
    routes,
)
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import edit, keep_original, original
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, note, trusted

_USERS = ("match", "rewrite", "retries", "timeout", "cors", "headers")


def changes(site: Site, ref: Ref, routing: Routing, existing: Objects) -> list[Change]:
    """The `Edit` for this routing. Raises `TrafficError` if the route cannot be found or cannot be split."""
    live = users_route.named(site, ref, existing, _USERS)
    place = _find(site, live)
    after = copied(live)
    place.fill(after, _made(site, place, routing))
    keep_original(after, site.apex, place.kept)
    note(after, site.apex, routing)
    return edit(live, after)


def read(site: Site, live: Manifest) -> Routing | None:
    """The routing that the route has; None if it is in the user's form, or cannot be found."""
    try:
        place = _find(site, live)
    except TrafficError:
        return None
    ours = place.ours()
    if not is_split(site, ours[-1:]):
        return None
    found = trusted(live, site, lambda each, routing: _made(each, place, routing) == ours)
    return found or read_routes(site, ours)


def released(site: Site, live: Manifest | None) -> list[Change]:
    """The `Edit` that puts the route back."""
    return users_route.released(site, live, _find)


class _Place(NamedTuple):
    """Where the route stands: `routes[first:end]` are the routes of ours, the last of them being the user's own."""

    routes: Sequence[Route]
    first: int
    end: int
    kept: Mapping[str, Any]

    def ours(self) -> list[Route]:
        return list(self.routes[self.first : self.end])

    def original(self) -> Route:
        """The user's route as it was, with what they changed in it meanwhile."""
        route = _without_ours(self.routes[self.end - 1])
        if "routeAction" in self.kept:
            route["routeAction"] = copied(self.kept["routeAction"])
        if "options" in self.kept or "shadowing" in self.kept:
            route.setdefault("options", {})
        if "shadowing" in self.kept:
            route["options"]["shadowing"] = copied(self.kept["shadowing"])
        return route

    def fill(self, after: Manifest, made: Sequence[Route]) -> None:
        after["spec"]["routes"] = [*self.routes[: self.first], *made, *self.routes[self.end :]]


def _made(site: Site, place: _Place, routing: Routing) -> list[Route]:
    route = place.original()
    own = (route.get("options") or {}).get("shadowing")
    if routing.mirror > 0 and own:
        raise TrafficError(f"{_called(route)} has a mirror of its own, beside which Gloo takes no other: remove it")
    inherits = route.get("inheritablePathMatchers") is True
    matchers = route.get("matchers") or [{} if inherits else {"prefix": "/"}]
    base = Base(_without_ours(route), matchers, _destination(site, route).get("options") or {})
    *before, last = routes(site, base, routing, _names(site))
    if own:
        last = {**last, "options": {**(last.get("options") or {}), "shadowing": own}}
    return [*before, last]


def _without_ours(route: Mapping[str, Any]) -> Route:
    """A route without its action and its mirror."""
    made = copied({key: value for key, value in route.items() if key != "routeAction"})
    if "shadowing" in (made.get("options") or {}):
        made["options"].pop("shadowing")
        if not made["options"]:
            made.pop("options")
    return made


def _destination(site: Site, route: Route) -> Mapping[str, Any]:
    found = destinations(route)
    if len(found) != 1 or any((found[0].get("destination") or {}).get(key) for key in ("subset", "destinationSpec")):
        raise TrafficError(
            f"{_called(route)} must lead to the Service `{site.apex}` and nowhere else to be split, and to no subset "
            "or function of it: route what goes elsewhere by another route"
        )
    return found[0]


def _find(site: Site, live: Manifest) -> _Place:
    found: Sequence[Route] = live.get("spec", {}).get("routes") or []
    at = _index(site, live, found)
    first = users_route.first_of(found, at, _names(site))
    return _Place(found, first, at + 1, _kept(site, live, found[at]))


def _index(site: Site, live: Manifest, found: Sequence[Route]) -> int:
    where, rule = f"RouteTable `{site.namespace}/{live['metadata']['name']}`", Options(site.program).rule

    def leads(route: Route) -> bool:
        return is_split(site, [route]) or _leads_to_apex(site, route)

    at = users_route.index_of(where, "routes", found, rule, _names(site), leads, site.apex)
    if not destinations(found[at]):
        raise TrafficError(f"{_called(found[at])} in {where} leads to no destination: only such can be split")
    return at


def _leads_to_apex(site: Site, route: Mapping[str, Any]) -> bool:
    return any(_is_apex(site, entry.get("destination") or {}) for entry in destinations(route))


def _is_apex(site: Site, destination: Mapping[str, Any]) -> bool:
    service = (destination.get("kube") or {}).get("ref") or {}
    if service.get("name") == site.apex and service.get("namespace", site.namespace) == site.namespace:
        return True
    port = Options(site.program).port or site.port
    return bool((destination.get("upstream") or {}).get("name") == f"{site.namespace}-{site.apex}-{port}")


def _kept(site: Site, live: Manifest, route: Route) -> Mapping[str, Any]:
    """The parts of the route that we change, as they were."""
    kept = original(live, site.apex)
    if kept is not None and is_split(site, [route]):
        return kept
    options = route.get("options")
    return {
        **({"routeAction": route["routeAction"]} if "routeAction" in route else {}),
        **({"options": {}} if options is not None and not set(options) - {"shadowing"} else {}),
        **({"shadowing": options["shadowing"]} if options and "shadowing" in options else {}),
    }


def _names(site: Site) -> Names:
    return Names(*(f"rollway-{site.apex}-{what}" for what in Names._fields))


def _called(route: Mapping[str, Any]) -> str:
    return f"the RouteTable's route `{route['name']}`" if route.get("name") else "the RouteTable's route"
