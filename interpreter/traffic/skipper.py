"""Skipper: Ingresses beside the user's, whose routes outweigh those of the user's own.

Skipper makes a route of every path of an Ingress, and of several that fit a request takes the one with the greatest
weight (the number of its predicates, and what `Weight` adds). So the user's Ingress is only read: while ours do not
apply, its routes lead to the apex Service, which is the primary's.

Weights alone are one Ingress, `NAME-canary`, as Flagger writes it: all backends on every path, the annotation
`backend-weights`, and a predicate that makes its routes apply, or not.

All else takes an Ingress for each arm, whose routes apply to requests with a mark (a header, taken off before the
request goes on). `NAME-canary` is then the primary's, `NAME-canary-baseline` the baseline's, if it gets anything, and
`NAME-canary-match` the canary's, with further routes in the annotation `skipper-routes` that deal: each marks the
requests that it is for, and has them looked up once more (`<loopback>`). In order:

    copies made by a mirror; holders of the canary's cookie; matches                to the canary
    holders of the primary's cookie                                                 to the primary
    the canary's share                                                              to the canary
    the baseline's share, at the other end, with what of it is copied               to the baseline
    the share that is copied; the rest                                              to the primary

Here alone a mirror copies what primary and baseline answer, and nothing that the canary does. The random number that
shares are taken from is one for each request. A client that sets the mark itself gets that arm, while a step needs
marks.

Facts: Skipper v0.27, `dataclients/kubernetes/{ingressv1,traffic}.go`, `routing/matcher.go`, its references of
predicates and filters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, assert_never

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Apply, Change, Delete, Manifest, Objects, Ref
from interpreter.traffic.cookies import Binding, bindings
from interpreter.traffic.ingress_copy import beside, our_ref, users_ingress, users_ref
from interpreter.traffic.patterns import escaped
from interpreter.traffic.provider import Site
from interpreter.traffic.reading import covers, note, share, trusted
from interpreter.traffic.skipper_conflicts import forbid_conflicts

PREFIX = "zalando.org/"
WEIGHTS = f"{PREFIX}backend-weights"
PREDICATE = f"{PREFIX}skipper-predicate"
FILTER = f"{PREFIX}skipper-filter"
ROUTES = f"{PREFIX}skipper-routes"
_OURS = (WEIGHTS, PREDICATE, FILTER, ROUTES)

MARK = "X-Rollway-Arm"
_ACTIVE, _INACTIVE = "Weight(100)", "False()"
_MARKED = 900
"""Below the 1000 of Skipper's own redirects to HTTPS; steps of a hundred leave room for the predicates of a route."""


class Skipper:
    """The provider `skipper`."""

    name = "skipper"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return (users_ref(site), our_ref(site), _match_ref(site), _baseline_ref(site))

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        """The arms are made before requests are dealt to them; dealing ends before an arm goes, or weights apply."""
        users = users_ingress(site, existing)
        forbid_conflicts(site, users)
        canary, match, baseline = _wanted(site, routing, users)
        note(canary, site.apex, routing)
        if match is None:
            ends = (*_deleted(existing, _match_ref(site)), *_deleted(existing, _baseline_ref(site)))
            return (*ends, Apply(canary))
        if baseline is None:
            return (Apply(canary), Apply(match), *_deleted(existing, _baseline_ref(site)))
        return (Apply(canary), Apply(baseline), Apply(match))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        live, users = existing.get(our_ref(site)), existing.get(users_ref(site))
        if live is None or users is None:
            return None
        match, baseline = existing.get(_match_ref(site)), existing.get(_baseline_ref(site))
        there = (live, match, baseline)
        found = trusted(live, site, lambda each, routing: _are(_wanted(each, routing, users), there))
        return found or _read(site, live, match)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        refs = (_match_ref(site), _baseline_ref(site), our_ref(site))
        return tuple(change for ref in refs for change in _deleted(existing, ref))


class _Deal(NamedTuple):
    """A route that marks the requests which all of `predicates` hold for, after `filters`. The heaviest that fits
    decides."""

    name: str
    weight: int
    arm: str
    predicates: Sequence[str] = ()
    filters: Sequence[str] = ()


def _match_ref(site: Site) -> Ref:
    return our_ref(site, "canary-match")


def _baseline_ref(site: Site) -> Ref:
    return our_ref(site, "canary-baseline")


def _deleted(existing: Objects, ref: Ref) -> tuple[Delete, ...]:
    return (Delete(ref),) if ref in existing else ()


def _wanted(site: Site, routing: Routing, users: Manifest) -> tuple[Manifest, Manifest | None, Manifest | None]:
    """`NAME-canary`, `NAME-canary-match`, `NAME-canary-baseline`."""
    deals, part = tuple(_deals(site, routing)), site.baseline_part(routing)
    plain = _without_default(users)
    if not deals:
        said = _annotations(users, _ACTIVE if routing.weight > 0 else _INACTIVE)
        return _weighed(site, plain, said, routing.weight, part), None, None
    routes = {ROUTES: "\n".join(_route(users, deal) for deal in deals)}
    return (
        _weighed(site, plain, _arm(users, site.primary), 0.0, 0.0),
        beside(site, plain, _match_ref(site), [site.canary], {**_arm(users, site.canary), **routes}),
        beside(site, plain, _baseline_ref(site), [site.baseline], _arm(users, site.baseline)) if part else None,
    )


def _weighed(site: Site, users: Manifest, said: Mapping[str, str], canary: float, baseline: float) -> Manifest:
    """`NAME-canary`."""
    weights = {site.primary: round(100 - canary - baseline, 6), site.canary: canary}
    if baseline:
        weights[site.baseline] = baseline
    return beside(site, users, our_ref(site), list(weights), {**said, WEIGHTS: json.dumps(weights)})


def _without_default(users: Manifest) -> Manifest:
    """Skipper splits no default backend: the user's stays the only one, and leads to the primary."""
    return {**users, "spec": {key: part for key, part in (users.get("spec") or {}).items() if key != "defaultBackend"}}


def _annotations(users: Manifest, *predicates: str, filters: Sequence[str] = ()) -> dict[str, str]:
    """The user's own for Skipper, with predicates and filters of ours added."""
    given: Mapping[str, str] = users["metadata"].get("annotations") or {}
    said = {key: value for key, value in given.items() if key.startswith(PREFIX) and key not in _OURS}
    said[PREDICATE] = " && ".join([*_predicates(users), *predicates])
    theirs = given.get(FILTER, "").strip()
    chain = " -> ".join([*([theirs] if theirs else []), *filters])
    return {**said, FILTER: chain} if chain else said


def _predicates(users: Manifest) -> list[str]:
    theirs = (users["metadata"].get("annotations") or {}).get(PREDICATE, "").strip()
    return [theirs] if theirs else []


def _arm(users: Manifest, service: str) -> dict[str, str]:
    marked = _call("Header", MARK, service), f"Weight({_MARKED})"
    return _annotations(users, *marked, filters=[_call("dropRequestHeader", MARK)])


# --- dealing --------------------------------------------------------------------------------------------------------


def _deals(site: Site, routing: Routing) -> Iterator[_Deal]:
    """The routes that deal; none if weights are all that is wanted."""
    cookies = bindings(site, routing)
    if not (routing.matches or routing.mirror > 0 or cookies.canary):
        return
    weight, mirror, baseline = routing.weight / 100, routing.mirror / 100, site.baseline_part(routing) / 100
    bound, held = _giving(cookies.canary), _giving(cookies.primary)
    copy = [_call("teeLoopback", site.canary)]
    if mirror:
        yield _Deal("mirror", 800, site.canary, [_call("Tee", site.canary)])
    if cookies.canary:
        yield _Deal("sticky", 700, site.canary, [_holds(cookies.canary)], bound)
    for number, tests in enumerate(routing.matches):
        yield _Deal(f"match_{number}", 600, site.canary, [_predicate(test) for test in tests], bound)
    if cookies.primary and mirror:
        yield _Deal("primary_copied", 500, site.primary, [_holds(cookies.primary), _segment(0, mirror)], copy)
    if cookies.primary:
        yield _Deal("primary", 400, site.primary, [_holds(cookies.primary)])
    if weight:
        yield _Deal("weight", 300, site.canary, [_segment(0, weight)], bound)
    if baseline and mirror:
        yield _Deal("baseline_copied", 200, site.baseline, [_segment(1 - baseline, 1 - baseline * (1 - mirror))], copy)
    if baseline and mirror < 1:
        yield _Deal("baseline", 200, site.baseline, [_segment(1 - baseline * (1 - mirror), 1)])
    if mirror and weight < 1:
        copied = _segment(weight, weight + mirror * (1 - weight - baseline))
        yield _Deal("copied", 200, site.primary, [copied], [*copy, *held])
    yield _Deal("rest", 100, site.primary, [], held)


def _route(users: Manifest, deal: _Deal) -> str:
    """In eskip."""
    predicates = " && ".join([*_predicates(users), *deal.predicates, f"Weight({deal.weight})"])
    filters = " -> ".join([*deal.filters, _call("setRequestHeader", MARK, deal.arm)])
    return f"rollway_{deal.name}: {predicates} -> {filters} -> <loopback>;"


def _giving(binding: Binding | None) -> list[str]:
    return [] if binding is None else [_call("appendResponseHeader", "Set-Cookie", binding.header)]


def _holds(binding: Binding) -> str:
    return _call("Cookie", binding.name, f"^{escaped(binding.value)}$")


def _segment(low: float, high: float) -> str:
    return f"TrafficSegment({_number(low)}, {_number(high)})"


def _number(part: float) -> str:
    """Skipper knows no exponents."""
    return f"{part:.6f}".rstrip("0").rstrip(".")


def _predicate(test: MatchTest) -> str:
    """Skipper searches: an expression need not fit the whole value."""
    name = {"header": "HeaderRegexp", "cookie": "Cookie", "query": "QueryParam"}[test.kind]
    return _call(name, test.key, _expression(test))


def _expression(test: MatchTest) -> str:
    match test.op:
        case "==":
            return f"^{escaped(test.value)}$"
        case "^=":
            return f"^{escaped(test.value)}"
        case "exists":
            return "^"
        case "=~":
            return test.value
        case _:
            assert_never(test.op)


def _call(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(_quoted(argument) for argument in arguments)})"


def _quoted(text: str) -> str:
    inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inner}"'


# --- reading --------------------------------------------------------------------------------------------------------

_WEIGHT_ROUTE = re.compile(r"rollway_weight: [^\n]*TrafficSegment\(0, ([0-9.]+)\)")
_COPIED_ROUTE = re.compile(r"rollway_copied: [^\n]*TrafficSegment\(([0-9.]+), ([0-9.]+)\)")
_BASELINE_ROUTE = re.compile(r"rollway_baseline(?:_copied)?: [^\n]*TrafficSegment\(([0-9.]+), ")


def _are(wanted: Iterable[Manifest | None], live: Iterable[Manifest | None]) -> bool:
    return all(map(_is, wanted, live))


def _is(wanted: Manifest | None, live: Manifest | None) -> bool:
    """Whether the live Ingress routes as the wanted one."""
    if wanted is None or live is None:
        return wanted is live
    says = [{key: value for key, value in _said(each).items() if key in _OURS} for each in (wanted, live)]
    return says[0] == says[1] and covers(wanted["spec"], live.get("spec"))


def _said(ingress: Manifest) -> Mapping[str, str]:
    return ingress["metadata"].get("annotations") or {}


def _read(site: Site, live: Manifest, match: Manifest | None) -> Routing | None:
    """What the annotations amount to. Of matches it is seen that there are some, not which: that is told as one that
    fits every request, since to think more of the canary's share than is so is the safe mistake."""
    if match is None:
        return _read_weights(site, live)
    routes = _said(match).get(ROUTES, "")
    weight = _WEIGHT_ROUTE.search(routes)
    low, high = found.groups() if (found := _COPIED_ROUTE.search(routes)) else ("0", "0")
    end = float(found[1]) if (found := _BASELINE_ROUTE.search(routes)) else 1.0
    return Routing(
        weight=share(float(weight[1]), 1) if weight else 0.0,
        mirror=share(float(high) - float(low), end - float(low)),
        matches=((),) if "rollway_match_" in routes else (),
    )


def _read_weights(site: Site, live: Manifest) -> Routing | None:
    said = _said(live)
    if _INACTIVE in said.get(PREDICATE, ""):
        return Routing()
    try:
        weights = json.loads(said[WEIGHTS])
        primary, canary = float(weights[site.primary]), float(weights[site.canary])
        baseline = float(weights.get(site.baseline_service, 0))
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    return Routing(weight=share(canary, primary + canary + baseline))
