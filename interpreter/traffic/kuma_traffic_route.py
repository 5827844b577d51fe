"""The spec of a TrafficRoute that routes between primary, canary and baseline: made for a `Routing`, and read.

A TrafficRoute knows services by the tag `kuma.io/service`, which for a Service of Kubernetes is
`NAME_NAMESPACE_svc_PORT`. Of its `http` entries the first that holds decides, then its `split`. It can test headers,
each of them once; cookies are tested on the `cookie` header. It has no query parameters and no mirrors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Manifest
from interpreter.traffic.options import Options
from interpreter.traffic.patterns import cookie_pattern, value_pattern
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import scaled_parts, share

SERVICE = "kuma.io/service"


def spec(site: Site, routing: Routing) -> Manifest:
    """Raises `TrafficError` for matches that cannot be had."""
    total, canary, baseline = scaled_parts(routing.weight, site.baseline_part(routing))
    parts = zip(site.arms, (total - canary - baseline, canary, baseline), strict=True)
    conf: Manifest = {
        "split": [
            {"weight": part, "destination": _tagged(site, service)}
            for service, part in parts
            if service != site.baseline_service or part
        ]
    }
    if routing.matches:
        conf["http"] = [
            {"match": {"headers": _headers(tests)}, "destination": _tagged(site, site.canary)}
            for tests in routing.matches
        ]
    return {
        "sources": [{"match": {SERVICE: "*"}}],
        "destinations": [{"match": _tagged(site, site.apex)}],
        "conf": conf,
    }


def same(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether a live spec is the wanted one: nothing is filled in."""
    return wanted == live


def is_split(site: Site, spec: Mapping[str, Any]) -> bool:
    """Whether it leads to primary, canary or baseline."""
    arms = [_tag(site, service) for service in site.arms]
    return any((each.get("destination") or {}).get(SERVICE) in arms for each in _split(spec))


def read(site: Site, spec: Mapping[str, Any]) -> Routing | None:
    """The weight. Of matches it is seen that there are some, not which: that is told as one that fits every request,
    since to think more of the canary's share than is so is the safe mistake."""
    if not is_split(site, spec):
        return None
    parts = [_part(site, spec, service) for service in site.arms]
    to_canary = _tagged(site, site.canary)
    http = (spec.get("conf") or {}).get("http") or ()
    matches: tuple[tuple[MatchTest, ...], ...] = ((),)
    return Routing(
        weight=share(parts[1], sum(parts)),
        matches=matches if any(each.get("destination") == to_canary for each in http) else (),
    )


def _tag(site: Site, service: str) -> str:
    return f"{service}_{site.namespace}_svc_{Options(site.program).port or site.port}"


def _tagged(site: Site, service: str) -> Manifest:
    return {SERVICE: _tag(site, service)}


def _split(spec: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return (spec.get("conf") or {}).get("split") or ()


def _part(site: Site, spec: Mapping[str, Any], service: str) -> float:
    tag = _tag(site, service)
    return sum(float(each.get("weight", 0)) for each in _split(spec) if each.get("destination", {}).get(SERVICE) == tag)


def _headers(tests: Sequence[MatchTest]) -> Manifest:
    found: Manifest = {}
    for test in tests:
        if test.kind == "query":
            raise TrafficError(f"a TrafficRoute has no query, so `{test.key}` cannot be tested; test a header")
        if test.kind == "header":
            _add(found, test.key.lower(), _header(test))
    cookies = list(dict.fromkeys(test for test in tests if test.kind == "cookie"))
    if cookies:
        _add(found, "cookie", {"regex": cookie_pattern(cookies)})
    return found


def _header(test: MatchTest) -> Manifest:
    match test.op:
        case "==":
            return {"exact": test.value}
        case "^=" if test.value:
            return {"prefix": test.value}
        case _:
            return {"regex": value_pattern(test)}


def _add(found: Manifest, name: str, test: Manifest) -> None:
    if found.setdefault(name, test) != test:
        raise TrafficError(
            f"a TrafficRoute can test the header `{name}` only once, and two different tests on it would have to hold "
            "together: write them as one regular expression"
        )
