"""Weights inside an HTTPRoute or GRPCRoute that the user keeps: where one of its rules leads, and nothing else.

The rule is the one that `rule` names, or the only one that leads to the apex Service. The rules for matches and cookie
holders stand right before it. The rule's own backends are kept in `ORIGINAL`, with the number of rules of the user's
own that stand before it and lead to primary or canary only, for ours look like those. All else, the rule's other
fields too, stays as the user has it and can be edited by them at any time. If the user's tools write their form of the
route again, the rule leads to the apex Service again: that is the original from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import users_route
from interpreter.traffic.gateway_api_crd import Installed
from interpreter.traffic.gateway_api_matches import RouteKind
from interpreter.traffic.gateway_api_split import (
    is_for_one_arm,
    leads_anywhere,
    leads_to,
    read_rules,
    same,
    split,
    without_mirror,
)
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import edit, keep_original, original
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, note, trusted

MOST_RULES = 16
"""In one route; the CustomResourceDefinition says so, of both kinds."""

_USERS = (
    "gateway_refs",
    "hosts",
    "match",
    "rewrite",
    "retries",
    "timeout",
    "backend_timeout",
    "cors",
    "headers",
    "mirror_to",
    "port",
)


def changes(
    kind: RouteKind, site: Site, ref: Ref, routing: Routing, existing: Objects, crd: Installed
) -> tuple[Change, ...]:
    """The `Edit` for this routing; none if it holds. Raises `TrafficError` if the rule cannot be found or split."""
    live = users_route.named(site, ref, existing, _USERS)
    place = _find(site, live)
    made = split(kind, site, place.original(), routing, crd)
    after = copied(live)
    if not same(made, place.ours()):
        place.fill(after, made)
    keep_original(after, site.apex, place.kept)
    note(after, site.apex, routing)
    return tuple(edit(live, after))


def read(kind: RouteKind, site: Site, live: Manifest, crd: Installed) -> Routing | None:
    """The routing that the rule has; None if it is in the user's form, or cannot be found."""
    try:
        place = _find(site, live)
    except TrafficError:
        return None
    ours = place.ours()
    if not leads_anywhere(site, ours[-1], site.arms):
        return None

    def fits(each: Site, routing: Routing) -> bool:
        return same(split(kind, each, place.original(), routing, crd), ours)

    return trusted(live, site, fits) or read_rules(site, ours)


def released(site: Site, live: Manifest | None) -> tuple[Change, ...]:
    """The `Edit` that puts the rule back."""
    return tuple(users_route.released(site, live, _find))


class _Place(NamedTuple):
    """Where the rule stands: `rules[first:end]` are the rules of ours, the last of them being the user's own."""

    site: Site
    rules: Sequence[Manifest]
    first: int
    end: int
    kept: Mapping[str, Any]

    def ours(self) -> list[Manifest]:
        return list(self.rules[self.first : self.end])

    def original(self) -> Manifest:
        """The user's rule as it was, with what they changed in it meanwhile."""
        rule = without_mirror(self.site, self.rules[self.end - 1])
        return {**rule, "backendRefs": copied(self.kept)["backendRefs"]}

    def fill(self, after: Manifest, rules: Sequence[Manifest]) -> None:
        filled = [*self.rules[: self.first], *rules, *self.rules[self.end :]]
        if len(filled) > MOST_RULES:
            raise TrafficError(
                f"{_called(after)} would have {len(filled)} rules, and a route holds {MOST_RULES}: move some of them "
                "to a route of their own"
            )
        after["spec"]["rules"] = filled


def _find(site: Site, live: Manifest) -> _Place:
    rules: Sequence[Manifest] = live.get("spec", {}).get("rules") or []
    at = _index(site, live, rules, Options(site.program).rule)
    first = at
    while first > 0 and is_for_one_arm(site, rules[first - 1]):
        first -= 1
    kept = _kept(site, live, rules[at], at - first)
    return _Place(site, rules, min(first + int(kept["before"]), at), at + 1, kept)


def _index(site: Site, live: Manifest, rules: Sequence[Manifest], name: str) -> int:
    found = [at for at, rule in enumerate(rules) if _is_base(site, rule)]
    if name:
        found = [at for at in found if rules[at].get("name") == name]
    if len(found) != 1:
        named = f" named `{name}`" if name else ""
        cure = "correct `rule`, or name one so" if name else "name one by `rule`, or lead one there"
        raise TrafficError(
            f"{_called(live)} has {len(found) or 'no'} rules{named} that lead to the Service `{site.apex}`: {cure}"
        )
    return found[0]


def _is_base(site: Site, rule: Manifest) -> bool:
    """Whether this is the user's rule: in their form, or split by us."""
    if leads_anywhere(site, rule, (site.apex,)):
        return True
    return all(leads_anywhere(site, rule, (service,)) for service in (site.primary, site.canary))


def _kept(site: Site, live: Manifest, rule: Manifest, before: int) -> Mapping[str, Any]:
    """What is to be put back. Rules for one arm that stood there before ours did are the user's."""
    kept = original(live, site.apex)
    if leads_anywhere(site, rule, (site.apex,)):
        return {"backendRefs": rule["backendRefs"], "before": before if kept is None else kept.get("before", 0)}
    if kept is not None and isinstance(kept.get("backendRefs"), list) and isinstance(kept.get("before"), int):
        return kept
    return {"backendRefs": _rejoined(site, rule), "before": 0}


def _rejoined(site: Site, rule: Manifest) -> list[Manifest]:
    """The backends with one for the apex Service in place of the arms': the best guess, where the annotation that kept
    them was taken away."""
    joined: list[Manifest] = []
    for backend in rule["backendRefs"]:
        if leads_to(site, backend, site.primary):
            joined.append({**backend, "name": site.apex, "weight": 1})
        elif not any(leads_to(site, backend, name) for name in (site.canary, site.baseline_service)):
            joined.append(dict(backend))
    return joined


def _called(live: Mapping[str, Any]) -> str:
    return f"{live['kind']} `{live['metadata'].get('namespace', '')}/{live['metadata']['name']}`"
