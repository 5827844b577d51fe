"""Protects the promise that any text at all is answered, soon, and never with an exception."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsl.suggest import closest, edits
from tests.dsl.meaning.small import compiled, policy

MANY = 3000
HUGE = {
    "a chain of constants": "\n".join(f"let a{i} = a{i + 1}" for i in range(MANY)) + f"\nlet a{MANY} = 5",
    "a chain of metrics": "\n".join(f"metric m{i} returns count = m{i + 1} + m{i + 2}" for i in range(MANY)),
    "a tree of analyses": "\n".join(f"analysis a{i} {{ include a{i + 1}; include a{i + 1} }}" for i in range(60)),
    "a tree of strategies": "\n".join(f"strategy s{i} {{ follow s{i + 1}; follow s{i + 1} }}" for i in range(60)),
    "a circle of many": "\n".join(f"let a{i} = a{(i + 1) % 30}" for i in range(30)),
    "a long sum": f"let a = {' + '.join(['1'] * MANY)}",
    "a long list": f"let a = [{', '.join(['5%'] * MANY)}]",
    "many unknown names": "\n".join(f"analysis a{i} {{ require name{i} > 5 }}" for i in range(MANY)),
    "one name many times": "\n".join("let a = 5" for _ in range(MANY)),
    "numbers beyond numbers": "strategy s { shift to c; hold b; repeat a { } }\n"
    f"let a = {'9' * 400}\nlet b = {'9' * 400}d\nlet c = {'9' * 400}%",
    "products beyond numbers": "strategy s { scale canary to c * c * c }\n"
    "let a = 999999999999999\nlet b = a * a * a * a * a * a * a * a\nlet c = b * b * b * b",
    "values of all kinds": 'let a = [1, "x", { b: 5m }]\n'
    "strategy s { shift to a; hold a; repeat a { }; notify a; for x in a { shift to x } }",
}


@pytest.mark.parametrize("case", HUGE)
def test_large_and_twisted_texts_end_soon(case: str) -> None:
    begin = time.process_time()
    compiled(HUGE[case])
    assert time.process_time() - begin < 10


def test_what_stands_on_too_much_says_so() -> None:
    found = compiled(HUGE["a chain of constants"]).diagnostics
    assert {one.code for one in found} == {"RW108"}
    assert "stands on more than 40 other declarations" in found[0].message


VOCABULARY = """rollout analysis require success_rate >= 99 % 5m { } ( ) steps shift to promote ; " , [ ] let metric
returns percent = latency of primary over if else repeat 3 not and in .. requests . rate kayenta meets"""
WORDS = st.sampled_from([*VOCABULARY.split(), "\n"])


@given(st.lists(WORDS, max_size=40))
@settings(max_examples=50, deadline=None)
def test_any_words_at_all_are_answered(words: list[str]) -> None:
    compiled('import "std/http"\n' + " ".join(words))


@given(st.integers(0, 400), st.integers(0, 40), st.text(max_size=8))
@settings(max_examples=50, deadline=None)
def test_a_policy_with_a_wound_is_answered(start: int, length: int, text: str) -> None:
    whole = policy(
        "ramp 10% to 50% by 10%; if latency > 5s { rollback }; promote",
        head="let slow = 5s\nanalysis a(t = 5%) { require success_rate >= t }",
    )
    compilation = compiled(whole[:start] + text + whole[start + length :])
    for one in compilation.diagnostics:
        assert 0 <= one.span.start <= one.span.end <= len(one.span.source.text)


# --- near names -------------------------------------------------------------------------------------------------

LETTERS = st.text("abc", max_size=6)


@given(LETTERS, LETTERS)
def test_distance_is_the_same_both_ways(left: str, right: str) -> None:
    assert edits(left, right, 9) == edits(right, left, 9)
    assert (edits(left, right, 9) == 0) == (left == right)


@given(LETTERS, LETTERS, st.integers(0, 6))
def test_a_limit_only_cuts_off(left: str, right: str, limit: int) -> None:
    assert edits(left, right, limit) == min(edits(left, right, 9), limit + 1)


def test_a_swap_is_one_edit() -> None:
    assert edits("rate", "raet", 3) == 1


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("sucess_rate", ["success_rate", "error_rate"], ("success_rate",)),
        ("successRate", ["success_rate"], ("success_rate",)),
        ("cat", ["bat", "car", "dog"], ("bat", "car")),
        ("aa", ["xyz"], ()),
        ("abcd", ["abxy"], ()),
        ("abcdefgh", ["abcdefxy"], ("abcdefxy",)),
    ],
)
def test_nearest_names(word: str, known: list[str], near: tuple[str, ...]) -> None:
    assert closest(word, known) == near
