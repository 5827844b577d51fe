"""Tests on requests as regular expressions that mean the same in every data plane.

The language's `=~` finds its pattern anywhere in a value. Data planes differ: Envoy wants the whole value to match, Go
and PCRE search. An expression made here matches the same values either way: it spells out what may stand before and
after. It is RE2, as what users write is.

Where a data plane has no test on cookies, one is made on the whole `Cookie` header. It holds for a cookie of exactly
that name, however many others stand around it, and cannot reach over into a neighbour's value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations
from typing import assert_never

import re2  # type: ignore[import-untyped]

from dsl.ir import MatchTest
from interpreter.traffic.provider import TrafficError

MOST_COOKIES = 3
"""Tests on cookies in one alternative: each more multiplies the orders in which a client may send them."""

_SPECIAL = frozenset("\\.+*?()|[]{}^$")
_FLAGS = re.compile(r"\(\?[imsU-]+\)")
_NEGATED = {r"\D": r"[^\d;]", r"\S": r"[^\s;]", r"\W": r"[^\w;]"}
_ESCAPE = re.compile(r"\\(?:[pP](?:\{[^}]*\}|.)|x(?:\{[^}]*\}|..)|.)")
_IN_COOKIE = "[^;]"
_SPACE = r"[ \t]*"


def escaped(text: str) -> str:
    """An expression that matches this text and nothing else."""
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in text)


def value_pattern(test: MatchTest) -> str:
    """An expression on the whole value of a header or a query parameter."""
    match test.op:
        case "==":
            return f"^{escaped(test.value)}$"
        case "^=":
            return f"^{escaped(test.value)}.*$"
        case "exists":
            return "^.*$"
        case "=~":
            return test.value if _is_bound(test.value) else f"^.*(?:{test.value}).*$"
        case _:
            assert_never(test.op)


def _is_bound(pattern: str) -> bool:
    """Whether an expression fits whole values only: it is bound to both ends, and that is not one alternative of it."""
    tokens = _cut(pattern)
    depth, alternatives = 0, False
    for token in tokens:
        depth += (token == "(") - (token == ")")
        alternatives = alternatives or (token == "|" and depth == 0)
    return tokens[:1] == ["^"] and tokens[-1:] == ["$"] and not alternatives and r"\Q" not in tokens


def cookie_pattern(tests: Sequence[MatchTest]) -> str:
    """An expression on the `Cookie` header that holds if all of these tests on cookies do.

    Raises `TrafficError` for two tests on one cookie, for more than `MOST_COOKIES`, and for expressions that cannot be
    confined to one cookie.
    """
    orders = _orders(tests)
    return _in_header(orders[0] if len(orders) == 1 else f"(?:{'|'.join(orders)})")


def cookie_patterns(tests: Sequence[MatchTest]) -> list[str]:
    """The same as alternatives, each for one order of the cookies: for data planes whose expressions must be short.
    Raises `TrafficError` as `cookie_pattern` does."""
    return [_in_header(order) for order in _orders(tests)]


def _in_header(pairs: str) -> str:
    return f"^(?:.*;)?{_SPACE}{pairs}(?:;.*)?$"


def _orders(tests: Sequence[MatchTest]) -> list[str]:
    names = [test.key for test in tests]
    if len(set(names)) < len(names):
        raise TrafficError(
            f"several tests on the cookie `{names[0]}` in one alternative cannot be made into one test on the `Cookie` "
            "header; write one regular expression"
        )
    if len(tests) > MOST_COOKIES:
        raise TrafficError(
            f"{len(tests)} tests on cookies in one alternative are more than a data plane should be asked for; "
            f"write {MOST_COOKIES} at most"
        )
    pairs = [f"{escaped(test.key)}={_cookie_value(test)}{_SPACE}" for test in tests]
    return [f";(?:.*;)?{_SPACE}".join(order) for order in permutations(pairs)]


def _cookie_value(test: MatchTest) -> str:
    match test.op:
        case "==":
            return escaped(test.value)
        case "^=":
            return escaped(test.value) + f"{_IN_COOKIE}*"
        case "exists":
            return f"{_IN_COOKIE}*"
        case "=~":
            return _within_cookie(test)
        case _:
            assert_never(test.op)


def _within_cookie(test: MatchTest) -> str:
    """A user's expression, confined to the value of one cookie: its ends become those of the value, and nothing in it
    matches the semicolon that ends the value."""
    flags = _FLAGS.match(test.value)
    opening = flags.group() if flags else ""
    alternatives: list[str] = [""]
    ends: list[list[bool]] = [[False, False]]
    depth = 0
    tokens = list(_tokens(test.value[len(opening) :], test))
    for number, token in enumerate(tokens):
        last = number + 1 == len(tokens) or (depth == 0 and tokens[number + 1] == "|")
        if token in ("^", r"\A") and depth == 0 and not alternatives[-1]:
            ends[-1][0] = True
        elif token in ("$", r"\z") and depth == 0 and last:
            ends[-1][1] = True
        elif token in ("^", "$", r"\A", r"\z"):
            raise _cannot(test, "it has `^` or `$` elsewhere than at its beginning and end")
        elif token == "|" and depth == 0:
            alternatives.append("")
            ends.append([False, False])
        else:
            depth += (token == "(") - (token == ")")
            alternatives[-1] += _confined(token, test)
    around = [
        ("" if start else f"{_IN_COOKIE}*") + inner + ("" if end else f"{_IN_COOKIE}*")
        for inner, (start, end) in zip(alternatives, ends, strict=True)
    ]
    return f"(?:{opening}{'|'.join(around)})"


def _tokens(pattern: str, test: MatchTest) -> list[str]:
    found = _cut(pattern)
    if r"\Q" in found:
        raise _cannot(test, "it quotes with `\\Q`; escape the characters one by one")
    return found


def _cut(pattern: str) -> list[str]:
    """An expression cut into characters, escapes (`\\d`, `\\pL`) and classes (`[^a-z]`)."""
    found: list[str] = []
    place = 0
    while place < len(pattern):
        escape = _ESCAPE.match(pattern, place)
        size = len(escape.group()) if escape else _class_size(pattern, place) if pattern[place] == "[" else 1
        found.append(pattern[place : place + size])
        place += size
    return found


def _class_size(pattern: str, start: int) -> int:
    """How many characters a class has, from its `[` to its `]`. A `]` right at the beginning stands for itself."""
    place = start + 1
    place += pattern.startswith("^", place)
    place += pattern.startswith("]", place)
    while place < len(pattern) and pattern[place] != "]":
        if pattern.startswith("[:", place) and ":]" in pattern[place:]:
            place = pattern.index(":]", place) + 2
        else:
            place += 2 if pattern[place] == "\\" else 1
    return place + 1 - start


def _confined(token: str, test: MatchTest) -> str:
    """A token that does not match a semicolon."""
    if token == ".":
        return _IN_COOKIE
    if token in _NEGATED:
        return _NEGATED[token]
    if token != ";" and (token[0] not in "[\\" or not re2.fullmatch(token, ";")):
        return token
    if token.startswith("[^"):
        return f"{token[:-1]};]"
    raise _cannot(test, f"its `{token}` matches a semicolon, which ends a cookie")


def _cannot(test: MatchTest, why: str) -> TrafficError:
    return TrafficError(f'the test cookie "{test.key}" =~ "{test.value}" cannot be made on the `Cookie` header: {why}')
