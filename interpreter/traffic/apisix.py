"""Apache APISIX, by the routes of its Ingress controller: an ApisixRoute beside the user's.

The user's ApisixRoute, which `route` names, is read and never written. Ours, `ROUTE-APEX-canary`, has rules made from
those of the user's that lead to the apex Service (or from the one that `rule` names), of a priority a little above
(`apisix_rules`). Requests go by the user's whenever ours says nothing; when ours is deleted, nothing is to be put back.
Flagger's object has the same name, and is gone on with.

An ApisixUpstream of a Service's name says how APISIX speaks to that Service: protocol, load balancing, health checks,
retries. The one of the apex Service is copied for each arm, as long as there is one.

Priorities count among routes of the same path only, and the longer path wins before. Our priorities are right above
that of the user's rule, so that rules that outrank it by more go on doing so. A rule of the same path that ours would
outrank, and the user's did not, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Apply, Change, Delete, Manifest, Objects, Ref
from interpreter.traffic.apisix_rules import STEPS, Rule, read_rules, rules
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import is_ours, manifest
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, covers, note, trusted

API_VERSION = "apisix.apache.org/v2"


class Apisix:
    """The provider `apisix`."""

    name = "apisix"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        upstreams = (site.apex, *site.arms)
        return (_users_ref(site), _our_ref(site), *(_upstream_ref(site, name) for name in upstreams))

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        """How an arm is spoken to is said before anything leads to it."""
        wanted = manifest(site, _our_ref(site), _spec(site, routing, _users_route(site, existing)))
        note(wanted, site.apex, routing)
        made, gone = _upstreams(site, existing)
        return (*made, Apply(wanted), *gone)

    def read(self, site: Site, existing: Objects) -> Routing | None:
        users, live = existing.get(_users_ref(site)), existing.get(_our_ref(site))
        if users is None or live is None:
            return None
        spec = live.get("spec") or {}
        try:
            found = trusted(live, site, lambda each, routing: covers(_spec(each, routing, users), spec))
            return found or read_rules(site, spec.get("http") or ())
        except (AttributeError, KeyError, TypeError, ValueError):  # the settings of a plugin may be anything
            return None

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        refs = (_our_ref(site), *(_upstream_ref(site, name) for name in site.arms))
        return tuple(Delete(ref) for ref in refs if ref in existing and is_ours(existing[ref]))


def _users_ref(site: Site) -> Ref:
    name = Options(site.program).route
    if not name:
        raise TrafficError("traffic apisix: name the ApisixRoute whose traffic is split by the option `route`")
    return site.ref(API_VERSION, "ApisixRoute", name)


def _our_ref(site: Site) -> Ref:
    return site.ref(API_VERSION, "ApisixRoute", f"{_users_ref(site).name}-{site.apex}-canary")


def _upstream_ref(site: Site, name: str) -> Ref:
    return site.ref(API_VERSION, "ApisixUpstream", name)


def _users_route(site: Site, existing: Objects) -> Manifest:
    ref = _users_ref(site)
    if ref not in existing:
        raise TrafficError(f"{ref}, which `route` names, does not exist: make it, or name the one that there is")
    return existing[ref]


def _spec(site: Site, routing: Routing, users: Mapping[str, Any]) -> Manifest:
    given = users.get("spec") or {}
    made = {"ingressClassName": given["ingressClassName"]} if given.get("ingressClassName") else {}
    found = _found(site, users)
    for rule in found:
        _forbid_conflicts(site, rule, given["http"])
    return {**made, "http": [each for rule in found for each in rules(site, rule, routing)]}


def _found(site: Site, users: Mapping[str, Any]) -> list[Rule]:
    """The user's rules that are split. Raises `TrafficError` if there are none, or one leads elsewhere too."""
    wanted = Options(site.program).rule
    leading = [rule for rule in (users.get("spec") or {}).get("http") or () if site.apex in _services(rule)]
    found = [rule for rule in leading if not wanted or rule["name"] == wanted]
    if not found:
        named = f" named `{wanted}`" if wanted else ""
        cure = (
            "correct `rule`" if wanted and leading else f"lead one to `{site.apex}`, or name another route by `route`"
        )
        raise TrafficError(f"{_users_ref(site)} has no rule{named} that leads to the Service `{site.apex}`: {cure}")
    for rule in found:
        if not rule.get("match"):  # which the definition allows, and the controller does not
            raise TrafficError(f"the rule `{rule['name']}` of {_users_ref(site)} has no `match`: give it its paths")
        if len(rule["backends"]) > 1 or rule.get("upstreams"):
            raise TrafficError(
                f"the rule `{rule['name']}` of {_users_ref(site)} leads to more than the Service `{site.apex}`: let it "
                "lead there alone, and make another rule for the rest"
            )
    return found


def _services(rule: Mapping[str, Any]) -> list[str]:
    return [backend.get("serviceName", "") for backend in rule.get("backends") or ()]


def _forbid_conflicts(site: Site, ours: Rule, others: Sequence[Rule]) -> None:
    """Raises `TrafficError` if our rules would take requests that go by another rule of the user's."""
    low = int(ours.get("priority") or 0)
    others = [other for other in others if low <= int(other.get("priority") or 0) <= low + STEPS]
    for other in others:
        if other["name"] != ours["name"] and _overlap(ours["match"], other.get("match") or {}):
            raise TrafficError(
                f"{_users_ref(site)}: the canary's rules for `{ours['name']}` would take requests from the rule "
                f"`{other['name']}`, which has a path in common with it; give `{other['name']}` a priority of "
                f"{low + STEPS + 1} or more, or one below {low}"
            )


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two matches may hold for the same request: they have a path in common, and perhaps a method and host."""
    return (
        bool({*(one.get("paths") or ())} & {*(other.get("paths") or ())})
        and _may_meet(one.get("methods"), other.get("methods"))
        and (_may_meet(one.get("hosts"), other.get("hosts")) or _has_wildcard(one) or _has_wildcard(other))
    )


def _may_meet(one: Sequence[str] | None, other: Sequence[str] | None) -> bool:
    return not one or not other or bool({*one} & {*other})


def _has_wildcard(match: Mapping[str, Any]) -> bool:
    return any(host.startswith("*") for host in match.get("hosts") or ())


def _upstreams(site: Site, existing: Objects) -> tuple[list[Change], list[Change]]:
    """The copies of the apex Service's ApisixUpstream to make, and those to remove. One that the user made for an arm
    is left as it is."""
    given = existing.get(_upstream_ref(site, site.apex))
    made: list[Change] = []
    gone: list[Change] = []
    for name in site.arms:
        ref = _upstream_ref(site, name)
        live = existing.get(ref)
        if live is not None and not is_ours(live):
            continue
        if given is not None and (name != site.baseline_service or site.baseline):
            made.append(Apply(manifest(site, ref, copied(given["spec"]))))
        elif live is not None:
            gone.append(Delete(ref))
    return made, gone
