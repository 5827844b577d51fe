"""Which requests a route of a RouteTable is for: the language's tests, and the option `match`, as Gloo's matchers.

A matcher may hold several tests on one header or parameter, and all must hold. Gloo has no test on prefixes nor on
cookies: these are regular expressions, which Envoy wants to fit the whole value. A test without a value is one for
being there. Facts: Gloo's `translator/route_config.go`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dsl.ir import MatchTest
from interpreter.traffic.patterns import cookie_pattern, escaped, value_pattern
from interpreter.traffic.provider import TrafficError
from interpreter.traffic.reading import copied

Matcher = dict[str, Any]

PATHS = ("exact", "prefix", "regex")
_KNOWN = {"uri", "ignoreUriCase", "headers", "queryParams", "method", "name"}


def user_matchers(entries: Sequence[Mapping[str, Any]]) -> list[Matcher]:
    """The option `match`, in Istio's words, as matchers; a path that is not said is any, if another entry has one.
    Raises `TrafficError` for what Gloo cannot test."""
    made = [_user_matcher(entry) for entry in entries]
    if any(has_path(matcher) for matcher in made):
        return [matcher if has_path(matcher) else {"prefix": "/", **matcher} for matcher in made]
    return made


def has_path(matcher: Mapping[str, Any]) -> bool:
    return any(key in matcher for key in PATHS)


def combined(bases: Sequence[Mapping[str, Any]], alternatives: Sequence[Sequence[MatchTest]]) -> list[Matcher]:
    """Each of the base's matchers with each alternative. Raises `TrafficError` for cookies that cannot be tested."""
    return [_with_tests(base, tests) for base in bases for tests in alternatives]


def tests_of(matcher: Mapping[str, Any]) -> tuple[MatchTest, ...]:
    """What a matcher tests, as far as the language has words for it. One with no such test gives none, which means
    every request: to think more of the canary's share than is so is the safe mistake."""
    return (
        *(_test_of("header", test) for test in matcher.get("headers") or ()),
        *(_test_of("query", test) for test in matcher.get("queryParameters") or ()),
    )


def _with_tests(base: Mapping[str, Any], tests: Sequence[MatchTest]) -> Matcher:
    headers = [_test(test) for test in tests if test.kind == "header"]
    cookies = list(dict.fromkeys(test for test in tests if test.kind == "cookie"))
    if cookies:
        headers.append({"name": "cookie", "value": cookie_pattern(cookies), "regex": True})
    queries = [_test(test) for test in tests if test.kind == "query"]
    made = copied(base)
    for key, added in (("headers", headers), ("queryParameters", queries)):
        if added:
            made[key] = [*(made.get(key) or ()), *added]
    return made


def _test(test: MatchTest) -> dict[str, Any]:
    if test.op == "exists":
        return {"name": test.key}
    if test.op == "==" and test.value:
        return {"name": test.key, "value": test.value}
    return {"name": test.key, "value": value_pattern(test), "regex": True}


def _test_of(kind: Literal["header", "query"], test: Mapping[str, Any]) -> MatchTest:
    value = test.get("value") or ""
    if not value:
        return MatchTest(kind, test.get("name", ""), "exists")
    if test.get("regex"):
        return MatchTest(kind, test.get("name", ""), "=~", f"^(?:{value})$")
    return MatchTest(kind, test.get("name", ""), "==", value)


def _user_matcher(entry: Mapping[str, Any]) -> Matcher:
    unknown = sorted(entry.keys() - _KNOWN)
    if unknown:
        raise TrafficError(
            f"traffic gloo: the option `match` has `{unknown[0]}`, which Gloo cannot test; it can test uri, headers, "
            "queryParams and method"
        )
    made: Matcher = _path(entry)
    if entry.get("method"):
        made["methods"] = [_exact("method", entry["method"])]
    for ours, theirs in (("headers", "headers"), ("queryParams", "queryParameters")):
        tests = [_user_test(name, test) for name, test in (entry.get(ours) or {}).items()]
        if tests:
            made[theirs] = tests
    return made


def _path(entry: Mapping[str, Any]) -> Matcher:
    uri = entry.get("uri") or {}
    if not uri:
        return {}
    found = [(key, value) for key, value in uri.items() if key in PATHS]
    if len(found) != 1 or len(uri) != 1:
        raise TrafficError("traffic gloo: `uri` in the option `match` must have one of exact, prefix and regex")
    return {found[0][0]: found[0][1], **({"caseSensitive": False} if entry.get("ignoreUriCase") else {})}


def _exact(what: str, test: Mapping[str, Any]) -> str:
    if set(test) != {"exact"}:
        raise TrafficError(f"traffic gloo: `{what}` in the option `match` can only be tested with exact")
    return str(test["exact"])


def _user_test(name: str, test: Mapping[str, Any]) -> dict[str, Any]:
    match dict(test):
        case {"exact": str(value)}:
            return {"name": name, "value": value} if value else {"name": name, "value": "^$", "regex": True}
        case {"prefix": str(value)}:
            return {"name": name, "value": f"{escaped(value)}.*", "regex": True}
        case {"suffix": str(value)}:
            return {"name": name, "value": f".*{escaped(value)}", "regex": True}
        case {"regex": str(value)}:
            return {"name": name, "value": value, "regex": True}
        case nothing if not nothing:
            return {"name": name}
        case _:
            raise TrafficError(
                f"traffic gloo: the test on `{name}` in the option `match` must be one of exact, prefix, suffix and "
                "regex, with a text"
            )
