"""Who gets a request: the routing, applied to one request at a time. Pure but for its counters.

Shares are exact, not random: the n-th request is at the point `n * golden ratio mod 1`, and the canary has the points
below its weight. Any run of n requests is then within about one request of its share, and, unlike with plain round
robin, no regular pattern in the traffic can fall in step with it.

A request goes to the canary if it matches a rule, else if it carries the cookie of this canary, else by weight. When
there is a baseline, it takes as many points as the canary, from the primary's part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, assert_never

import re2  # type: ignore[import-untyped]

from dsl.ir import MatchTest
from interpreter.desired import Role, Routing

GOLDEN = 0.6180339887498949


class RequestFacts(Protocol):
    """What rules may look at."""

    def header(self, name: str) -> Iterable[str]:
        """All values of a header, whatever the case of its name."""

    def cookie(self, name: str) -> Iterable[str]:
        """The value of a cookie, if it is there."""

    def query(self, name: str) -> Iterable[str]:
        """All values of a query parameter."""


class Spread:
    """A sequence of points that fills 0 to 1 evenly, however long one watches it."""

    def __init__(self) -> None:
        self._point = 0.5

    def next(self) -> float:
        self._point = (self._point + GOLDEN) % 1.0
        return self._point


class Choice:
    """The routing in force, compiled. One is made for each change of routing; requests under way keep theirs."""

    def __init__(self, routing: Routing, canary: str | None, *, baseline: bool = False) -> None:
        self.routing = routing
        self._canary = canary
        self._weight = routing.weight / 100.0
        self._baseline = min(self._weight, (1.0 - self._weight) / 2) if baseline else 0.0
        self._rules = tuple(tuple(_test(test) for test in rule) for rule in routing.matches)
        self._mirror = routing.mirror / 100.0
        self._spread = Spread()
        self._mirror_spread = Spread()

    def role(self, request: RequestFacts) -> Role:
        """Who answers this request."""
        if self._canary is None:
            return "primary"
        if self._matched(request) or self._bound(request):
            return "canary"
        point = self._spread.next()
        if point < self._weight:
            return "canary"
        return "baseline" if point < self._weight + self._baseline else "primary"

    def mirrored(self, role: Role) -> bool:
        """Is this request, answered by `role`, copied to the canary too?"""
        return self._mirror > 0 and role != "canary" and self._mirror_spread.next() < self._mirror

    def cookie(self, role: Role) -> str | None:
        """The `Set-Cookie` header that binds this client to the canary, if it is to be bound."""
        sticky = self.routing.sticky
        if sticky is None or role != "canary" or self._weight <= 0:
            return None
        return f"{sticky.cookie}={self._canary}; Path=/; Max-Age={sticky.max_age_ms // 1000}; HttpOnly; SameSite=Lax"

    def _matched(self, request: RequestFacts) -> bool:
        return any(all(test(request) for test in rule) for rule in self._rules)

    def _bound(self, request: RequestFacts) -> bool:
        sticky = self.routing.sticky
        return sticky is not None and self._weight > 0 and self._canary in tuple(request.cookie(sticky.cookie))


def _test(test: MatchTest) -> Callable[[RequestFacts], bool]:
    holds = _holds(test)
    key = test.key

    def from_header(request: RequestFacts) -> bool:
        return any(holds(value) for value in request.header(key))

    def from_cookie(request: RequestFacts) -> bool:
        return any(holds(value) for value in request.cookie(key))

    def from_query(request: RequestFacts) -> bool:
        return any(holds(value) for value in request.query(key))

    sources: Mapping[str, Callable[[RequestFacts], bool]] = {
        "header": from_header,
        "cookie": from_cookie,
        "query": from_query,
    }
    return sources[test.kind]


def _holds(test: MatchTest) -> Callable[[str], bool]:
    wanted = test.value
    match test.op:
        case "==":
            return lambda value: value == wanted
        case "^=":
            return lambda value: value.startswith(wanted)
        case "exists":
            return lambda _value: True
        case "=~":
            return _search(wanted)
        case _:
            assert_never(test.op)


def _search(pattern: str) -> Callable[[str], bool]:
    """RE2: its time is linear in the text, whatever the pattern."""
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    compiled = re2.compile(pattern, options)
    return lambda value: compiled.search(value) is not None
