"""The rules of an ApisixRoute that route between primary, canary and baseline: made for a `Routing`, and read.

Each is a copy of a rule of the user's that leads to the apex Service, with its plugins, its timeout and its match; it
leads to one arm, tests more, and has a higher priority. In order: holders of this run's cookie go to the canary, then
those that the routing's matches pick; holders of the primary's cookie go to the primary; canary and baseline get their
shares of the rest, by the random digits of the request's id (`request_shares`); and what is left is the primary's.

So each arm has routes of its own in APISIX: the metrics tell the arms apart, a mirror copies what the primary and the
baseline answer and nothing else, and the canary's answers alone give its cookie. Weights between the backends of one
rule, which is how ApisixRoute splits traffic otherwise, can do none of this.

Sources: lua-resty-radixtree (routes of one path are tried by priority) and lua-resty-expr (what the operators do);
APISIX' plugins `proxy-mirror` and `response-rewrite`; the controller's ApisixRoute v2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, assert_never

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.traffic.cookies import Binding, bindings
from interpreter.traffic.patterns import escaped
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied
from interpreter.traffic.request_shares import NUMBERS, numbers_of, pattern, percent_of

Rule = dict[str, Any]
Expression = dict[str, Any]

STEPS = 5
"""How far the priorities of our rules reach above that of the user's."""

REQUEST_ID = "request_id"
MIRROR = "proxy-mirror"
REWRITE = "response-rewrite"

_SCOPES = {"header": "Header", "cookie": "Cookie", "query": "Query"}
_LEAST_SAMPLE = 0.00001
_EDITS = ("add", "set", "remove")


class _Kind(NamedTuple):
    """A rule beside the user's: what it is called, where it leads, how far above the user's it is, what it tests."""

    name: str
    service: str
    step: int
    tests: Sequence[Expression] = ()
    giving: Binding | None = None
    copied: bool = False


def rules(site: Site, users: Rule, routing: Routing) -> list[Rule]:
    """The rules for this routing, made from one of the user's. Raises `TrafficError`."""
    return [_rule(site, users, kind, routing) for kind in _kinds(site, routing)]


def read_rules(site: Site, found: Sequence[Mapping[str, Any]]) -> Routing | None:
    """The routing that rules of ours have, as far as it shows; None if there are none. Of matches it is seen that there
    are some, not which: that is told as one that fits every request."""
    named = {str(rule.get("name", "")).rsplit("-of-", 1)[0]: rule for rule in found}
    canary, rest = named.get("canary-weight"), named.get("primary-rest")
    if canary is None and rest is None:
        return None
    mirrors = [plugin for plugin in (rest or {}).get("plugins") or () if _is_our_mirror(site, plugin)]
    return Routing(
        weight=0.0 if canary is None else _share(canary),
        mirror=_mirrored(mirrors[0]) if mirrors else 0.0,
        matches=((),) if any(name.startswith("canary-match-") for name in named) else (),
    )


def expressions(tests: Sequence[MatchTest]) -> list[Expression]:
    """The tests of one alternative, which all have to hold."""
    return [_expression(test) for test in tests]


def _kinds(site: Site, routing: Routing) -> Iterator[_Kind]:
    """In an order that changes little from routing to routing, the rule that is always there first."""
    cookies = bindings(site, routing)
    canary, baseline = numbers_of(routing.weight), numbers_of(site.baseline_part(routing))
    if canary < NUMBERS:
        yield _Kind("primary-rest", site.primary, 1, giving=cookies.primary, copied=True)
    if canary:
        tests = [] if canary == NUMBERS else [_within(0, canary)]
        yield _Kind("canary-weight", site.canary, 2, tests, cookies.canary)
    if baseline:
        yield _Kind("baseline-weight", site.baseline, 2, [_within(NUMBERS - baseline, NUMBERS)], copied=True)
    if cookies.primary is not None:
        yield _Kind("primary-sticky", site.primary, 3, [_holds(cookies.primary)], copied=True)
    for number, alternative in enumerate(routing.matches):
        yield _Kind(f"canary-match-{number}", site.canary, 4, expressions(alternative), cookies.canary)
    if cookies.canary is not None:
        yield _Kind("canary-sticky", site.canary, STEPS, [_holds(cookies.canary)], cookies.canary)


def _rule(site: Site, users: Rule, kind: _Kind, routing: Routing) -> Rule:
    made = copied(users)
    (backend,) = made["backends"]
    made["name"] = f"{kind.name}-of-{users['name']}"
    made["priority"] = int(users.get("priority") or 0) + kind.step
    made["backends"] = [
        {**{key: part for key, part in backend.items() if key != "weight"}, "serviceName": kind.service}
    ]
    if kind.tests:
        made["match"]["exprs"] = [*(made["match"].get("exprs") or ()), *kind.tests]
    plugins = list(made.get("plugins") or ())
    if kind.giving is not None:
        plugins = _giving(users, plugins, kind.giving)
    if kind.copied and routing.mirror > 0:
        plugins = _copying(site, users, plugins, backend, routing.mirror)
    return {**made, "plugins": plugins} if plugins else made


def _within(low: int, high: int) -> Expression:
    return {"subject": {"scope": "Variable", "name": REQUEST_ID}, "op": "RegexMatch", "value": pattern(low, high)}


def _holds(binding: Binding) -> Expression:
    return _expression(MatchTest("cookie", binding.name, "==", binding.value))


def _expression(test: MatchTest) -> Expression:
    """An expression need not fit the whole value; nothing holds for what is not there."""
    subject = {"scope": _SCOPES[test.kind], "name": test.key}
    match test.op:
        case "==":
            return {"subject": subject, "op": "Equal", "value": test.value}
        case "^=":
            return {"subject": subject, "op": "RegexMatch", "value": f"^{escaped(test.value)}"}
        case "=~":
            return {"subject": subject, "op": "RegexMatch", "value": test.value}
        case "exists":
            return {"subject": subject, "op": "RegexMatch", "value": "^"}
        case _:
            assert_never(test.op)


# --- plugins --------------------------------------------------------------------------------------------------------


def _giving(users: Rule, plugins: Sequence[Mapping[str, Any]], binding: Binding) -> list[Rule]:
    """The plugins, with one that gives clients the cookie: the user's own that rewrites answers, if there is one."""
    theirs = _enabled(plugins, REWRITE)
    config = copied((theirs or {}).get("config") or {})
    if "vars" in config:
        raise TrafficError(
            f"the rule `{users['name']}` rewrites answers under a condition (`vars` of {REWRITE}), which the sticky "
            "cookie would share: take the condition away, or do without `sticky`"
        )
    headers = config.get("headers") or {}
    edits = headers if any(key in headers for key in _EDITS) else {"set": headers} if headers else {}
    added = [*(edits.get("add") or ()), f"Set-Cookie: {binding.header}"]
    made = {"name": REWRITE, "enable": True, "config": {**config, "headers": {**edits, "add": added}}}
    return [*(dict(plugin) for plugin in plugins if plugin["name"] != REWRITE), {**(theirs or {}), **made}]


def _copying(
    site: Site, users: Rule, plugins: Sequence[Mapping[str, Any]], backend: Mapping[str, Any], percent: float
) -> list[Rule]:
    """The plugins, with one that copies this share of the requests to the canary."""
    if _enabled(plugins, MIRROR) is not None:
        raise TrafficError(
            f"the rule `{users['name']}` mirrors requests already, and APISIX sends one copy only: take its plugin "
            f"`{MIRROR}` away, or do without `mirror`"
        )
    port = backend["servicePort"] if isinstance(backend["servicePort"], int) else site.port
    config = {"host": f"{_mirror_host(site)}:{port}", "sample_ratio": max(round(percent / 100, 6), _LEAST_SAMPLE)}
    mirror = {"name": MIRROR, "enable": True, "config": config}
    return [*(dict(plugin) for plugin in plugins if plugin["name"] != MIRROR), mirror]


def _mirror_host(site: Site) -> str:
    """APISIX resolves this name itself, so it is the whole one."""
    protocol = (site.program.service.app_protocol or "").lower()
    scheme = {"grpc": "grpc", "grpcs": "grpcs", "https": "https"}.get(protocol, "http")
    return f"{scheme}://{site.canary}.{site.namespace}.svc.cluster.local"


def _enabled(plugins: Sequence[Mapping[str, Any]], name: str) -> Rule | None:
    return next((dict(plugin) for plugin in plugins if plugin["name"] == name and plugin.get("enable", True)), None)


def _is_our_mirror(site: Site, plugin: Mapping[str, Any]) -> bool:
    host = str((plugin.get("config") or {}).get("host", ""))
    return plugin.get("name") == MIRROR and host.startswith(f"{_mirror_host(site)}:")


def _mirrored(plugin: Mapping[str, Any]) -> float:
    return round(float(plugin["config"].get("sample_ratio", 1)) * 100, 4)


def _share(rule: Mapping[str, Any]) -> float:
    tests = [
        test
        for test in rule["match"].get("exprs") or ()
        if test["subject"].get("name") == REQUEST_ID and "value" in test
    ]
    return percent_of(tests[-1]["value"]) if tests else 100.0
