"""Traefik: a TraefikService that chooses by weight, and routes beside those of the user's IngressRoute.

The TraefikService has the apex Service's name, as Flagger's has, and an IngressRoute of the user's refers to it. That
is enough for weights and mirrors. Matches and cookies need routes of their own: with the option `route` there is a
second IngressRoute beside the one that it names (`traefik_routes`). The user's may then lead to the apex Service, too.

With `api v2` the TraefikService is of the group that Traefik v2 has.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import traefik_routes
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import manifest, put, put_back
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import covers, note, trusted
from interpreter.traffic.traefik_services import KIND, NEW, OLD, Backend, is_split, names, read_services, services

_SCHEMES = {"grpc": "h2c", "http2": "h2c", "https": "https"}
"""What Traefik speaks to pods, by the protocol of the application; to others it speaks HTTP/1.1."""


class Traefik:
    """The provider `traefik`."""

    name = "traefik"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        called = tuple(_ref(site, name) for name in (site.apex, *names(site)))
        return (traefik_routes.users_ref(site), *called, traefik_routes.our_ref(site)) if _routed(site) else called

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        """What is led to is made before what leads there, and goes after it."""
        wanted, route = _wanted(site, routing, existing)
        inner = [made for made in reversed(wanted.values()) if made["metadata"]["name"] != site.apex]
        note(wanted[_ref(site, site.apex)], site.apex, routing)
        changes: list[Change] = []
        for made in (*reversed(inner), wanted[_ref(site, site.apex)], *([route] if route else [])):
            changes += put(site, made, existing, partial(_is_ours, site))
        if _routed(site) and route is None:
            changes += put_back(site, traefik_routes.our_ref(site), existing, partial(_is_ours, site))
        for ref in self.refs(site):
            if ref.kind == KIND and ref not in wanted:
                changes += put_back(site, ref, existing, partial(_is_ours, site))
        return tuple(changes)

    def read(self, site: Site, existing: Objects) -> Routing | None:
        live = existing.get(_ref(site, site.apex))
        if live is None or (_routed(site) and traefik_routes.users_ref(site) not in existing):
            return None
        if not is_split(site, live.get("spec") or {}):
            return None
        return trusted(live, site, lambda each, routing: self._holds(each, routing, existing)) or self._read(
            site, existing
        )

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        refs = [_ref(site, name) for name in (site.apex, *names(site))]
        if _routed(site):
            refs.insert(0, traefik_routes.our_ref(site))
        return tuple(change for ref in refs for change in put_back(site, ref, existing, partial(_is_ours, site)))

    def _holds(self, site: Site, routing: Routing, existing: Objects) -> bool:
        """Whether what there is routes so."""
        wanted, route = _wanted(site, routing, existing)
        everything = {**wanted, **({traefik_routes.our_ref(site): route} if route else {})}
        ours = [ref for ref in self.refs(site) if not _routed(site) or ref != traefik_routes.users_ref(site)]
        return all(
            (ref in everything) == (ref in existing)
            and (ref not in existing or covers(everything[ref]["spec"], existing[ref].get("spec")))
            for ref in ours
        )

    def _read(self, site: Site, existing: Objects) -> Routing | None:
        """What can be read off. Of matches it is seen that there may be some, not which: that is told as one that fits
        every request, since to think more of the canary's share than is so is the safe mistake."""
        found = read_services(site, _api(site), existing)
        if found is None or not _routed(site):
            return found
        ours = existing.get(traefik_routes.our_ref(site))
        if ours is None:
            return None if _is_split_beside(site, existing) else found
        canarys = {site.canary, names(site).canary}
        routes = (ours.get("spec") or {}).get("routes") or ()
        matched = any(one.get("name") in canarys for route in routes for one in route.get("services") or ())
        return Routing(found.weight, found.mirror, ((),) if matched else ())


def _routed(site: Site) -> bool:
    return bool(Options(site.program).route)


def _api(site: Site) -> str:
    return OLD if Options(site.program).api == "v2" else NEW


def _ref(site: Site, name: str) -> Ref:
    return site.ref(_api(site), KIND, name)


def _wanted(site: Site, routing: Routing, existing: Objects) -> tuple[dict[Ref, Manifest], Manifest | None]:
    """The TraefikServices, and the IngressRoute if there is to be one."""
    if not _routed(site) and (routing.matches or routing.sticky is not None):
        raise TrafficError(
            "Traefik matches requests and keeps users by an IngressRoute: name the one of yours that leads to "
            f"`{site.apex}` by the option `route`"
        )
    if _routed(site) and _api(site) == OLD:
        raise TrafficError("with `api v2` there is no `route`: take one of them away")
    specs, arms = services(site, _backend(site, existing), routing)
    made = {_ref(site, name): manifest(site, _ref(site, name), spec) for name, spec in specs.items()}
    return made, traefik_routes.beside(site, existing, routing, arms) if _routed(site) else None


def _backend(site: Site, existing: Objects) -> Backend:
    options = Options(site.program)
    scheme = _SCHEMES.get((site.program.service.app_protocol or "").lower())
    said: Backend = {"port": options.port or site.port, **({"scheme": scheme} if scheme else {})}
    return {**said, **traefik_routes.backend(site, existing)} if _routed(site) else said


def _is_split_beside(site: Site, existing: Objects) -> bool:
    """Whether the user's route leads past the choice by weight, for which ours must be there."""
    try:
        return bool(traefik_routes.backend(site, existing))
    except TrafficError:
        return True


def _is_ours(site: Site, spec: Mapping[str, Any]) -> bool:
    return is_split(site, spec) or any(
        one.get("name") in {site.apex, *site.arms, *names(site)}
        for route in spec.get("routes") or ()
        for one in route.get("services") or ()
    )
