"""Protects our parser against itself: Lark's own parser of the same grammar accepts exactly the same texts."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from random import Random

import pytest

from dsl.parser import parse
from dsl.source import Source
from tests.grammar.judge import accepts

ROOT = Path(__file__).resolve().parents[2]
WHOLE = sorted([*(ROOT / "examples").glob("*.rollout"), *(ROOT / "stdlib").rglob("*.rollout")])
BEYOND = {"RW015", "RW018", "RW019"}  # what the grammar does not say: sizes, escapes, and where `language` stands

_PIECE = re.compile(r'"""|\w+|\s+|.', re.DOTALL)
_EXTRA = ["\n", " ", "(", ")", "[", "]", "{", "}", ",", ":", "-", "..", "=", "5m", "5%", "3", "x", "x-y", '"s"', "not",
          "for", "# c\n", ";", '"""', "1.", "9:30", "target", "{ a: 1 }", "over 5m", "in", "of primary"]  # fmt: skip


def ours(text: str) -> bool:
    return all(one.code in BEYOND for one in parse(Source("text", text)).diagnostics)


@cache
def declarations() -> tuple[str, ...]:
    texts = [path.read_text(encoding="utf-8") for path in WHOLE]
    return tuple(part for text in texts for part in re.split(r"\n\n(?=\w)", text) if len(part) < 1500)


def mutated(seed: int) -> str:
    random = Random(seed)
    pieces = _PIECE.findall("\n\n".join(random.sample(declarations(), 2)))
    for _ in range(random.choice((1, 1, 2, 3))):
        one, other = random.randrange(len(pieces)), random.randrange(len(pieces))
        match random.randrange(5):
            case 0:
                del pieces[one]
            case 1:
                pieces.insert(one, pieces[other])
            case 2:
                pieces[one], pieces[other] = pieces[other], pieces[one]
            case _:
                pieces.insert(one, random.choice(_EXTRA))
    return "".join(pieces)


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_both_accept_what_is_right(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ours(text)
    assert accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "rolloutfoo x { steps { promote } }",
        "strategy a { wait5m }",
        "strategy a { shift to5% }",
        "strategy a { hold 5mm }",
        "strategy a { hold 1m1h }",
        "strategy a { hold 5 m }",
        "strategy a { shift to 5 % }",
        "let a = 1.",
        "analysis a { require x < y < z }",
        "let a = b-c",
    ],
)
def test_both_refuse_what_runs_together(text: str) -> None:
    assert not ours(text)
    assert not accepts(text)


def test_both_agree_on_mutations() -> None:
    verdicts = {True: 0, False: 0}
    for seed in range(300):
        text = mutated(seed)
        judged = accepts(text)
        verdicts[judged] += 1
        assert ours(text) is judged, (seed, text)
    assert min(verdicts.values()) > 30  # else the mutations say little
