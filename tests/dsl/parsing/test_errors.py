"""Protects what people read when a text is wrong: code, place, words, fixes, and how much of the text survives."""

from __future__ import annotations

from typing import Any

import pytest

from dsl import syntax
from dsl.diagnostics import Diagnostic
from dsl.parser import parse
from dsl.source import Source
from tests.dsl.parsing.chunks import Chunk, chunks, said
from tests.leaks import leaks_of

CHUNKS = chunks()
BY_HAND = ("RW015",)


@pytest.mark.parametrize("chunk", CHUNKS, ids=range(len(CHUNKS)))
def test_what_is_said(chunk: Chunk) -> None:
    assert said(chunk.program) == chunk.said, "read it, then run `python -m tests.dsl.parsing.chunks`"


@pytest.mark.parametrize("chunk", CHUNKS, ids=range(len(CHUNKS)))
def test_how_it_is_said(chunk: Chunk) -> None:
    diagnostics = parse(Source("chunk", chunk.program)).diagnostics
    assert diagnostics
    assert leaks_of(diagnostics) == []
    for one in diagnostics:
        assert "\n" not in one.message
        assert not one.message.endswith(".")
        assert one.message[0].islower() or one.message[0] == "`"


def mended(text: str) -> str:
    """The text after all its safe fixes, again and again."""
    for _ in range(5):
        edits = [
            edit for one in parse(Source("x", text)).diagnostics for fix in one.fixes if fix.safe for edit in fix.edits
        ]
        if not edits:
            break
        for edit in sorted(edits, key=lambda one: -one.span.start):
            text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("analysis a { every: 5 minutes }", "analysis a { every 5m }"),
        ("analysis a { require x => 99 % && !y || z }", "analysis a { require x >= 99% and not y or z }"),
        ("gate g { url 'x' } // why", 'gate g { url "x" } # why'),
        ("strategy s { if a then { hold5m } elif b { run c } }", "strategy s { if a { hold 5m } else if b { run c } }"),
        ("window w { days mon-fri; hours 09:00-17:00; zone Europe/Berlin }",
         'window w { days mon..fri; hours 09:00..17:00; zone "Europe/Berlin" }'),
        ('let a = "\\d"', 'let a = "\\\\d"'),
        ("strategy s\n{\n  promote\n}", "strategy s {\n  promote\n}"),
        ("let a = .5", "let a = 0.5"),
    ],
)  # fmt: skip
def test_safe_fixes_lead_to_the_right_text(wrong: str, right: str) -> None:
    text = mended(wrong)
    assert text.replace("  ", " ") == right.replace("  ", " ")
    assert not parse(Source("x", text)).diagnostics


# --- what survives ----------------------------------------------------------------------------------------------


def declared(text: str) -> list[str]:
    return [type(node).__name__ for node in parse(Source("x", text)).file.declarations]


def rollout(text: str) -> syntax.Rollout:
    node = parse(Source("x", text)).file.declarations[-1]
    assert isinstance(node, syntax.Rollout)
    return node


def test_only_the_damaged_statement_is_lost() -> None:
    items = rollout("rollout a {\n  target deployment/a\n  deadline ???\n  baseline\n  steps { promote }\n}\n").items
    assert [type(item).__name__ for item in items] == ["Target", "Baseline", "Steps"]


def test_a_missing_value_leaves_a_hole_in_its_statement() -> None:
    analysis: Any = parse(Source("x", "analysis a {\n  require b >=\n}\n")).file.declarations[0]
    (check,) = analysis.items
    assert isinstance(check.condition, syntax.Compare)
    assert isinstance(check.condition.right, syntax.BadExpr)


def test_what_was_dropped_is_known() -> None:
    result = parse(Source("x", "let a = 1\nmetric b ??? {\n  foo\n}\nlet c = 2\n"))
    assert [span.text for span in result.dropped] == ["metric b ??? {\n  foo\n}"]
    assert declared("let a = 1\nmetric b ??? {\n  foo\n}\nlet c = 2\n") == ["Let", "Let"]


def test_a_forgotten_brace_costs_nothing() -> None:
    text = "rollout a {\n  analysis {\n    every 1m\n  steps { promote }\n}\n\nrollout b {\n  baseline\n}\n"
    assert declared(text) == ["Rollout", "Rollout"]
    assert len(parse(Source("x", text)).diagnostics) == 1


def test_a_misspelt_header_costs_nothing() -> None:
    assert declared("rolout a {\n  target deployment/a\n}\nlet b = 1\n") == ["Rollout", "Let"]


def test_a_stopped_parser_keeps_what_it_had() -> None:
    assert declared("let a = 1\nlet b = 2\nlet c = " + "(" * 100) == ["Let", "Let"]


def test_each_kind_of_error_is_shown() -> None:
    shown = {line.split()[1] for chunk in CHUNKS for line in chunk.said.splitlines()}
    assert shown == {f"RW{number:03}" for number in range(1, 20)} - set(BY_HAND)


@pytest.mark.parametrize("text", ["let a = " + "(" * 10_000, "let a = " + "[" * 65, "a" * (1 << 20) + "a"])
def test_too_much(text: str) -> None:
    (only,) = parse(Source("x", text)).diagnostics
    assert only.code == "RW015"


def test_at_most_fifty() -> None:
    diagnostics: tuple[Diagnostic, ...] = parse(Source("x", "let a = ?\n" * 500)).diagnostics
    assert len(diagnostics) == 50
