"""Protects the places: every node's span is exactly its own words, in any text, with or without oddities before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dsl import syntax
from dsl.node import fields
from dsl.parser import parse
from dsl.source import Source, Span

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted([*(ROOT / "examples").glob("*.rollout"), *(ROOT / "stdlib").rglob("*.rollout")])

TEXT = """\
rollout check-out in shop {  # one
  target  deployment/check-out
  service { port 9898; name http-web }

  analysis {
    require  latency(0.99) of primary * 1.2 <= (500ms)  over 30s
  }
}
"""
GOLDEN = [
    ("Rollout", TEXT.rstrip()),
    ("Name", "check-out"),
    ("Name", "shop"),
    ("Target", "target  deployment/check-out"),
    ("Workload", "deployment/check-out"),
    ("Name", "deployment"),
    ("Name", "check-out"),
    ("Service", "service { port 9898; name http-web }"),
    ("Field", "port 9898"),
    ("Name", "port"),
    ("Number", "9898"),
    ("Field", "name http-web"),
    ("Name", "name"),
    ("Word", "http-web"),
    ("Analysis", "analysis {\n    require  latency(0.99) of primary * 1.2 <= (500ms)  over 30s\n  }"),
    ("Check", "require  latency(0.99) of primary * 1.2 <= (500ms)  over 30s"),
    ("Name", "require"),
    ("Over", "latency(0.99) of primary * 1.2 <= (500ms)  over 30s"),
    ("Compare", "latency(0.99) of primary * 1.2 <= (500ms)"),
    ("Chain", "latency(0.99) of primary * 1.2"),
    ("Ref", "latency(0.99) of primary"),
    ("Segment", "latency(0.99)"),
    ("Name", "latency"),
    ("Arg", "0.99"),
    ("Number", "0.99"),
    ("Name", "primary"),
    ("Number", "1.2"),
    ("Duration", "500ms"),
    ("Duration", "30s"),
]


def nodes(thing: object) -> Iterator[tuple[str, Span]]:
    """Every node with its place, from the outside in."""
    if not isinstance(thing, tuple) or isinstance(thing, Span):
        return
    if fields(thing):
        yield type(thing).__name__, thing.span  # type: ignore[attr-defined]
    for part in thing:
        yield from nodes(part)


@pytest.mark.parametrize("before", ["", "\ufeff", "# ü€😀\n", "\n\n\t", 'let a = "é"\r\n'])
def test_golden(before: str) -> None:
    declaration = parse(Source("x", before + TEXT)).file.declarations[-1]
    assert [(name, span.text) for name, span in nodes(declaration)] == GOLDEN


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_places_nest_and_touch_no_space(path: Path) -> None:
    source = Source(path.name, path.read_text(encoding="utf-8"))

    def look(thing: object, outer: Span) -> None:
        if not isinstance(thing, tuple) or isinstance(thing, Span):
            return
        if fields(thing):
            span: Span = thing.span  # type: ignore[attr-defined]
            assert outer.start <= span.start < span.end <= outer.end, thing
            assert span.text == span.text.strip()
            outer = span
        for part in thing:
            look(part, outer)

    file = parse(source).file
    for declaration in file.declarations:
        look(declaration, file.span)


def test_comments() -> None:
    text = "# a\nlet b = 1 # c\n## d\nlet e = [ # f\n  1,\n  # g\n]\n"
    comments = parse(Source("x", text)).file.comments
    assert [(one.text, one.doc, one.own_line, one.span.text) for one in comments] == [
        ("# a", False, True, "# a"),
        ("# c", False, False, "# c"),
        ("## d", True, True, "## d"),
        ("# f", False, False, "# f"),
        ("# g", False, True, "# g"),
    ]


def test_a_doc_comment_belongs_to_one_declaration() -> None:
    text = "## lost\n\n## kept\nlet a = 1; let b = 2\nlet c = 3\n"
    declarations = parse(Source("x", text)).file.declarations
    assert [node.doc for node in declarations if isinstance(node, syntax.Let)] == ["kept", "", ""]


def test_a_comment_in_a_block_is_no_doc_of_what_follows() -> None:
    declarations = parse(Source("x", "strategy a {\n  hold\n## b\n}; let c = 3\n")).file.declarations
    assert [node.doc for node in declarations if isinstance(node, syntax.Let)] == [""]
