"""Protects what is said of regular expressions: RE2 and nothing else, of bounded size, in words."""

from __future__ import annotations

import pytest

from dsl.embedded.regex_check import check, is_anchored


@pytest.mark.parametrize(
    "pattern", ["", "^a$", "(?i)^beta", r"\d+", r"\\1", "[]a]", r"\p{Greek}", "a{1000}", "(?P<n>a)"]
)
def test_re2(pattern: str) -> None:
    assert check(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "words", "says"),
    [
        ("a(?=b)", "(?=", "look-ahead"),
        ("a(?!b)", "(?!", "negative look-ahead"),
        ("(?<=a)b", "(?<=", "look-behind"),
        ("(?<!a)b", "(?<!", "negative look-behind"),
        ("(?>a)", "(?>", "an atomic group"),
        (r"(a)\1", r"\1", "back-reference"),
        (r"(?P<n>a)(?P=n)", "(?P=n)", "back-reference"),
        ("a++", "++", "possessive"),
        (r"a\Z", r"\Z", r"`\Z`"),
        ("(a(b)", "(", "never closed"),
        ("a)", "a)", "closes nothing"),
        ("x[a", "[a", "never closed"),
        ("*a", "*", "nothing to repeat"),
        ("a**", "**", "two repetitions"),
        ("a{3,2}", "{3,2}", "wrong way round"),
        ("[z-a]", "z-a", "range that makes no sense"),
        ("a\\", "a\\", "lone backslash"),
    ],
)
def test_what_is_not_re2(pattern: str, words: str, says: str) -> None:
    problem = check(pattern)
    assert problem is not None
    assert problem.code == "RW510"
    assert says in problem.message
    assert pattern[problem.start : problem.end] == words
    assert problem.help


@pytest.mark.parametrize("pattern", ["a" * 1025, r"\pL{1000}", r"(\pL{300}\pN{300}){3}"])
def test_what_is_too_large(pattern: str) -> None:
    problem = check(pattern)
    assert problem is not None
    assert problem.code == "RW512" or "repetition is too large" in problem.message


@pytest.mark.parametrize(
    ("pattern", "anchored"),
    [("^a", True), ("a$", True), (".*a", True), ("(?i)^a", True), ("(^a|b)", True), ("a", False), ("a|^b", False)],
)
def test_anchors(pattern: str, anchored: bool) -> None:
    assert is_anchored(pattern) is anchored
