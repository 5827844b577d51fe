"""Protects that a test on a cookie, made on the whole `Cookie` header, holds for that cookie and no other, whether a
data plane searches or wants the whole value to fit."""

from __future__ import annotations

import pytest
import re2  # type: ignore[import-untyped]

from dsl.ir import MatchTest
from interpreter.traffic.patterns import cookie_pattern, value_pattern
from interpreter.traffic.provider import TrafficError


def on_cookies(*tests: tuple[str, str, str]) -> list[MatchTest]:
    return [MatchTest("cookie", key, op, value) for key, op, value in tests]  # type: ignore[arg-type]


def holds(pattern: str, header: str) -> bool:
    found, whole = re2.search(pattern, header), re2.fullmatch(pattern, header)
    assert (found is None) is (whole is None), "it depends on how the data plane matches"
    return found is not None


EQUAL = (("a", "==", "1"),)
ENDS = (("a", "=~", "^b.*d$"),)
TWO = (("a", "==", "1"), ("b", "^=", "x"))


@pytest.mark.parametrize(
    ("tests", "yes", "no"),
    [
        (EQUAL, ["a=1", "b=2; a=1", "a=1; b=2", " a=1 ; c=1"], ["a=11", "xa=1", "b=a=1", "a=2", "b=1;ca=1", "A=1"]),
        (ENDS, ["a=bd", "x=1; a=bxxd; y=2"], ["a=b; c=d", "a=xbd", "a=bd1"]),
        ((("a", "=~", "b[^x]d|^q"),), ["a=zbcdz", "a=qqq"], ["a=b;d", "a=zq", "c=q"]),
        ((("a", "=~", "(?i)^beta$"),), ["a=BETA", "z=1; a=Beta; y=1"], ["A=beta", "a=betas"]),
        ((("a", "=~", r"\S\W\S"),), ["a=1-2"], ["a=1; b", "a=1 ;b"]),
        ((("a", "=~", r"\pL[]x]\x41"),), ["a=z]A"], ["a=1]A"]),
        ((("a", "exists", ""),), ["a=", "a=1; b"], ["ba=1", "b=1", "ab=a"]),
        (TWO, ["a=1; b=xy", "b=x;a=1", "c=1; b=xz; d=1; a=1; e=2"], ["a=1", "b=x", "a=1; b=y", "a=1;cb=x"]),
        ((("a.b", "==", "v+*"),), ["a.b=v+*"], ["axb=v+*", "a.b=vv*"]),
    ],
)
def test_it_holds_for_that_cookie_only(tests: tuple[tuple[str, str, str], ...], yes: list[str], no: list[str]) -> None:
    pattern = cookie_pattern(on_cookies(*tests))
    assert [header for header in yes if not holds(pattern, header)] == []
    assert [header for header in no if holds(pattern, header)] == []


@pytest.mark.parametrize("pattern", [";", "[!-~]", r"\x3b", "[[:punct:]]", r"\PL", "[^a]|\\;"])
def test_what_could_reach_into_a_neighbour_is_refused(pattern: str) -> None:
    with pytest.raises(TrafficError, match="matches a semicolon"):
        cookie_pattern(on_cookies(("a", "=~", pattern)))


@pytest.mark.parametrize("pattern", ["(^|x)y", "a$b", r"(a\z)", "x^"])
def test_ends_in_the_middle_are_refused(pattern: str) -> None:
    with pytest.raises(TrafficError, match="elsewhere than at its beginning and end"):
        cookie_pattern(on_cookies(("a", "=~", pattern)))


def test_what_else_is_refused() -> None:
    with pytest.raises(TrafficError, match="several tests on the cookie `a`"):
        cookie_pattern(on_cookies(("a", "==", "1"), ("a", "^=", "1")))
    with pytest.raises(TrafficError, match="4 tests on cookies"):
        cookie_pattern(on_cookies(*((name, "exists", "") for name in "abcd")))
    with pytest.raises(TrafficError, match="escape the characters one by one"):
        cookie_pattern(on_cookies(("a", "=~", r"\Qa.b\E")))


@pytest.mark.parametrize(
    ("op", "value", "yes", "no"),
    [
        ("==", "a.b", ["a.b"], ["axb", "a.bc", "xa.b"]),
        ("^=", "a.", ["a.", "a.b"], ["ab", "xa."]),
        ("=~", "b|^c", ["abz", "cz"], ["zc", ""]),
        ("exists", "", ["", "x"], []),
    ],
)
def test_values_of_headers(op: str, value: str, yes: list[str], no: list[str]) -> None:
    pattern = value_pattern(MatchTest("header", "x", op, value))  # type: ignore[arg-type]
    assert all(holds(pattern, each) for each in yes)
    assert not any(holds(pattern, each) for each in no)


@pytest.mark.parametrize("pattern", ["^(a|b)$", r"^a\|b$", "^[|$]$", "^(.*?;)?(type=insider)(;.*)?$"])
def test_an_expression_that_is_bound_to_both_ends_is_left_as_it_is(pattern: str) -> None:
    """As its user wrote it, and as another controller wrote it into a route before."""
    assert value_pattern(MatchTest("header", "x", "=~", pattern)) == pattern


@pytest.mark.parametrize("pattern", ["^a|b$", "a$", "^a", r"^a\$", "^", "^a|^b$"])
def test_one_that_is_not_bound_may_stand_anywhere(pattern: str) -> None:
    made = value_pattern(MatchTest("header", "x", "=~", pattern))
    assert made != pattern
    for header in ("a", "ab", "zb", "za", "az", "a$"):
        assert holds(made, header) is (re2.search(pattern, header) is not None), header
