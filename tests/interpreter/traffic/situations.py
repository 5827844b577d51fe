"""The situations that every traffic provider is put through: what was routed, one after another.

Each is a table row. A provider runs those that its row in `dsl.capabilities` allows, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dsl.capabilities import Capability
from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.routing import HOME

HEADER = MatchTest("header", "X-Canary", "==", "insider")
COOKIE = MatchTest("cookie", "group", "==", "always")
QUERY = MatchTest("query", "version", "==", "2")
STICKY = StickySpec("shop-session", 86_400_000)
STICKY_BOTH = StickySpec(
    "shop-canary",
    3_600_000,
    {"primary_cookie": "shop-primary", "domain": "example.com", "path": "/shop", "same_site": "None", "secure": True},
)

_OPERATORS: Mapping[str, tuple[str, str]] = {
    "equal": ("==", "a.b+c"),
    "like": ("=~", "^(insider|beta)-"),
    "prefix": ("^=", "beta."),
    "there": ("exists", ""),
}


def weight(percent: float) -> Routing:
    return Routing(weight=percent)


def matching(*alternatives: Sequence[MatchTest]) -> Routing:
    return Routing(matches=tuple(tuple(each) for each in alternatives))


EVERYTHING = Routing(12.5, 30.0, ((HEADER, COOKIE), (QUERY,)), STICKY)

SITUATIONS: Mapping[str, tuple[Routing, ...]] = {
    "start": (HOME,),
    **{f"weight-{share:g}": (HOME, weight(share)) for share in (0.01, 1, 10, 12.5, 50, 99, 100)},
    **{
        f"{kind}-{name}": (HOME, matching([MatchTest(kind, "x.Group" if kind == "cookie" else "x-group", op, value)]))
        for kind in ("header", "cookie", "query")
        for name, (op, value) in _OPERATORS.items()
    },
    "cookie-always": (HOME, matching([COOKIE])),
    "several": (HOME, matching([HEADER], [MatchTest("header", "x-group", "=~", "beta")], [QUERY])),
    "header-or-cookie": (HOME, matching([HEADER], [COOKIE])),
    "together": (HOME, matching([HEADER, COOKIE, QUERY])),
    "two-cookies": (HOME, matching([COOKIE, MatchTest("cookie", "tenant", "^=", "acme")])),
    "match-and-weight": (HOME, replace(matching([HEADER]), weight=20.0)),
    "mirror": (HOME, Routing(mirror=100.0)),
    "mirror-share": (HOME, Routing(mirror=25.0)),
    "mirror-small-share": (HOME, Routing(mirror=0.5)),
    "mirror-and-weight": (HOME, Routing(weight=10.0, mirror=50.0)),
    "mirror-ended": (HOME, Routing(mirror=50.0), weight(10)),
    "sticky": (HOME, Routing(weight=20.0, sticky=STICKY)),
    "sticky-before-traffic": (HOME, Routing(sticky=STICKY)),
    "sticky-both-arms": (HOME, Routing(weight=20.0, mirror=10.0, matches=((HEADER,),), sticky=STICKY_BOTH)),
    "sticky-both-arms-promotion": (HOME, Routing(weight=20.0, sticky=STICKY_BOTH), Routing(100.0, sticky=STICKY_BOTH)),
    "sticky-and-match": (HOME, replace(matching([HEADER]), weight=20.0, sticky=STICKY)),
    "everything": (HOME, EVERYTHING),
    "promotion": (HOME, weight(50), weight(100)),
    "finish": (HOME, weight(100), weight(75), weight(50), HOME),
    "rollback": (HOME, EVERYTHING, HOME),
    "rollback-of-weights": (HOME, weight(30), HOME),
    "rollback-of-match": (HOME, matching([HEADER]), HOME),
}


def allowed(row: Capability, routing: Routing) -> bool:
    """Whether the linter would let a rollout on this data plane have the routing."""
    return (
        _weight_allowed(row, routing.weight)
        and (not routing.mirror or row.mirror)
        and (routing.mirror in (0.0, 100.0) or (row.mirror_share and _is_step(routing.mirror, row.mirror_step)))
        and (routing.sticky is None or row.sticky)
        and _matches_allowed(row, routing.matches)
        and not (row.apart and routing.matches and routing.weight % 100)
    )


def situations(row: Capability) -> list[str]:
    """Those whose every routing is allowed."""
    return [name for name, routings in SITUATIONS.items() if all(allowed(row, routing) for routing in routings)]


def _weight_allowed(row: Capability, share: float) -> bool:
    if share in (0.0, 100.0):
        return True
    return row.weights and row.granularity > 0 and _is_step(share, row.granularity)


def _is_step(share: float, step: float) -> bool:
    return abs(share / step - round(share / step)) < 1e-6


def _matches_allowed(row: Capability, matches: Sequence[Sequence[MatchTest]]) -> bool:
    tests = [test for alternative in matches for test in alternative]
    kinds = [test.kind for test in tests]
    return (
        all(test.op in row.operators(test.kind) for test in tests)
        and (len(matches) <= 1 or row.several)
        and (all(len(alternative) <= 1 for alternative in matches) or row.together)
        and (not row.one_of_each or all(kinds.count(kind) <= 1 for kind in kinds))
        and all(not row.cookie_value or test.kind != "cookie" or test.value == row.cookie_value for test in tests)
    )
