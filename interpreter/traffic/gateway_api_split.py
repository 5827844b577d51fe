"""One rule of a route, split between primary and canary, and the baseline if there is one.

A rule that leads to the apex Service becomes the same rule with the apex's backend replaced by theirs, and before it,
where the routing asks for them, rules that lead to one arm only: for holders of this run's cookie, for the routing's
matches, and for holders of the primary's cookie. All else of the rule is kept in each. Weights are whole numbers that
sum to 100, or to 1000 or 10,000 where a fraction needs it; other backends of the rule keep their share.

A cookie is given by a filter on a backend, for only there it is known who answers. Filters on backends are an optional
feature of implementations. The mirror stands on the rules that can lead to the primary, and copies what they take,
whoever answers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import gcd
from typing import Any

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Manifest
from interpreter.traffic.cookies import Binding, bindings
from interpreter.traffic.gateway_api_crd import MIRROR_SHARE, Installed
from interpreter.traffic.gateway_api_matches import RouteKind, any_request, combined, tests_of
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, scaled_parts, share

_HEAVIEST = 1_000_000
_RESPONSE = "ResponseHeaderModifier"
_MIRROR = "RequestMirror"
_SAID = frozenset(
    (
        *("add", "cors", "filters", "fraction", "headers", "hostnames", "matches", "method", "path", "percent"),
        *("queryParams", "remove", "retry", "set", "timeouts", "urlRewrite", "weight"),
    )
)
"""Keys that mean something wherever they stand: one more of them is a difference."""


def split(kind: RouteKind, site: Site, rule: Mapping[str, Any], routing: Routing, crd: Installed) -> list[Manifest]:
    """The rules for this routing, from one that leads to the apex Service; the weighted one is the last. Raises
    `TrafficError`."""
    apex = _apex_of(site, rule)
    primary, canary, baseline = ({**copied(apex), "name": service} for service in site.arms)
    cookies = bindings(site, routing)
    bound_primary, bound_canary = _giving(primary, cookies.primary), _giving(canary, cookies.canary)
    copies = [] if routing.mirror <= 0 else [_mirror(canary, routing.mirror, crd)]
    rules: list[Manifest] = []
    if cookies.canary is not None:
        rules += _all_to(kind, bound_canary, rule, _holders(cookies.canary), crd)
    if routing.matches:
        rules += _all_to(kind, bound_canary, rule, _before_holders(routing.matches, cookies.primary), crd)
    if cookies.primary is not None:
        rules += _all_to(kind, primary, _with_filters(rule, copies), _holders(cookies.primary), crd)
    weighted = _with_filters(rule, copies)
    arms = (bound_primary, bound_canary, baseline)
    weighted["backendRefs"] = _weighted(site, rule["backendRefs"], arms, routing)
    return [*rules, weighted]


def leads_to(site: Site, backend: Mapping[str, Any], service: str) -> bool:
    """Whether a backend is this Service of the rollout's."""
    named = backend.get("group") or "", backend.get("kind") or "Service", backend.get("namespace") or site.namespace
    return named == ("", "Service", site.namespace) and backend.get("name") == service


def leads_anywhere(site: Site, rule: Mapping[str, Any], services: Iterable[str]) -> bool:
    """Whether a rule leads to any of these Services."""
    services = tuple(services)
    return any(leads_to(site, backend, name) for backend in rule.get("backendRefs") or () for name in services)


def is_for_one_arm(site: Site, rule: Mapping[str, Any]) -> bool:
    """Whether a rule leads to the canary and nowhere else, or to the primary and nowhere else."""
    names = [[leads_to(site, backend, name) for name in (site.primary, site.canary)] for backend in _backends(rule)]
    return bool(names) and any(all(arm) for arm in zip(*names, strict=True))


def same(wanted: Any, live: Any) -> bool:
    """Whether what is there is what is wanted. An API server may have filled in defaults: keys more, but none that
    would send requests elsewhere or treat them otherwise."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        more = live.keys() - wanted.keys()
        return not more & _SAID and all(key in live and same(part, live[key]) for key, part in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(same, wanted, live))
    return bool(wanted == live)


def without_mirror(site: Site, rule: Mapping[str, Any]) -> Manifest:
    """The rule without the filter that copies requests to the canary."""
    made = copied(rule)
    filters = [each for each in made.pop("filters", None) or () if not _is_our_mirror(site, each)]
    return {**made, "filters": filters} if filters else made


def read_rules(site: Site, rules: Sequence[Mapping[str, Any]]) -> Routing | None:
    """Weight, mirror and matches as the rules have them; None if none leads to primary, canary or baseline."""
    ours = [rule for rule in rules if leads_anywhere(site, rule, site.arms)]
    if not ours:
        return None
    *before, last = ours
    mirrors = [each for each in last.get("filters") or () if _is_our_mirror(site, each)]
    return Routing(
        weight=_canary_share(site, last),
        mirror=_mirrored(mirrors[0]["requestMirror"]) if mirrors else 0.0,
        matches=tuple(
            tests_of(match)
            for rule in before
            if _canary_share(site, rule) == 100
            for match in rule.get("matches") or [{}]
        ),
    )


def is_split(site: Site, spec: Mapping[str, Any]) -> bool:
    """Whether any rule of a spec leads to primary, canary or baseline."""
    return any(leads_anywhere(site, rule, site.arms) for rule in spec.get("rules") or ())


def one_match_each(rule: Manifest) -> list[Manifest]:
    """The rule, or several where it may have but one match: one that replaces the prefix of a path."""
    filters = [*(rule.get("filters") or ())]
    filters += [each for backend in rule.get("backendRefs") or () for each in backend.get("filters") or ()]
    if not any(each.get("urlRewrite", {}).get("path", {}).get("type") == "ReplacePrefixMatch" for each in filters):
        return [rule]
    return [{**copied(rule), "matches": [match]} for match in rule["matches"]]


def _apex_of(site: Site, rule: Mapping[str, Any]) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = [
        backend for backend in rule.get("backendRefs") or () if leads_to(site, backend, site.apex)
    ]
    if len(found) != 1:
        raise TrafficError(
            f"the route's rule names the Service `{site.apex}` {len(found)} times among its backends: name it once"
        )
    return found[0]


def _backends(rule: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return rule.get("backendRefs") or ()


def _holders(binding: Binding) -> tuple[tuple[MatchTest, ...], ...]:
    return ((MatchTest("cookie", binding.name, "==", binding.value),),)


def _before_holders(
    alternatives: Sequence[tuple[MatchTest, ...]], primary: Binding | None
) -> list[tuple[MatchTest, ...]]:
    """Of two rules a Gateway prefers the one that tests more headers, whatever their order and however many parameters
    they test. The rule for holders of the primary's cookie tests one: an alternative that tests none is said once more
    for those holders, so that it comes first for them too."""
    made = list(alternatives)
    if primary is not None:
        (holder,) = _holders(primary)
        made += [(*tests, *holder) for tests in alternatives if all(test.kind == "query" for test in tests)]
    return made


def _with_filters(rule: Mapping[str, Any], filters: Sequence[Manifest]) -> Manifest:
    made = copied(rule)
    if filters:
        made["filters"] = [*(made.get("filters") or ()), *copied({"filters": filters})["filters"]]
    return made


def _all_to(
    kind: RouteKind,
    backend: Manifest,
    rule: Mapping[str, Any],
    alternatives: Sequence[Sequence[MatchTest]],
    crd: Installed,
) -> list[Manifest]:
    """The rule for those of its requests that these tests pick, leading to one backend only; several where it has more
    matches than one can hold."""
    made = copied(rule)
    made.pop("name", None)
    made["matches"] = combined(kind, rule.get("matches") or any_request(kind), alternatives)
    made["backendRefs"] = [{**copied(backend), "weight": 100}]
    matches, most = made["matches"], crd.most_matches
    cut = [{**copied(made), "matches": matches[at : at + most]} for at in range(0, len(matches), most)]
    return [rule for each in cut for rule in one_match_each(each)]


def _weighted(
    site: Site, given: Sequence[Mapping[str, Any]], arms: tuple[Manifest, Manifest, Manifest], routing: Routing
) -> list[Manifest]:
    """The rule's backends with primary and canary, and the baseline if it gets anything, in place of the apex."""
    total, canary, baseline = scaled_parts(routing.weight, site.baseline_part(routing))
    parts = [total - canary - baseline, canary, *([baseline] if baseline else [])]
    alone = len(given) == 1
    backends: list[Manifest] = []
    for backend in given:
        weight = 1 if alone else backend.get("weight", 1)
        if leads_to(site, backend, site.apex):
            backends += [{**arm, "weight": weight * part} for arm, part in zip(arms, parts, strict=False)]
        else:
            backends.append({**copied(backend), "weight": weight * total})
    return backends if alone else _lightened(backends)


def _lightened(backends: list[Manifest]) -> list[Manifest]:
    """The same proportions in the smallest whole numbers."""
    divisor = gcd(*(backend["weight"] for backend in backends)) or 1
    lightened = [{**backend, "weight": backend["weight"] // divisor} for backend in backends]
    if max(backend["weight"] for backend in lightened) > _HEAVIEST:
        raise TrafficError(
            f"the weights of the route's rule are too large to be split: they would exceed {_HEAVIEST:,}; "
            "write the same proportions in smaller numbers"
        )
    return lightened


def _giving(backend: Manifest, binding: Binding | None) -> Manifest:
    """The backend; its responses give the client the cookie."""
    if binding is None:
        return backend
    made = copied(backend)
    filters = made.setdefault("filters", [])
    modifier = next((each for each in filters if each["type"] == _RESPONSE), None)
    if modifier is None:
        modifier = {"type": _RESPONSE, "responseHeaderModifier": {}}
        filters.append(modifier)
    added = modifier["responseHeaderModifier"].setdefault("add", [])
    if any(header["name"].lower() == "set-cookie" for header in added):
        raise TrafficError(
            "the route's backend adds a `Set-Cookie` header already, beside which the sticky cookie has no place: "
            "set that cookie elsewhere, or do without `sticky`"
        )
    added.append({"name": "Set-Cookie", "value": binding.header})
    return made


def _mirror(canary: Manifest, percent: float, crd: Installed) -> Manifest:
    backend = {key: part for key, part in canary.items() if key not in ("weight", "filters")}
    mirror: Manifest = {"backendRef": backend}
    if percent < 100:
        crd.demand(MIRROR_SHARE, f"a mirror of {percent:g}%")
        total, part = scaled_parts(percent)
        mirror |= {"percent": part} if total == 100 else {"fraction": {"numerator": part, "denominator": total}}
    return {"type": _MIRROR, "requestMirror": mirror}


def _is_our_mirror(site: Site, each: Mapping[str, Any]) -> bool:
    backend = each.get("requestMirror", {}).get("backendRef", {})
    return each.get("type") == _MIRROR and leads_to(site, backend, site.canary)


def _mirrored(mirror: Mapping[str, Any]) -> float:
    if "fraction" in mirror:
        return share(mirror["fraction"]["numerator"], mirror["fraction"].get("denominator", 100))
    return float(mirror.get("percent", 100))


def _canary_share(site: Site, rule: Mapping[str, Any]) -> float:
    """Percent of what a rule gives to primary, canary and baseline."""
    parts = [
        sum(backend.get("weight", 1) for backend in _backends(rule) if leads_to(site, backend, name))
        for name in site.arms
    ]
    return share(parts[1], sum(parts))
