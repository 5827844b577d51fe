"""The routes of a VirtualRouter that lead to primary and canary, and the baseline if there is one: made, and read.

The route of the lowest priority number that fits decides: first those that the routing's matches pick, all to the
canary, then those with weights. Numbers of the second kind do not depend on how many there are of the first, so that a
match that comes or goes changes no other route.

Weights are whole numbers up to 100. Half a percent for the baseline, beside 99 for the canary, is made a whole one: the
primary, which is the same, then gets none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interpreter.desired import Routing
from interpreter.traffic.appmesh_matches import Kind, Match, combined, tests_of, user_matches
from interpreter.traffic.options import Options, Retries
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import share, whole_parts

Route = dict[str, Any]

KINDS: Mapping[str, Kind] = {"http": "httpRoute", "http2": "http2Route", "grpc": "grpcRoute", "tcp": "tcpRoute"}
"""By the protocol of a listener."""

DEFAULT_TRY_MS = 15_000
"""How long a try may take if nothing is said: App Mesh wants it said, and waits as long for a whole request."""

MOST_ROUTES = 45
"""Of a kind, in a router; AWS' quota is 50 routes in all, and a matched one has a place of its own before 500."""

_MATCHED, _WEIGHED, _STEP = 10, 500, 10
_HTTP_EVENTS = frozenset({"server-error", "gateway-error", "client-error", "stream-error"})
_GRPC_EVENTS = frozenset({"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"})
_TCP_EVENTS = frozenset({"connection-error"})
_ENVOYS = {
    "5xx": "server-error",
    "retriable-4xx": "client-error",
    "reset": "stream-error",
    "refused-stream": "stream-error",
    "connect-failure": "connection-error",
}
"""Words that Istio and Envoy have for App Mesh's events."""


def protocol(site: Site) -> str:
    """Of the listeners: `http`, `http2`, `grpc` or `tcp`. Raises `TrafficError` for one that App Mesh does not have."""
    service = site.program.service
    said = (service.app_protocol or "").lower()
    if not said:
        return "grpc" if "grpc" in (service.port_name or "") else "http"
    if said not in KINDS:
        raise TrafficError(
            f"traffic appmesh: App Mesh has no listeners for the protocol `{said}`; it has {', '.join(KINDS)}"
        )
    return said


def routes(site: Site, routing: Routing) -> list[Route]:
    """The routes for this routing. Raises `TrafficError` if they cannot be had."""
    kind, options = KINDS[protocol(site)], Options(site.program)
    bases = user_matches(kind, options.match)
    if routing.matches and kind == "tcpRoute":
        raise TrafficError("App Mesh cannot look into tcp connections: only weights can be had")
    matched = combined(kind, bases, routing.matches)
    if max(len(matched), len(bases)) > MOST_ROUTES or len(matched) + len(bases) > MOST_ROUTES:
        raise TrafficError(
            f"{len(matched) + len(bases)} routes are needed, and a VirtualRouter holds {MOST_ROUTES}: write fewer "
            "alternatives, or put several into one regular expression"
        )
    common = _common(kind, options)
    weighed = _targets(site, routing)
    canary = [_target(site.canary, 100)]
    return [
        *(
            _route(f"{site.apex}-match-{number}", _MATCHED + _STEP * number, kind, match, canary, common)
            for number, match in enumerate(matched)
        ),
        *(
            _route(_name(site, number), _WEIGHED + _STEP * number, kind, match, weighed, common)
            for number, match in enumerate(bases)
        ),
    ]


def canary_routes(site: Site) -> list[Route]:
    """Those of the router that leads to the canary alone, for tests that ask it for."""
    kind, options = KINDS[protocol(site)], Options(site.program)
    made = user_matches(kind, options.match)
    targets = [_target(site.canary, 100)]
    return [
        _route(
            f"{site.canary}-{number}" if number else site.canary,
            _WEIGHED + _STEP * number,
            kind,
            match,
            targets,
            _common(kind, options),
        )
        for number, match in enumerate(made)
    ]


def listener_timeout(site: Site) -> dict[str, Any]:
    """What a VirtualNode's listener waits, which must be no less than its routes do; empty for App Mesh's own limit."""
    said = protocol(site)
    found = _timeout(KINDS[said], Options(site.program))
    return {said: found} if found else {}


def read_routes(site: Site, found: Sequence[Mapping[str, Any]]) -> Routing | None:
    """What routes amount to, by their targets and matches; None if none of them leads to primary, canary or
    baseline. Of routes with different weights the most counts: to think more of the canary's share than is so is the
    safe mistake."""
    ours = [route for route in found if _leads(site, route)]
    if not ours:
        return None
    matched = [route for route in ours if _is_matched(site, route)]
    weight = max((_share(site, route) for route in ours if route not in matched), default=0.0)
    matches = [tests_of(_inner(route).get("match") or {}) for route in matched if _share(site, route)]
    return Routing(weight=weight, matches=tuple(matches))


def is_split(site: Site, found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any route leads to a VirtualNode of ours."""
    return any(_leads(site, route) for route in found)


def _name(site: Site, number: int) -> str:
    return f"{site.apex}-{number}" if number else site.apex


def _is_matched(site: Site, route: Mapping[str, Any]) -> bool:
    """By our names; and by Flagger's, whose route `A-a` is for the matches of an A/B test."""
    name = str(route.get("name", ""))
    return name.startswith(f"{site.apex}-match-") or name == f"{site.apex}-a"


def _route(name: str, priority: int, kind: Kind, match: Match, targets: list[Any], common: Mapping[str, Any]) -> Route:
    inner = {**({"match": match} if match or kind != "tcpRoute" else {}), "action": {"weightedTargets": targets}}
    return {"name": name, "priority": priority, kind: {**inner, **common}}


def _targets(site: Site, routing: Routing) -> list[dict[str, Any]]:
    canary, part = whole_parts(routing.weight, 100), site.baseline_part(routing)
    baseline = max(1, whole_parts(part, 100)) if part else 0
    made = [_target(site.canary, canary), _target(site.primary, 100 - canary - baseline)]
    return [*made, _target(site.baseline, baseline)] if baseline else made


def _target(node: str, weight: int) -> dict[str, Any]:
    return {"virtualNodeRef": {"name": node}, "weight": weight}


def _common(kind: Kind, options: Options) -> dict[str, Any]:
    """What all routes have: the limit of time, and how to try again."""
    timeout = _timeout(kind, options)
    retries = _retries(kind, options.retries)
    return {**({"retryPolicy": retries} if retries else {}), **({"timeout": timeout} if timeout else {})}


def _timeout(kind: Kind, options: Options) -> dict[str, Any]:
    """Of a TCP connection only how long it may stand idle can be said."""
    if options.timeout_ms is None:
        return {}
    return {"idle" if kind == "tcpRoute" else "perRequest": _duration(options.timeout_ms)}


def _retries(kind: Kind, retries: Retries | None) -> dict[str, Any]:
    if retries is None:
        return {}
    if kind == "tcpRoute":
        raise TrafficError("traffic appmesh: a tcp connection is not tried again: take the option `retries` away")
    said = [_ENVOYS.get(word.strip(), word.strip()) for word in (retries.retry_on or "gateway-error").split(",")]
    known = {
        "httpRetryEvents": _HTTP_EVENTS,
        "tcpRetryEvents": _TCP_EVENTS,
        **({"grpcRetryEvents": _GRPC_EVENTS} if kind == "grpcRoute" else {}),
    }
    strange = [word for word in said if not any(word in events for events in known.values())]
    if strange:
        every = ", ".join(sorted(frozenset().union(*known.values())))
        raise TrafficError(f"traffic appmesh: `retries.retry_on` has `{strange[0]}`; App Mesh knows {every}")
    events = {key: list(dict.fromkeys(word for word in said if word in words)) for key, words in known.items()}
    return {
        "maxRetries": 1 if retries.attempts is None else retries.attempts,
        "perRetryTimeout": _duration(
            DEFAULT_TRY_MS if retries.per_try_timeout_ms is None else retries.per_try_timeout_ms
        ),
        **{key: words for key, words in events.items() if words},
    }


def _duration(milliseconds: int) -> dict[str, Any]:
    return {"unit": "ms", "value": milliseconds}


def _inner(route: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((route[kind] for kind in KINDS.values() if route.get(kind)), {})


def _weights(route: Mapping[str, Any]) -> list[tuple[str, int]]:
    targets = (_inner(route).get("action") or {}).get("weightedTargets") or ()
    return [((each.get("virtualNodeRef") or {}).get("name", ""), each.get("weight") or 0) for each in targets]


def _share(site: Site, route: Mapping[str, Any]) -> float:
    weights = _weights(route)
    return share(sum(part for name, part in weights if name == site.canary), sum(part for _, part in weights))


def _leads(site: Site, route: Mapping[str, Any]) -> bool:
    return any(name in site.arms for name, _ in _weights(route))
