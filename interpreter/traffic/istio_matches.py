"""Which requests a rule of a VirtualService holds for: the language's tests as Istio's `HTTPMatchRequest`s, and back.

Istio's regular expressions (RE2) must fit the whole value. A match has one test for each header and query parameter;
cookies are tested by one expression on the `cookie` header. Matches stand inside the user's own: every alternative of
the canary's is joined with every one of the service's, so that a request that was never the service's does not become
the canary's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from dsl.ir import MatchTest
from interpreter.traffic.patterns import cookie_pattern, value_pattern
from interpreter.traffic.provider import TrafficError

Match = dict[str, Any]

_FOUND_ANYWHERE = ("^.*(?:", ").*$")


def requests(alternatives: Sequence[Sequence[MatchTest]]) -> list[Match]:
    """Istio's matches for alternatives of conjunctions. Raises `TrafficError` for two different tests on one key."""
    return [_request(tests) for tests in alternatives]


def joined(own: Sequence[Match], canarys: Sequence[Match]) -> list[Match]:
    """Requests that are the service's (any, if there is no match of its own) and the canary's."""
    return [_both(mine, other) for mine in own or ({},) for other in canarys]


def tests(match: Mapping[str, Any]) -> tuple[MatchTest, ...]:
    """What a match tests, as far as the language has words for it. A match with no such test gives none, which means
    every request: to think more of the canary's share than is so is the safe mistake."""
    headers = [_test("header", key, value) for key, value in (match.get("headers") or {}).items()]
    queries = [_test("query", key, value) for key, value in (match.get("queryParams") or {}).items()]
    return (*headers, *queries)


def _request(alternative: Sequence[MatchTest]) -> Match:
    found: Match = {}
    for test in alternative:
        if test.kind == "header":
            _add(found, "headers", test.key.lower(), _header(test))
        elif test.kind == "query":
            _add(found, "queryParams", test.key, _query(test))
    cookies = list(dict.fromkeys(test for test in alternative if test.kind == "cookie"))
    if cookies:
        _add(found, "headers", "cookie", {"regex": cookie_pattern(cookies)})
    return found


def _header(test: MatchTest) -> Match:
    match test.op:
        case "==":
            return {"exact": test.value}
        case "^=" if test.value:
            return {"prefix": test.value}
        case "=~":
            return {"regex": value_pattern(test)}
        case _:
            return {}  # a header without a value is tested for being there


def _query(test: MatchTest) -> Match:
    """Istio took prefixes of query parameters late, expressions always."""
    return {"exact": test.value} if test.op == "==" else {"regex": value_pattern(test)}


def _add(match: Match, part: str, key: str, value: Any) -> None:
    """Put a test into a match. One that is there already may only be the same, or a plain test for being there."""
    known = match.setdefault(part, {})
    if known.get(key) in (None, {}) or known[key] == value:
        known[key] = value
    elif value != {}:
        what = {"queryParams": "query parameter"}.get(part, "header")
        raise TrafficError(
            f"Istio can test the {what} `{key}` only once in a rule, and two different tests on it would have to hold "
            "together (those of one alternative, and of the option `match`): write them as one regular expression"
        )


def _both(mine: Match, other: Match) -> Match:
    found = deepcopy(mine)
    for part, values in other.items():
        for key, value in values.items():
            _add(found, part, key, deepcopy(value))
    return found


def _test(kind: Any, key: str, value: Mapping[str, Any]) -> MatchTest:
    if "exact" in value:
        return MatchTest(kind, key, "==", value["exact"])
    if "prefix" in value:
        return MatchTest(kind, key, "^=", value["prefix"])
    if "regex" in value:
        return _expression(kind, key, value["regex"])
    return MatchTest(kind, key, "exists")


def _expression(kind: Any, key: str, pattern: str) -> MatchTest:
    before, after = _FOUND_ANYWHERE
    if pattern.startswith(before) and pattern.endswith(after):
        return MatchTest(kind, key, "=~", pattern[len(before) : -len(after)])
    return MatchTest(kind, key, "=~", f"^(?:{pattern})$")
