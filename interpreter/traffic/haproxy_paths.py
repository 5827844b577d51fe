"""Which paths of an Ingress the canary's rules may stand on.

The controller asks conditions in the order in which it made them, before it looks up any path; and every path of ours
has one. A request that two of ours fit is drawn for twice, so of two such paths the longer is left out: both lead to
the same Service. A request for a path of another Service that lies within one of ours would be taken: such an Ingress
is refused.

A path other than `/` becomes a regular expression of HAProxy's, written as it is, so it may have nothing that would
mean something there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from interpreter.objects import Manifest
from interpreter.traffic.ingress_copy import is_apex, paths, shown
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied

_MEANS_SOMETHING = re.compile(r"[\\.+*?()|\[\]{}^$\s'\"#]")


class _Place(NamedTuple):
    """Where an Ingress leads from. No host is every host, `*.a` those below `a`."""

    host: str
    path: str
    exact: bool

    def holds(self, other: _Place) -> bool:
        """Whether each request for the other is one for this. A request for a host that is named is none for a place
        without one: the named host is looked up first."""
        if self.host not in ("", other.host) and not _below(other.host, self.host):
            return False
        if self.exact:
            return other.exact and self.path == other.path
        mine = self.path.rstrip("/")
        return other.path.rstrip("/") == mine or other.path.startswith(f"{mine}/")


def without_covered(site: Site, users: Manifest) -> Manifest:
    """The user's Ingress without those paths to the apex Service that another of them covers, and without the default
    backend, of which there can be but one. Raises `TrafficError` where our rules would take requests for others, and
    for paths that cannot be written."""
    ours = [_place(*each) for each in paths(users, lambda backend: is_apex(site, backend))]
    others = paths(users, lambda backend: not is_apex(site, backend))
    _forbid(site, users, ours, others)
    made = copied(users)
    spec = made.get("spec") or {}
    spec.pop("defaultBackend", None)
    kept: list[_Place] = []
    for place in ours:
        if not any(other.holds(place) for other in kept) and not any(
            other.holds(place) and not place.holds(other) for other in ours
        ):
            kept.append(place)
    for rule in spec.get("rules") or ():
        http = rule.get("http") or {}
        if http.get("paths"):
            http["paths"] = [path for path in http["paths"] if _stays(site, rule.get("host", ""), path, kept)]
    return made


def _stays(site: Site, host: str, path: Mapping[str, Any], kept: list[_Place]) -> bool:
    """Whether it is one of those that are kept, each once."""
    place = _place(host, path)
    if not is_apex(site, path["backend"]) or place not in kept:
        return False
    kept.remove(place)
    return True


def _forbid(site: Site, users: Manifest, ours: list[_Place], others: list[tuple[str, Mapping[str, Any]]]) -> None:
    where = f"Ingress `{site.namespace}/{users['metadata']['name']}`"
    for place in ours:
        if not place.exact and _MEANS_SOMETHING.search(place.path):
            raise TrafficError(
                f"{where}: the path `{place.path}` becomes a regular expression of HAProxy's, and has characters that "
                "mean something there: lead another path to the Service, or give it the `pathType` Exact"
            )
        for host, path in others:
            if place.holds(_place(host, path)):
                raise TrafficError(
                    f"{where}: the canary's rule for `{place.host or '*'}{place.path}` would take requests for "
                    f"{shown(host, path)} too, since HAProxy asks it first; give each Service a host of its own, or "
                    "paths that do not lie within one another"
                )


def _place(host: str, path: Mapping[str, Any]) -> _Place:
    return _Place(host, str(path.get("path") or "/"), path.get("pathType") == "Exact")


def _below(host: str, wildcard: str) -> bool:
    return wildcard.startswith("*.") and host.endswith(wildcard[1:])
