"""Tests on requests as conditions of a rule of an Application Load Balancer.

A condition compares a header or a query parameter with a text in which `*` stands for any characters and `?` for one,
or a header with a regular expression. Texts are compared without regard to case. A cookie is tested in the `Cookie`
header by an expression. In one alternative all tests on headers are written in the same way, since a rule may not mix
the two.

A rule has room for five comparisons and five wildcards, of which host and path take some.

Facts: the guide of Application Load Balancers, "Condition types for listener rules"; the API reference,
`HttpHeaderConditionConfig` and `QueryStringConditionConfig`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dsl.ir import MatchTest
from interpreter.traffic.patterns import cookie_pattern, value_pattern
from interpreter.traffic.provider import TrafficError

MOST_VALUES = 5
"""Comparisons in one rule."""

MOST_WILDCARDS = 5
"""And wildcards."""

_LONGEST_NAME, _LONGEST_VALUE = 40, 128
_VISIBLE = re.compile(r"[\x20-\x7e]*")
_SPECIAL = re.compile(r"[*?\\]")
_WILDCARD = re.compile(r"\\.|([*?])")


def conditions(
    tests: Sequence[MatchTest], theirs: Iterable[Mapping[str, Any]], paths: Iterable[tuple[str, Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """The conditions that hold if all the tests do. `theirs` are the user's, which hold beside them, on each of `paths`
    (host and path of an Ingress). Raises `TrafficError` for a test that cannot be written, and where there is no room.
    """
    by_expression = any(test.kind == "cookie" or _needs_expression(test) for test in tests)
    made = [_query(test) if test.kind == "query" else _header(test, by_expression) for test in tests]
    for host, path in paths:
        values = [*_values(made), *_values(theirs), *([host] if host else []), *_path_values(path)]
        if len(values) > MOST_VALUES or sum(_wildcards(value) for value in values) > MOST_WILDCARDS:
            raise TrafficError(
                f"a rule of an Application Load Balancer has room for {MOST_VALUES} comparisons and {MOST_WILDCARDS} "
                f"wildcards; host and path `{host or '*'}{path.get('path') or '/'}` and {_counted(tests)} take "
                f"{len(values)} and {sum(_wildcards(value) for value in values)}: test less at once"
            )
    return made


def _needs_expression(test: MatchTest) -> bool:
    """Whether wildcards cannot say it: in a header there is no way to write one that stands for itself."""
    return test.kind == "header" and (test.op == "=~" or _SPECIAL.search(test.value) is not None)


def _header(test: MatchTest, by_expression: bool) -> dict[str, Any]:
    name = "Cookie" if test.kind == "cookie" else test.key
    if len(name) > _LONGEST_NAME or name.lower() == "host":
        raise TrafficError(
            f"an Application Load Balancer cannot test the header `{name}`: names have {_LONGEST_NAME} characters at "
            "most, and `Host` is a matter of the Ingress' hosts"
        )
    if not by_expression:
        value = "*" if test.op == "exists" else test.value + ("*" if test.op == "^=" else "")
        return _http_header(name, "values", _valid(value, test))
    pattern = cookie_pattern([test]) if test.kind == "cookie" else value_pattern(test)
    if re.search(r"\\[pP]", test.value) and test.op == "=~":
        raise TrafficError(f"an Application Load Balancer knows no classes as `\\p{{L}}`, which `{test.value}` has")
    return _http_header(name, "regexValues", _valid(pattern, test))


def _http_header(name: str, how: str, value: str) -> dict[str, Any]:
    return {"field": "http-header", "httpHeaderConfig": {"httpHeaderName": name, how: [value]}}


def _query(test: MatchTest) -> dict[str, Any]:
    text = _SPECIAL.sub(r"\\\g<0>", test.value)
    value = {"==": text, "^=": f"{text}*", "exists": "*"}.get(test.op)
    if value is None:
        raise TrafficError(
            f'an Application Load Balancer knows no expressions on query parameters (query "{test.key}" =~ …): write '
            "`==` or `^=`, or test a header"
        )
    pair = {"key": _valid(_SPECIAL.sub(r"\\\g<0>", test.key), test), "value": _valid(value, test)}
    return {"field": "query-string", "queryStringConfig": {"values": [pair]}}


def _valid(value: str, test: MatchTest) -> str:
    if value and len(value) <= _LONGEST_VALUE and _VISIBLE.fullmatch(value):
        return value
    raise TrafficError(
        f"an Application Load Balancer compares with 1 to {_LONGEST_VALUE} visible characters of ASCII; {test.kind} "
        f'"{test.key}" {test.op} "{test.value}" takes {len(value)}, or has others: write another test'
    )


def _values(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is compared with, in any kind of condition."""
    configs = (config for each in found for config in each.values() if isinstance(config, Mapping))
    return [
        str(value.get("value", "")) if isinstance(value, Mapping) else "" if how == "regexValues" else str(value)
        for config in configs
        for how in ("values", "regexValues")
        for value in config.get(how) or ()
    ]


def _path_values(path: Mapping[str, Any]) -> list[str]:
    """As the controller writes a path: a prefix is itself, and all below it."""
    text = path.get("path") or ""
    if path.get("pathType") != "Prefix":
        return [text] if text else []
    return ["/*"] if text == "/" else [text, f"{text.rstrip('/')}/*"]


def _wildcards(value: str) -> int:
    return sum(1 for found in _WILDCARD.finditer(value) if found[1])


def _counted(tests: Sequence[MatchTest]) -> str:
    return "1 test" if len(tests) == 1 else f"{len(tests)} tests"
