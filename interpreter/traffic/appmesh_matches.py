"""Which requests a route of a VirtualRouter is for: the language's tests, and the option `match`, as App Mesh's.

A route has one match, so alternatives are routes. Envoy wants an expression to fit the whole value. A match can test a
header once only; cookies are tested by an expression on the `cookie` header, a route for each order in which a client
may send them, since a test holds 255 characters. Of query parameters only whole values can be tested.

A gRPC route has the service and method instead of a path, and calls headers metadata. A TCP route tests nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, Literal

from dsl.ir import MatchTest
from interpreter.traffic.patterns import cookie_patterns, value_pattern
from interpreter.traffic.provider import TrafficError

Match = dict[str, Any]
Kind = Literal["httpRoute", "http2Route", "grpcRoute", "tcpRoute"]

LONGEST, LONGEST_NAME, MOST = 255, 50, 10
"""Characters in a test's value and name, and tests in a match; the CustomResourceDefinition says so."""

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_HOWS = ("exact", "prefix", "suffix", "regex")


def user_matches(kind: Kind, entries: Sequence[Mapping[str, Any]]) -> list[Match]:
    """The option `match`, in Istio's words, as routes have it; every request if it is empty. Raises `TrafficError` for
    what App Mesh cannot test."""
    if entries and kind == "tcpRoute":
        raise TrafficError("traffic appmesh: App Mesh cannot look into tcp connections: take the option `match` away")
    make = _grpc if kind == "grpcRoute" else _http
    return [make(entry) for entry in entries] or [{} if kind in ("tcpRoute", "grpcRoute") else {"prefix": "/"}]


def combined(kind: Kind, bases: Sequence[Match], alternatives: Sequence[Sequence[MatchTest]]) -> list[Match]:
    """Each of the user's matches with each alternative. Raises `TrafficError` if one cannot be had."""
    return [
        _with_tests(kind, base, made) for base, tests in product(bases, alternatives) for made in _entries(kind, tests)
    ]


def tests_of(match: Mapping[str, Any]) -> tuple[MatchTest, ...]:
    """What a match tests, as far as the language has words for it. One with no such test gives none, which means every
    request: to think more of the canary's share than is so is the safe mistake."""
    headers = match.get("headers") or match.get("metadata") or ()
    queries = match.get("queryParameters") or ()
    return (
        *(_test_of(each.get("name", ""), each.get("match") or {}) for each in headers),
        *(
            MatchTest("query", each.get("name", ""), "==", (each.get("match") or {}).get("exact", ""))
            for each in queries
        ),
    )


def _test_of(name: str, test: Mapping[str, Any]) -> MatchTest:
    match dict(test):
        case {"exact": str(value)}:
            return MatchTest("header", name, "==", value)
        case {"prefix": str(value)}:
            return MatchTest("header", name, "^=", value)
        case {"regex": str(value)}:
            return MatchTest("header", name, "=~", f"^(?:{value})$")
        case _:
            return MatchTest("header", name, "exists")


def _entries(kind: Kind, tests: Sequence[MatchTest]) -> Iterable[Match]:
    """The tests of an alternative, once for each order of its cookies."""
    headers = [_header(test.key, _value(test)) for test in tests if test.kind == "header"]
    queries = [{"name": test.key, "match": {"exact": test.value}} for test in tests if test.kind == "query"]
    if queries and kind == "grpcRoute":
        raise TrafficError(f"a gRPC request has no query, so `{queries[0]['name']}` cannot be tested; test a header")
    cookies = list(dict.fromkeys(test for test in tests if test.kind == "cookie"))
    for pattern in cookie_patterns(cookies) if cookies else [None]:
        held = [] if pattern is None else [_header("cookie", {"regex": pattern})]
        yield {"headers": [*headers, *held], "queryParameters": queries}


def _with_tests(kind: Kind, base: Match, made: Match) -> Match:
    found = dict(base)
    for key, added in made.items():
        known = "metadata" if key == "headers" and kind == "grpcRoute" else key
        joined = _joined([*base.get(known, ()), *added], cased=key == "queryParameters")
        if joined:
            found[known] = joined
    return found


def _joined(tests: Iterable[Match], *, cased: bool) -> list[Match]:
    """Tests with every name once. `cased` is whether names in capitals are others."""
    found: dict[str, Match] = {}
    for test in tests:
        name = test["name"] if cased else test["name"].lower()
        known = found.setdefault(name, test)
        if "match" not in known:
            found[name] = test
        elif "match" in test and known["match"] != test["match"]:
            raise TrafficError(
                f"App Mesh can test `{test['name']}` only once in a route, and two different tests on it would have to "
                "hold together (those of one alternative, and of the option `match`): write one regular expression"
            )
    if len(found) > MOST:
        raise TrafficError(f"{len(found)} tests are more than the {MOST} of a kind that a route of App Mesh holds")
    return list(found.values())


def _value(test: MatchTest) -> Match:
    match test.op:
        case "exists":
            return {}
        case "==" if test.value:
            return {"exact": test.value}
        case "^=" if test.value:
            return {"prefix": test.value}
        case _:
            return {"regex": value_pattern(test)}


def _header(name: str, value: Match) -> Match:
    """A test on a header; without a value it is one for being there."""
    (text,) = value.values() or ("",)
    if len(name) > LONGEST_NAME or len(text) > LONGEST:
        raise TrafficError(
            f"the test on `{name}` is too long for App Mesh, which takes {LONGEST_NAME} characters of a header's name "
            f"and {LONGEST} of an expression"
        )
    return {"name": name, "match": dict(value)} if value else {"name": name}


# --- the option `match` ---------------------------------------------------------------------------------------------


def _http(entry: Mapping[str, Any]) -> Match:
    _only(entry, {"uri", "headers", "queryParams", "method", "name"})
    how, path = _text(entry["uri"], "uri", ("exact", "prefix", "regex")) if entry.get("uri") else ("prefix", "/")
    made: Match = {"prefix": path} if how == "prefix" else {"path": {how: path}}
    if entry.get("method"):
        _, method = _text(entry["method"], "method", ("exact",))
        if method not in METHODS:
            raise TrafficError(f"`match` has the method `{method}`; App Mesh knows {', '.join(sorted(METHODS))}")
        made["method"] = method
    if entry.get("headers"):
        made["headers"] = _user_headers(entry["headers"])
    if entry.get("queryParams"):
        made["queryParameters"] = [
            {"name": name, "match": {"exact": _text(test, f"queryParams.{name}", ("exact",))[1]}}
            for name, test in entry["queryParams"].items()
        ]
    return made


def _grpc(entry: Mapping[str, Any]) -> Match:
    _only(entry, {"uri", "headers", "name"})
    how, path = _text(entry["uri"], "uri", ("exact", "prefix")) if entry.get("uri") else ("prefix", "/")
    service, _, method = path.removeprefix("/").partition("/")
    if (how == "exact") != bool(service and method):
        raise TrafficError(
            f"`match` with uri {how} `{path}` is not a gRPC service or method; write exact `/package.Service/Method` "
            "or prefix `/package.Service/`"
        )
    made: Match = {"serviceName": service} if service else {}
    made |= {"methodName": method} if method else {}
    return made | ({"metadata": _user_headers(entry["headers"])} if entry.get("headers") else {})


def _user_headers(tests: Mapping[str, Any]) -> list[Match]:
    found = []
    for name, test in tests.items():
        how, text = _text(test, f"headers.{name}", _HOWS) if test else ("", "")
        found.append(_header(name, {how: text} if how else {}))
    return found


def _text(test: Any, where: str, hows: Sequence[str]) -> tuple[str, str]:
    if isinstance(test, Mapping) and len(test) == 1:
        ((how, text),) = test.items()
        if how in hows and isinstance(text, str) and text:
            return how, text
    raise TrafficError(f"`match` has {where} {test!r}, which App Mesh cannot test; write {', '.join(hows)} with a text")


def _only(entry: Mapping[str, Any], known: set[str]) -> None:
    strange = sorted(key for key, value in entry.items() if key not in known and value)
    if strange:
        raise TrafficError(f"`match` has `{strange[0]}`, which App Mesh cannot test; it has {', '.join(sorted(known))}")
