"""Weights inside an HTTPProxy that the user keeps: those of its routes that lead to the apex Service, and nothing else.

Each of them becomes several, in its place. All else (the virtual host and its certificate, includes, other routes,
fields that we do not know) stays as the user has it and can be edited by them at any time.

Routes have no names. So the user's own are kept in `ORIGINAL`, each with its place, which is how many routes that are
not ours stand before it; and what else led to an arm's Service then (a preview of the canary, say) is kept beside
them, to be known again. If the user's tools write their form of the HTTPProxy again, routes lead to the apex Service
again: those are then the originals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import users_route
from interpreter.traffic.contour_routes import Route, is_split, leads, read_routes, split
from interpreter.traffic.ownership import edit, forget, keep_original, original
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, covers, note, trusted

_USERS = ("hosts", "match", "rewrite", "retries", "timeout", "cors", "headers", "ingress_class", "port")


def changes(site: Site, ref: Ref, routing: Routing, existing: Objects) -> list[Change]:
    """The `Edit` for this routing. Raises `TrafficError` if there is no route to split."""
    live = users_route.named(site, ref, existing, _USERS)
    found = _sorted(site, live)
    if not found.originals:
        raise TrafficError(f"{ref} has no route that leads to the Service `{site.apex}`: lead one there")
    made = list(found.filled(_made(site, found, routing)))
    after = copied(live)
    if not covers(made, live["spec"]["routes"]):
        after["spec"]["routes"] = made
    keep_original(after, site.apex, {"routes": [list(each) for each in found.originals], "theirs": found.theirs})
    note(after, site.apex, routing)
    return edit(live, after)


def read(site: Site, live: Manifest) -> Routing | None:
    """The routing that the routes have; None if they are in the user's form."""
    found = _sorted(site, live)
    if not found.ours:
        return None

    def fits(each: Site, routing: Routing) -> bool:
        return covers(list(found.filled(_made(each, found, routing))), live["spec"]["routes"])

    return trusted(live, site, fits) or read_routes(site, found.ours)


def released(site: Site, live: Manifest | None) -> list[Change]:
    """The `Edit` that puts the routes back."""
    if live is None:
        return []
    after, found = copied(live), _sorted(site, live)
    if found.ours:
        after["spec"]["routes"] = list(found.filled([[route] for _, route in found.originals]))
    forget(after, site.apex)
    return edit(live, after)


class _Sorted(NamedTuple):
    """The routes of an HTTPProxy: those of ours; those that are not, nor to be split; the user's that are, as they
    were, each with the number of the latter before it. `theirs` are those of `others` that lead to an arm."""

    ours: list[Route]
    others: list[Route]
    originals: list[tuple[int, Route]]
    theirs: list[Route]

    def filled(self, instead: list[list[Route]]) -> Iterator[Route]:
        """All routes, with these in place of each original."""
        for place in range(len(self.others) + 1):
            for (before, _), routes in zip(self.originals, instead, strict=True):
                if min(before, len(self.others)) == place:
                    yield from copied({"routes": routes})["routes"]
            yield from self.others[place : place + 1]


def _made(site: Site, found: _Sorted, routing: Routing) -> list[list[Route]]:
    return [split(site, _checked(site, route), routing) for _, route in found.originals]


def _checked(site: Site, route: Route) -> Route:
    named = [entry.get("name") for entry in route.get("services") or () if not entry.get("mirror")]
    if named != [site.apex]:
        raise TrafficError(
            f"a route of the HTTPProxy leads to {', '.join(f'`{name}`' for name in named)}: to be split it must lead "
            f"to the Service `{site.apex}` and nowhere else"
        )
    return route


def _sorted(site: Site, live: Manifest) -> _Sorted:
    routes: list[Route] = (live.get("spec") or {}).get("routes") or []
    kept = original(live, site.apex) or {}
    at_work = any(is_split(site, route) for route in routes)
    known = _routes(kept.get("theirs")) if at_work else []
    found = _Sorted([], [], [], [])
    for route in routes:
        if leads(route, (site.apex,)):
            found.originals.append((len(found.others), route))
        elif not leads(route, site.arms):
            found.others.append(route)
        elif at_work and route not in known:
            found.ours.append(route)
        else:
            found.others.append(route)
            found.theirs.append(route)
    before = [*_kept(kept.get("routes"))] or [(len(found.others), one) for one in _rejoined(site, found.ours)]
    return found._replace(originals=[*(before if at_work else []), *found.originals])


def _kept(value: Any) -> Iterator[tuple[int, Route]]:
    for each in value if isinstance(value, list) else ():
        match each:
            case [int(place), dict(route)]:
                yield place, route


def _routes(value: Any) -> list[Route]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _rejoined(site: Site, ours: list[Route]) -> Iterator[Route]:
    """Routes to the apex Service in place of those that deal: the best guess, where the annotation was taken away."""
    for route in ours:
        if is_split(site, route):
            (entry,) = [one for one in route["services"] if one.get("name") == site.primary and not one.get("mirror")]
            kept: Mapping[str, Any] = {key: part for key, part in entry.items() if key in ("port", "protocol")}
            yield {**route, "services": [{"name": site.apex, **kept}]}
