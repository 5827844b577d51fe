"""Which requests a rule of an HTTPRoute or GRPCRoute is for.

Two sources: the option `match` (in the form that Flagger's users know from Istio), or the matches of a rule that the
user wrote; and the tests of a routing. A rule for a routing's alternatives has each of the user's matches combined with
each alternative. A match can test a header or a parameter once only, so tests on one name are put together where one
says all that the other says, and refused otherwise.

Types of match other than exact ones, and all of them on query parameters, are optional for implementations of the
Gateway API. Whether an expression is to match the whole value is for each to say; those made here do not mind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from dsl.ir import MatchTest
from interpreter.objects import Manifest
from interpreter.traffic.options import text_test
from interpreter.traffic.patterns import cookie_pattern, escaped, value_pattern
from interpreter.traffic.provider import TrafficError

RouteKind = Literal["HTTPRoute", "GRPCRoute"]

MOST_MATCHES = 64
"""In one rule; the CustomResourceDefinition says so, of both kinds."""

LONGEST = {"headers": 4096, "queryParams": 1024}
"""Characters in the value of a test, likewise."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_ANY_PATH: Mapping[str, Any] = {"path": {"type": "PathPrefix", "value": "/"}}
_ANYTHING = "^.*$"


def user_matches(kind: RouteKind, entries: Sequence[Mapping[str, Any]]) -> list[Manifest]:
    """The option `match` as a route has it; every request if it is empty. Raises `TrafficError` for what a route
    cannot test."""
    return [_http_match(entry) if kind == "HTTPRoute" else _grpc_match(entry) for entry in entries] or any_request(kind)


def any_request(kind: RouteKind) -> list[Manifest]:
    """The matches of a rule that is for every request."""
    return [dict(_ANY_PATH)] if kind == "HTTPRoute" else [{}]


def combined(
    kind: RouteKind, bases: Sequence[Mapping[str, Any]], alternatives: Iterable[Sequence[MatchTest]]
) -> list[Manifest]:
    """Each of the user's matches with each alternative. Raises `TrafficError` if one cannot be had, or they are more
    than a rule can hold."""
    alternatives = list(alternatives)
    made = [_with_tests(kind, base, tests) for base in bases or any_request(kind) for tests in alternatives]
    if len(made) > MOST_MATCHES:
        raise TrafficError(
            f"{len(bases)} matches of the route times {len(alternatives)} alternatives are {len(made)} matches, and a "
            f"rule of a {kind} holds {MOST_MATCHES}; write fewer, or put several into one regular expression"
        )
    return made


def tests_of(match: Mapping[str, Any]) -> tuple[MatchTest, ...]:
    """What a match of a route tests, as far as the language has words for it. One with no such test gives none, which
    means every request: to think more of the canary's share than is so is the safe mistake."""
    return (
        *(_test_of("header", test) for test in match.get("headers") or ()),
        *(_test_of("query", test) for test in match.get("queryParams") or ()),
    )


def _test_of(kind: Literal["header", "query"], test: Mapping[str, Any]) -> MatchTest:
    if test.get("type") == "RegularExpression":
        return MatchTest(kind, test["name"], "=~", f"^(?:{test['value']})$")
    return MatchTest(kind, test["name"], "==", test["value"])


def _with_tests(kind: RouteKind, base: Mapping[str, Any], tests: Sequence[MatchTest]) -> Manifest:
    headers = [_value_test(test) for test in tests if test.kind == "header"]
    cookies = list(dict.fromkeys(test for test in tests if test.kind == "cookie"))
    queries = [_value_test(test) for test in tests if test.kind == "query"]
    if cookies:
        headers.append(_regular("Cookie", cookie_pattern(cookies)))
    if queries and kind == "GRPCRoute":
        raise TrafficError(f"a gRPC request has no query, so `{queries[0]['name']}` cannot be tested; test a header")
    made = {key: value for key, value in base.items() if key not in LONGEST}
    for key, added in (("headers", headers), ("queryParams", queries)):
        joined = _joined(key, [*(base.get(key) or ()), *added])
        if joined:
            made[key] = joined
    return made


def _joined(key: str, tests: Iterable[Mapping[str, Any]]) -> list[Manifest]:
    """Tests with every name once."""
    found: dict[str, Manifest] = {}
    for test in tests:
        name = test["name"].lower() if key == "headers" else test["name"]
        other = found.get(name)
        if other is None or _says(other) == (_ANYTHING, True):
            found[name] = dict(test)
        elif _says(other) != _says(test) and _says(test) != (_ANYTHING, True):
            raise TrafficError(
                f"two tests on `{test['name']}` in one alternative cannot be had in one match of a route; "
                "write one regular expression"
            )
    for test in found.values():
        if len(test["value"]) > LONGEST[key]:
            raise TrafficError(
                f"the test on `{test['name']}` has {len(test['value'])} characters, and a route holds {LONGEST[key]}"
            )
    return list(found.values())


def _says(test: Mapping[str, Any]) -> tuple[str, bool]:
    return test["value"], test.get("type") == "RegularExpression"


def _value_test(test: MatchTest) -> Manifest:
    if test.op == "==" and test.value:
        return _exact(test.key, test.value)
    return _regular(test.key, value_pattern(test))


def _exact(name: str, value: str) -> Manifest:
    return {"type": "Exact", "name": name, "value": value}


def _regular(name: str, pattern: str) -> Manifest:
    return {"type": "RegularExpression", "name": name, "value": pattern}


# --- the option `match` -------------------------------------------------------------------------------------------


def _http_match(entry: Mapping[str, Any]) -> Manifest:
    _only(entry, {"uri", "headers", "queryParams", "method", "name"}, "HTTPRoute")
    made: Manifest = {"path": _path(entry["uri"])} if entry.get("uri") else dict(_ANY_PATH)
    made |= _maps_of_tests(entry, ("headers", "queryParams"))
    if entry.get("method"):
        made["method"] = _method(entry["method"])
    return made


def _grpc_match(entry: Mapping[str, Any]) -> Manifest:
    _only(entry, {"uri", "headers", "name"}, "GRPCRoute")
    made: Manifest = {}
    how, path = text_test(entry["uri"], "uri") if entry.get("uri") else ("prefix", "/")
    service, _, method = path.removeprefix("/").partition("/")
    if how == "exact" and service and method:
        made["method"] = {"type": "Exact", "service": service, "method": method}
    elif how == "prefix" and not method:
        made |= {"method": {"type": "Exact", "service": service}} if service else {}
    else:
        raise TrafficError(
            f"`match` with uri {how} `{path}` is not a gRPC service or method; write exact `/package.Service/Method` "
            "or prefix `/package.Service/`"
        )
    return made | _maps_of_tests(entry, ("headers",))


def _maps_of_tests(entry: Mapping[str, Any], keys: Iterable[str]) -> Manifest:
    made: Manifest = {}
    for key in keys:
        tests = [_option_test(name, test, key) for name, test in (entry.get(key) or {}).items()]
        if tests:
            made[key] = tests
    return made


def _option_test(name: str, test: Any, where: str) -> Manifest:
    how, text = text_test(test, f"{where}.{name}")
    match how:
        case "exact" if text:
            return _exact(name, text)
        case "exact":
            return _regular(name, "^$")
        case "prefix":
            return _regular(name, f"^{escaped(text)}.*$")
        case "suffix":
            return _regular(name, f"^.*{escaped(text)}$")
        case _:
            return _regular(name, text)


def _path(test: Any) -> Manifest:
    how, text = text_test(test, "uri")
    types = {"exact": "Exact", "prefix": "PathPrefix", "regex": "RegularExpression"}
    if how not in types:
        raise TrafficError(f"`match` has uri {how} `{text}`, which a route cannot test; write exact, prefix or regex")
    return {"type": types[how], "value": text}


def _method(test: Any) -> str:
    how, text = text_test(test, "method")
    if how != "exact" or text not in METHODS:
        raise TrafficError(f"`match` has method {how} `{text}`; a route tests for one of {', '.join(sorted(METHODS))}")
    return text


def _only(entry: Mapping[str, Any], known: set[str], kind: RouteKind) -> None:
    strange = sorted(key for key, value in entry.items() if key not in known and value)
    if strange:
        raise TrafficError(f"`match` has `{strange[0]}`, which a {kind} cannot test; it has {', '.join(sorted(known))}")
