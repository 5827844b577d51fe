"""HAProxy Kubernetes Ingress Controller: a Service of ours with a condition, and an Ingress that leads to it.

The controller makes a rule of its own of each path to a Service with the annotation `route-acl`: a request of that host
and path for which the condition holds goes there, whatever the other Ingresses say. So the Service `APEX-canary-acl`
selects the canary's pods under such a condition, and the Ingress `NAME-canary` leads the user's paths to it. All other
requests go by the user's Ingress, to the apex, which is the primary's.

The condition is always there: without one the paths would take each request. Therefore the Service is made before the
Ingress and goes after it, and while the canary is to get nothing the condition is one that never holds.

A condition is one test: a share, by a random number, or one test of a match. The controller's rules come before its
paths, so they may not fit requests for others (`haproxy_paths`), and a path that a shorter one of ours covers is left
out: its requests would be drawn for twice.

What HAProxy's annotations do with requests (rewrites, CORS, authentication) goes by the path that fits, and holds for
the canary as well. Those on backends are copied.

Facts: the controller's `documentation/{annotations,canary-deployment}.md`, `pkg/route/route.go`,
`pkg/ingress/ingress.go` (v3); HAProxy's configuration manual, sections 2.2 (quoting) and 7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import assert_never

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Apply, Change, Delete, Manifest, Objects, Ref
from interpreter.traffic.haproxy_paths import without_covered
from interpreter.traffic.ingress_copy import beside, our_ref, users_ingress, users_ref
from interpreter.traffic.ownership import manifest
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, covers, note, share, trusted, whole_parts

PREFIX = "haproxy.org/"
CONDITION = f"{PREFIX}route-acl"
_PARTS = 10_000
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_SHARE = re.compile(rf"rand\({_PARTS}\) lt (\d+)")


class HAProxy:
    """The provider `haproxy`."""

    name = "haproxy"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return (users_ref(site), _canary_ref(site), _service_ref(site), our_ref(site))

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        ingress = _ingress(site, users_ingress(site, existing))
        service = _service(site, routing, existing)
        note(service, site.apex, routing)
        return (Apply(service), Apply(ingress))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        live, ingress, users = (existing.get(ref) for ref in (_service_ref(site), our_ref(site), users_ref(site)))
        if live is None or ingress is None or users is None:
            return None
        found = trusted(live, site, lambda each, routing: _is(_service(each, routing, existing), live))
        try:
            leads = covers(_ingress(site, users)["spec"], ingress.get("spec"))
        except TrafficError:
            leads = False
        return (found if leads else None) or _read(live)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        """The paths go before the condition."""
        return tuple(Delete(ref) for ref in (our_ref(site), _service_ref(site)) if ref in existing)


def _canary_ref(site: Site) -> Ref:
    return site.ref("v1", "Service", site.canary)


def _service_ref(site: Site) -> Ref:
    return site.ref("v1", "Service", f"{site.canary}-acl")


def _ingress(site: Site, users: Manifest) -> Manifest:
    given: Mapping[str, str] = users["metadata"].get("annotations") or {}
    said = {key: value for key, value in given.items() if key.startswith(PREFIX)}
    return beside(site, without_covered(site, users), our_ref(site), [_service_ref(site).name], said)


def _service(site: Site, routing: Routing, existing: Objects) -> Manifest:
    """The canary's Service once more, with the condition."""
    canary = existing.get(_canary_ref(site))
    if canary is None:
        raise TrafficError(f"{_canary_ref(site)} does not exist, so no traffic can be sent to it: make it first")
    ports = [
        {key: port[key] for key in ("name", "port", "targetPort", "protocol", "appProtocol") if key in port}
        for port in canary["spec"]["ports"]
    ]
    made = manifest(
        site, _service_ref(site), copied({"selector": canary["spec"].get("selector") or {}, "ports": ports})
    )
    kept = {
        key: value
        for key, value in (canary["metadata"].get("annotations") or {}).items()
        if key.startswith(PREFIX) and key != CONDITION
    }
    made["metadata"]["annotations"] = {**kept, CONDITION: _condition(routing)}
    return made


def _is(wanted: Manifest, live: Manifest) -> bool:
    said = [(each["metadata"].get("annotations") or {}).get(CONDITION) for each in (wanted, live)]
    return said[0] == said[1] and covers(wanted["spec"], live.get("spec"))


# --- the condition --------------------------------------------------------------------------------------------------


def _condition(routing: Routing) -> str:
    if routing.mirror > 0 or routing.sticky is not None:
        what = "copy requests to the canary" if routing.mirror > 0 else "keep clients with the canary by a cookie"
        raise TrafficError(f"this HAProxy controller cannot {what}: take the step away")
    tests = [test for alternative in routing.matches for test in alternative]
    if tests and 0 < routing.weight < 100:
        raise TrafficError("this HAProxy controller cannot have a match and a share of the rest: take one step away")
    if not tests or routing.weight >= 100:
        return f"rand({_PARTS}) lt {whole_parts(routing.weight, _PARTS)}"
    if len(tests) > 1:
        raise TrafficError(
            f"this HAProxy controller tests one thing of a request, and there are {len(tests)}: write one test; on one "
            "header a regular expression can stand for several"
        )
    return _test(tests[0])


def _test(test: MatchTest) -> str:
    if not _NAME.fullmatch(test.key):
        raise TrafficError(
            f"`{test.key}` cannot stand in a condition of HAProxy's: a {test.kind} has to have a name of letters, "
            "digits, `-`, `_` and `.`"
        )
    fetch = {"header": "req.fhdr", "cookie": "req.cook", "query": "urlp"}[test.kind]
    return f"{fetch}({test.key}) {_comparison(test)}"


def _comparison(test: MatchTest) -> str:
    match test.op:
        case "exists":
            return "-m found"
        case "==":
            return f"-m str -- {_quoted(test)}" if test.value else "-m len 0"
        case "^=":
            return f"-m beg -- {_quoted(test)}"
        case "=~":
            return f"-m reg -- {_quoted(test)}"
        case _:
            assert_never(test.op)


def _quoted(test: MatchTest) -> str:
    """In strong quotes, in which nothing but the quote itself means anything. A lone brace would end the condition."""
    if "'" in test.value or not test.value.isprintable() or test.value in ("{", "}"):
        raise TrafficError(
            f"`{test.value}` cannot stand in a condition of HAProxy's, which ends at a quote `'`, at a line's end and "
            "at a lone brace: write another test"
        )
    return f"'{test.value}'"


def _read(live: Manifest) -> Routing | None:
    """What the condition amounts to. A test is told as one that fits every request, since to think more of the canary's
    share than is so is the safe mistake; no condition is all of them."""
    said = (live["metadata"].get("annotations") or {}).get(CONDITION)
    if said is None:
        return Routing(weight=100.0)
    found = _SHARE.fullmatch(said)
    return Routing(weight=share(min(int(found[1]), _PARTS), _PARTS)) if found else Routing(matches=((),))
