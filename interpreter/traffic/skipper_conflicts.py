"""Routes of the user's that ours would take requests from.

Our routes outweigh all others of the same host and path. Skipper looks up paths of the types `Prefix` and `Exact` in a
tree, by length, so other paths are safe. Paths without a type are regular expressions, of which the heaviest wins: ours
for `/` would take `/other` too. A rule without a host is for all hosts. And routes written in the annotation
`skipper-routes` stand on the very same paths. Each of these is refused, and the message says what makes it safe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from interpreter.objects import Manifest
from interpreter.traffic.ingress_copy import is_apex, paths, shown
from interpreter.traffic.provider import Site, TrafficError

_ROUTES = "zalando.org/skipper-routes"
_PATH_MODE = "zalando.org/skipper-ingress-path-mode"
_ENOUGH = 1000
_WEIGHT = re.compile(r"\bWeight\(\s*(\d+)\s*\)")

Place = tuple[str, Mapping[str, Any]]


def forbid_conflicts(site: Site, users: Manifest) -> None:
    """Raises `TrafficError` if our routes would take requests from others of the user's Ingress."""
    where = f"Ingress `{site.namespace}/{users['metadata']['name']}`"
    annotations: Mapping[str, str] = users["metadata"].get("annotations") or {}
    _forbid_light_routes(where, annotations.get(_ROUTES, ""))
    trees = annotations.get(_PATH_MODE) == "path-prefix"
    others = paths(users, lambda backend: not is_apex(site, backend))
    for ours in paths(users, lambda backend: is_apex(site, backend)):
        for other in others:
            if _takes(ours, other, trees=trees):
                raise TrafficError(
                    f"{where}: the canary's routes for {shown(*ours)} would take the requests for {shown(*other)} too, "
                    "since Skipper prefers them; give each path the `pathType` Prefix or Exact, give each rule a host, "
                    "and lead no other Service by the same path"
                )


def _takes(ours: Place, other: Place, *, trees: bool) -> bool:
    (our_host, our), (host, path) = ours, other
    if our_host not in ("", host):
        return False
    if _in_tree(our, trees=trees) != _in_tree(path, trees=trees):
        return False
    our_path, other_path = str(our.get("path", "")), str(path.get("path", ""))
    return our_path == other_path if _in_tree(our, trees=trees) else other_path.startswith(our_path)


def _in_tree(path: Mapping[str, Any], *, trees: bool) -> bool:
    return bool(path.get("path")) and (trees or path.get("pathType") in ("Prefix", "Exact"))


def _forbid_light_routes(where: str, routes: str) -> None:
    """Custom routes are safe if each says that it is heavier than ours."""
    statements = [text for text in routes.split(";") if text.strip()]
    heavy = [weight for weight in _WEIGHT.findall(routes) if int(weight) >= _ENOUGH]
    if len(heavy) < len(statements):
        raise TrafficError(
            f"{where}: the canary's routes would outweigh those in its annotation `{_ROUTES}`; add the predicate "
            f"`Weight({_ENOUGH})` to each of them"
        )
