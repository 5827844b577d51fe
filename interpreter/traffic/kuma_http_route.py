"""The spec of a MeshHTTPRoute that routes between primary, canary and baseline: made for a `Routing`, and read.

Of several rules Kuma prefers the one whose match says more, as the Gateway API does: the longer path, then more
headers, then more query parameters. A rule for the routing's matches has each of the service's own matches and tests
more than it, so it comes first wherever both hold. The last rule is for everything that is the service's, with the
weights.

Matches and filters have the Gateway API's form, but for the names of headers, which are in lower case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Manifest
from interpreter.traffic.gateway_api_crd import Installed
from interpreter.traffic.gateway_api_matches import combined, tests_of
from interpreter.traffic.gateway_api_rule import base_rule
from interpreter.traffic.options import Options
from interpreter.traffic.provider import Site
from interpreter.traffic.reading import copied, covers, scaled_parts, share

_HEADERS = ("requestHeaderModifier", "responseHeaderModifier")
_MIRROR = "RequestMirror"


def spec(site: Site, routing: Routing, section: str) -> Manifest:
    """`section` is what the port of the apex Service is called. Raises `TrafficError` for matches that cannot be had
    together."""
    base = base_rule("HTTPRoute", site, Installed(None, ""))
    filters = [_lowered(each) for each in base.get("filters", ())]
    rules = []
    if routing.matches:
        matches = combined("HTTPRoute", base["matches"], routing.matches)
        rules.append(_rule(matches, filters, [_backend(site, site.canary)]))
    weighted = [*filters, *([_mirror(site, routing.mirror)] if routing.mirror > 0 else [])]
    rules.append(_rule(base["matches"], weighted, _weighted(site, routing)))
    target = {"kind": "MeshService", "name": site.apex, "namespace": site.namespace, "sectionName": section}
    return {"targetRef": {"kind": "Mesh"}, "to": [{"targetRef": target, "rules": rules}]}


def same(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether a live spec routes as the wanted one: defaults may have been filled in, but rules test and do no more."""
    return covers(wanted, live) and [_extent(rule) for rule in _rules(wanted)] == [
        _extent(rule) for rule in _rules(live)
    ]


def is_split(site: Site, spec: Mapping[str, Any]) -> bool:
    """Whether any rule leads to primary, canary or baseline."""
    return any(_leads(site, rule) for rule in _rules(spec))


def read(site: Site, spec: Mapping[str, Any]) -> Routing | None:
    """Weight, mirror and matches as the rules have them; None if none leads to an arm."""
    ours = [rule for rule in _rules(spec) if _leads(site, rule)]
    if not ours:
        return None
    *before, last = ours
    mirrors = [each for each in last["default"].get("filters") or () if _is_our_mirror(site, each)]
    return Routing(
        weight=_canary_share(site, last),
        mirror=float(mirrors[0]["requestMirror"].get("percentage", 100)) if mirrors else 0.0,
        matches=tuple(
            tests_of(match)
            for rule in before
            if _canary_share(site, rule) == 100
            for match in rule.get("matches") or [{}]
        ),
    )


def _rule(matches: Sequence[Manifest], filters: Sequence[Manifest], backends: Sequence[Manifest]) -> Manifest:
    default = {"backendRefs": list(backends), **({"filters": list(filters)} if filters else {})}
    return {"matches": [_lowered_match(match) for match in matches], "default": default}


def _backend(site: Site, service: str, weight: int = 1) -> Manifest:
    port = Options(site.program).port or site.port
    return {"kind": "MeshService", "name": service, "namespace": site.namespace, "port": port, "weight": weight}


def _weighted(site: Site, routing: Routing) -> list[Manifest]:
    total, canary, baseline = scaled_parts(routing.weight, site.baseline_part(routing))
    parts = zip(site.arms, (total - canary - baseline, canary, baseline), strict=True)
    return [_backend(site, service, part) for service, part in parts if service != site.baseline_service or part]


def _mirror(site: Site, percent: float) -> Manifest:
    backend = {key: part for key, part in _backend(site, site.canary).items() if key != "weight"}
    percentage = int(percent) if percent == int(percent) else f"{percent:g}"
    return {"type": _MIRROR, "requestMirror": {"percentage": percentage, "backendRef": backend}}


def _lowered(each: Manifest) -> Manifest:
    """A filter with the names of headers as Kuma takes them."""
    made = copied(each)
    for edits in (made[key] for key in _HEADERS if key in made):
        for header in (*edits.get("add", ()), *edits.get("set", ())):
            header["name"] = header["name"].lower()
    return made


def _lowered_match(match: Manifest) -> Manifest:
    made = copied(match)
    for header in made.get("headers", ()):
        header["name"] = header["name"].lower()
    return made


def _rules(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [rule for to in spec.get("to") or () for rule in to.get("rules") or ()]


def _extent(rule: Mapping[str, Any]) -> tuple[set[str], list[set[str]]]:
    return {*rule["default"]}, [{*match} for match in rule["matches"]]


def _backends(rule: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return (rule.get("default") or {}).get("backendRefs") or ()


def _leads(site: Site, rule: Mapping[str, Any]) -> bool:
    return any(backend.get("name") in site.arms for backend in _backends(rule))


def _canary_share(site: Site, rule: Mapping[str, Any]) -> float:
    parts = [sum(each.get("weight", 1) for each in _backends(rule) if each.get("name") == name) for name in site.arms]
    return share(parts[1], sum(parts))


def _is_our_mirror(site: Site, each: Mapping[str, Any]) -> bool:
    backend = (each.get("requestMirror") or {}).get("backendRef") or {}
    return each.get("type") == _MIRROR and backend.get("name") == site.canary
