"""Protects the canonical form: what it looks like, that it is stable, and that nothing but layout ever changes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random

import pytest
from hypothesis import Phase, given, settings

from dsl import formatter
from dsl.formatter import INTERNAL_ERROR, format_source, same
from dsl.formatter.print import print_file
from dsl.parser import parse, read
from dsl.source import Source
from tests.dsl.formatting.pairs import INPUTS, formatted
from tests.dsl.formatting.policies import policies

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.rollout"))
COUNT = count()
TEXTS = [path.read_text(encoding="utf-8") for path in EXAMPLES]


def words(text: str) -> list[str]:
    """All tokens but those that are layout: line ends, `;`, and the commas, one of which may come or go at an end."""
    return [
        one[1]
        for one in read(Source("words", text)).tokens
        if one[0] not in ("_NL", "COMMA", "RAW_STRING")  # a raw string may move sideways; its value is in the tree
    ]


def comments(text: str) -> list[str]:
    return [one.text for one in parse(Source("comments", text)).file.comments]


def hold_the_promises(text: str) -> str:
    """Format, and check anew and by other means what the formatter checks itself."""
    result = format_source(Source("promises", text))
    assert not result.diagnostics, [one.message for one in result.diagnostics]
    assert format_source(Source("promises", result.text)).text == result.text
    assert words(result.text) == words(text)
    assert comments(result.text) == comments(text)
    assert not any(line != line.rstrip() for line in result.text.split("\n"))
    return result.text


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_pairs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == path.with_suffix(".out").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [one for one in INPUTS if one.stem != "everything_loose"], ids=lambda path: path.stem)
def test_pairs_keep_the_promises(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.stem == "off":  # what is copied keeps its trailing space
        assert formatted(formatted(text)) == formatted(text)
    else:
        hold_the_promises(text)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_in_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert hold_the_promises(text) == text


@pytest.mark.parametrize("text", ["", "\n\n", "   ", ";;"])
def test_nothing_stays_nothing(text: str) -> None:
    assert formatted(text) == ""


def test_line_ends_and_byte_order_mark() -> None:
    text = '\ufefflet a = 1\r\n\r\nmetric b returns count {\r\n  prometheus """\r\n  x\r\n  """\r\n}\r\n'
    assert "\r" not in formatted(text)
    assert formatted(text).startswith("let a = 1\n\nmetric")


def test_what_cannot_be_parsed_comes_back_with_the_reasons() -> None:
    text = "let  a = \nrolout x {\n}\n"
    result = format_source(Source("broken", text))
    assert result.text == text
    assert [one.code for one in result.diagnostics] == ["RW007", "RW002"]


def noisy(text: str, seed: int) -> str:
    """A policy with other space, more lines and comments, wherever they may stand."""
    random = Random(seed)
    for _ in range(random.randrange(1, 8)):
        tokens = read(Source("noise", text)).tokens
        place = random.choice([end for _, _, *ends in tokens for end in ends])
        noise = random.choice((f" # c{place}\n", f"\n# own{place}\n", "\n", "\n\n\n", " ; ", "   ", "\t", "\r\n"))
        tried = text[:place] + noise + text[place:]
        if not parse(Source("noise", tried)).diagnostics:
            text = tried
    return text


@pytest.mark.parametrize("seed", range(120))
def test_noise(seed: int) -> None:
    text = noisy(TEXTS[seed % len(TEXTS)], seed)
    assert same(
        read(Source("a", text)).result.file.declarations, parse(Source("b", hold_the_promises(text))).file.declarations
    )


@given(policies())  # not shrunk: the texts are short, and shrinking them takes minutes
@settings(max_examples=50, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_any_policy(text: str) -> None:
    hold_the_promises(text)


# --- the checks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ruin", "trouble"),
    [
        (lambda text: text.replace("1", "2"), "would change what the policy means"),
        (lambda text: text + "}", "would change what the policy means"),
        (lambda text: text.replace("# c\n", "\n"), "would lose or move a comment"),
        (lambda text: text + "\n" * next(COUNT), "is not stable"),
    ],
)
def test_a_mistake_of_the_formatter_is_caught(
    monkeypatch: pytest.MonkeyPatch, ruin: Callable[[str], str], trouble: str
) -> None:
    monkeypatch.setattr(formatter, "print_file", lambda block: ruin(print_file(block)))
    text = "let   a = 1 # c\n"
    result = format_source(Source("ruined", text))
    assert result.text == text
    assert [one.code for one in result.diagnostics] == [INTERNAL_ERROR]
    assert trouble in result.diagnostics[0].message


def test_trees_differ_by_more_than_places() -> None:
    def tree(text: str) -> object:
        return parse(Source("tree", text)).file.declarations

    assert same(tree("let a = 1"), tree("let   a  = 1"))
    assert not same(tree("let a = 1"), tree("let a = 1%"))
    assert not same(tree("let a = 1"), tree("let a = 1\nlet b = 1"))
    assert not same(tree('let a = "x"'), tree('let a = """x"""'))
