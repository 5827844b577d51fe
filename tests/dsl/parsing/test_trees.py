"""Protects the way from words to nodes: every construct of the language, with the tree that it becomes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dsl import syntax
from tests.dsl.parsing.trees import inside, tree

FILE = Path(__file__).with_name("trees.txt")


def cases() -> list[tuple[str, str]]:
    """A block with one statement a line, and under it the tree of the statement."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [(text, expected.strip()) for text, expected in zip(lines[::2], lines[1::2], strict=True)]


@pytest.mark.parametrize(("text", "expected"), cases(), ids=[text for text, _ in cases()])
def test_statements(text: str, expected: str) -> None:
    assert inside(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("let a = 1 - 2 + 3", "Chain([Number(1.0), Number(2.0), Number(3.0)], ['-', '+'])"),
        ("let a = 1 + 2 * -3", "Chain([Number(1.0), Chain([Number(2.0), Negate(Number(3.0))], ['*'])], ['+'])"),
        ("let a = (1 + 2) * 3", "Chain([Chain([Number(1.0), Number(2.0)], ['+']), Number(3.0)], ['*'])"),
        ("let a = b.c(0.99).d of primary", "Ref([Segment(Name('b')), Segment(Name('c'), [Arg(Number(0.99))]), "
         "Segment(Name('d'))], Name('primary'))"),
        ('let a = { b: [1, x-y,], "c-d": { } }', "MapOf([Entry(Name('b'), ListOf([Number(1.0), Word('x-y')])), "
         "Entry(Name('c-d'), MapOf())])"),
        ('let a = "q\\"\\n\\u00e9\\\\"', "String('q\"\\né\\\\')"),
        ('let a = """\n    x\n      y\n\n    z\n  """', "String('x\\n  y\\n\\nz', True)"),
        ('let a = """x\n  y"""', "String('x\\ny', True)"),
        ("let a = 1w2d3h4m5s6ms", "Duration(788645006)"),
    ],
)  # fmt: skip
def test_expressions(text: str, expected: str) -> None:
    assert tree(text) == f"Let(Name('a'), {expected})"


def test_conditions_are_flat_and_bind_as_they_should() -> None:
    a, b, c, d = (f"Ref([Segment(Name('{name}'))])" for name in "abcd")
    expected = f"Check(Name('require'), Or([And([{a}, Not({b}), {c}]), {d}]))"
    assert inside("analysis x { require a and not b and c or d }") == expected


DECLARED = """
language 1
import "std/http" as http
metric a(b, c = 1) returns ratio = d
metric e from template "ns/name" returns percent
## said above
## in two lines
webhook f { url "x" }
rollout g-h in i-j { }
gate k { }
"""


def test_declarations() -> None:
    params = "[Param(Name('b')), Param(Name('c'), Number(1.0))]"
    assert tree(DECLARED).split("\n") == [
        "Import(String('std/http'), Name('http'))",
        f"Metric(Name('a'), {params}, Name('ratio'), Ref([Segment(Name('d'))]))",
        "Metric(Name('e'), Name('percent'), TemplateRef(String('ns/name')))",
        "Webhook(Name('f'), [Field(Name('url'), String('x'))], 'said above\\nin two lines')",
        "Rollout(Name('g-h'), Name('i-j'))",
        "Gate(Name('k'))",
    ]


def test_words_of_the_language_are_names_where_nothing_else_can_stand() -> None:
    text = tree("let target = steps\nrollout rollout in window { target service/test; service { gate 1; for if } }\n")
    assert text.startswith(
        "Let(Name('target'), Ref([Segment(Name('steps'))]))\nRollout(Name('rollout'), Name('window')"
    )
    assert "Field(Name('for'), Ref([Segment(Name('if'))]))" in text


def test_newlines_are_free_in_brackets_and_only_there() -> None:
    assert tree("let a = [\n1,\n\n2\n]\n") == tree("let a = [1, 2]")
    assert inside("analysis a { require (x\n> 1 # why\nand y) }") == inside("analysis a { require (x > 1 and y) }")


def test_every_node_of_the_tree_is_written_somewhere() -> None:
    texts = [*(text for text, _ in cases()), *(f"let a = {text}" for text in ("1 + -2", "{ b: [x-y] }", '"c"'))]
    texts += ["analysis a { require b or c and d < 1 }", 'import "x"', 'metric m from template "t" returns x', DECLARED]
    written = {name for text in texts for name in re.findall(r"([A-Z][A-Za-z]+)\(", tree(text))}
    nodes = {name for name, thing in vars(syntax).items() if isinstance(thing, type) and hasattr(thing, "_fields")}
    assert nodes - written - {"Span"} == {"File", "Comment", "BadExpr"}
