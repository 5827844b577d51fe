"""Protects against any text at all: never an exception, never long, every place inside of the text."""

from __future__ import annotations

import time
from random import Random
from typing import Any

import pytest

from dsl.parser import errors, parse
from dsl.source import Source
from tests.fuzz import mutated

MILLION = (1 << 20) - 100

HUGE = {
    "nul": "\0" * MILLION,
    "newlines": "\n" * MILLION,
    "quotes": '"' * MILLION,
    "raw": '"""a' * (MILLION // 4),
    "braces": "rollout x {" * 10_000,
    "closers": "}" * MILLION,
    "not": "analysis a { require " + "not " * 20_000,
    "minus": "let a = " + "- " * 20_000,
    "else if": "strategy a { " + "if x { hold } else " * 20_000,
    "digits": "let a = " + "9" * MILLION,
    "durations": "let a = " + "1m" * (MILLION // 2 - 10),
    "kebab": "a-" * (MILLION // 2),
    "errors in the deep": "strategy a {\n" + "if x {\n" * 60 + "foo (\n" * 40_000,
    "lines that outgrow": "rollout x {\n  foo (\n" * 20_000,
    "long chain": "let a = 1" + " + 1" * 50_000,
    "comments": "#\n" * 100_000,
    "spaces": " " * MILLION,
}


@pytest.mark.parametrize("name", HUGE)
def test_huge(name: str) -> None:
    began = time.process_time()
    result = parse(Source(name, HUGE[name]))
    assert time.process_time() - began < 20  # a few seconds at most; what is quadratic here takes minutes
    assert len(result.diagnostics) <= 50


@pytest.mark.parametrize(
    "text", ["\ud800", "let a = \udfff", '"\ud800', "\x00\x01", "\u2028", "\r", "\\", "\ufeff\ufeff", "#"]
)
def test_odd_characters(text: str) -> None:
    parse(Source("odd", text))


@pytest.mark.parametrize("seed", range(4))
def test_mutations(seed: int) -> None:
    for number in range(50):
        text = mutated(seed, number)
        result = parse(Source("mutated", text))
        for one in result.diagnostics:
            assert 0 <= one.span.start <= one.span.end <= len(text)
        for span in result.dropped:
            assert 0 <= span.start <= span.end <= len(text)


def test_noise() -> None:
    random = Random(7)
    for _ in range(300):
        parse(
            Source("noise", "".join(chr(random.choice((random.randrange(128), 10, 123, 125, 34))) for _ in range(80)))
        )


def test_a_long_chain_is_a_flat_tree() -> None:
    let: Any = parse(Source("chain", "let a = 1" + " + 1" * 5_000)).file.declarations[0]
    assert len(let.value.operands) == 5_001


def test_a_mend_that_mends_nothing_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "SPECIALISTS", (lambda mender: mender.insert(mender.ghost("COMMA", ",")),))
    result = parse(Source("loop", "let a = 1\nlet b = ?\n"))
    assert [type(node).__name__ for node in result.file.declarations] == ["Let"]
