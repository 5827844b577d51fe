"""Which requests a route of an HTTPProxy is for: the language's tests, and the option `match`, as Contour's conditions.

All conditions of a route must hold. Its regular expressions (RE2) must fit the whole value, and several conditions may
be about one header or parameter, but only one of them `exact`. A condition on a path must stand last, since Contour
goes by the last one to tell an exact path from a prefix.

Contour puts routes in order by itself: those of one path by their number of conditions on headers, then on parameters.

Facts: Contour v1.33, `internal/dag/conditions.go`, `internal/sorter/sorter.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dsl.ir import MatchTest
from interpreter.traffic.options import text_test
from interpreter.traffic.patterns import cookie_pattern, escaped, value_pattern
from interpreter.traffic.provider import TrafficError

Condition = dict[str, Any]

PATHS = ("prefix", "exact", "regex")
ALWAYS_THERE = (":authority", ":path")
"""Pseudo headers that every request has by the time it is matched."""

_KNOWN = frozenset({"uri", "headers", "queryParams", "method", "name"})


def conditions(tests: Iterable[MatchTest]) -> list[Condition]:
    """The conditions that hold if all of these tests do. Raises `TrafficError` for an expression on a cookie that
    cannot be confined to it."""
    made: list[Condition] = []
    for test in tests:
        condition = _condition(test)
        if _has_exact_like(made, condition):
            condition = _regular(test)
        if condition not in made:
            made.append(condition)
    return made


def user_conditions(entry: Mapping[str, Any]) -> list[Condition]:
    """One entry of the option `match`, with a condition on the path last. Raises `TrafficError` for what Contour cannot
    test."""
    strange = sorted(key for key, value in entry.items() if key not in _KNOWN and value)
    if strange:
        raise TrafficError(f"`match` has `{strange[0]}`, which Contour cannot test; it has {', '.join(sorted(_KNOWN))}")
    made = [{"header": _value(name, test, f"headers.{name}")} for name, test in (entry.get("headers") or {}).items()]
    made += [
        {"queryParameter": _value(name, test, f"queryParams.{name}")}
        for name, test in (entry.get("queryParams") or {}).items()
    ]
    if entry.get("method"):
        made.append({"header": _value(":method", entry["method"], "method")})
    return [*made, _path(entry.get("uri") or {"prefix": "/"})]


def more_specific(tests: Sequence[Condition], headers: int) -> list[Condition]:
    """The same with at least so many conditions on headers, by some that always hold: Contour then puts the route
    before those that have fewer."""
    missing = headers - sum("header" in condition for condition in tests)
    return [*tests, *({"header": {"name": name, "present": True}} for name in ALWAYS_THERE[: max(missing, 0)])]


def path_of(found: Iterable[Mapping[str, Any]]) -> Mapping[str, str]:
    """The condition on the path, as a map with one key; that of a route without one is the prefix `/`."""
    for condition in found:
        for how in PATHS:
            if condition.get(how):
                return {how: condition[how]}
    return {"prefix": "/"}


def _condition(test: MatchTest) -> Condition:
    if test.kind == "cookie" or test.op == "=~":
        return _regular(test)
    part = "header" if test.kind == "header" else "queryParameter"
    if test.op == "==" and test.value:
        return {part: {"name": test.key, "exact": test.value}}
    if test.op == "==":
        return _regular(test)
    if test.op == "exists" or not test.value:
        return {part: {"name": test.key, "present": True}}
    return {part: {"name": test.key, "prefix": test.value}} if test.kind == "query" else _regular(test)


def _regular(test: MatchTest) -> Condition:
    if test.kind == "cookie":
        return {"header": {"name": "Cookie", "regex": cookie_pattern([test])}}
    part = "header" if test.kind == "header" else "queryParameter"
    return {part: {"name": test.key, "regex": value_pattern(test)}}


def _has_exact_like(made: Iterable[Condition], other: Condition) -> bool:
    """Whether there is an exact test on the same name, case aside: Contour takes no second."""
    ((part, wanted),) = other.items()
    return "exact" in wanted and any(
        "exact" in there.get(part, {}) and there[part]["name"].lower() == wanted["name"].lower() and there != other
        for there in made
    )


def _value(name: str, test: Any, where: str) -> dict[str, Any]:
    if test == {}:
        return {"name": name, "present": True}
    match text_test(test, where):
        case "exact", text if text:
            return {"name": name, "exact": text}
        case "exact", _:
            return {"name": name, "regex": "^$"}
        case "prefix", text:
            return {"name": name, "regex": f"^{escaped(text)}.*$"}
        case "suffix", text:
            return {"name": name, "regex": f"^.*{escaped(text)}$"}
        case _, text:
            return {"name": name, "regex": text}


def _path(test: Any) -> Condition:
    how, text = text_test(test, "uri")
    if how not in PATHS or not text.startswith("/"):
        raise TrafficError(
            f"`match` has uri {how} `{text}`, which Contour cannot test; write exact, prefix or regex, from `/` on"
        )
    return {how: text}
