"""The language's tests as matchers of a Traefik rule (v3).

A matcher that is an expression (Go's RE2) is searched for in each value of a header or parameter. A rule is read by the
parser of Go, so a text stands in backquotes, or as a string of Go's.

Facts: Traefik v3.7, `pkg/muxer/http/matcher.go`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from dsl.ir import MatchTest
from interpreter.traffic.patterns import cookie_pattern, value_pattern


def all_of(rules: Iterable[str]) -> str:
    """The rule that holds if these do."""
    return " && ".join(rules)


def any_of(rules: Sequence[str]) -> str:
    """The rule that holds if one of these does."""
    return rules[0] if len(rules) == 1 else " || ".join(f"({rule})" for rule in rules)


def tested(tests: Iterable[MatchTest]) -> str:
    """The rule that holds if all of these tests do. Raises `TrafficError` for an expression on a cookie that cannot be
    confined to it."""
    return all_of(dict.fromkeys(_matcher(test) for test in tests))


def _matcher(test: MatchTest) -> str:
    match test.kind:
        case "cookie":
            return _call("HeaderRegexp", "Cookie", cookie_pattern([test]))
        case "header":
            return _exact_or_not("Header", test)
        case _:
            return _exact_or_not("Query", test)


def _exact_or_not(name: str, test: MatchTest) -> str:
    if test.op == "==":
        return _call(name, test.key, test.value)
    return _call(f"{name}Regexp", test.key, value_pattern(test))


def _call(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(_quoted(argument) for argument in arguments)})"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if "`" in text or "\n" in text else f"`{text}`"
