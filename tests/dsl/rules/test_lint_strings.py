"""Protects the way from a place in a string's value to the place in the file: every character, for every way to write
a string."""

from __future__ import annotations

import pytest

from dsl.parser import parse
from dsl.rules.strings import offset_in, span_in
from dsl.source import Source
from dsl.syntax import Let, String


def written(literal: str) -> String:
    (let,) = parse(Source("test.rollout", f"let x = {literal}\n")).file.declarations
    assert isinstance(let, Let)
    assert isinstance(let.value, String)
    return let.value


@pytest.mark.parametrize(
    "literal",
    [
        '"plain"',
        '""',
        r'"a\"b\\c\/d\ne\tf"',
        r'"snow \u2603 man"',
        '"""one line"""',
        '"""\n    first\n      second\n    third\n  """',
        '"""head\n    first\n\n    second"""',
        '"""\n\ta\n\tb\n"""',
        '"""\r\n    a\r\n    b\r\n"""',
        '"""\n  a\n     \n  b\n"""',
        '"""\n\n  a\n"""',
    ],
)
def test_each_character_is_found_again(literal: str) -> None:
    string = written(literal)
    text = string.span.source.text
    escapes = {"n": "\n", "t": "\t"}
    for index, character in enumerate(string.value):
        at = offset_in(string, index)
        there = text[at : at + 2]
        if there.startswith("\\"):
            assert character in (there[1], escapes.get(there[1]), "☃")
        elif character == "\n":
            assert there[0] in "\r\n"
        else:
            assert there[0] == character


def test_a_span_is_inside_the_string_whatever_is_asked() -> None:
    string = written('"abc"')
    assert span_in(string, 1, 2).text == "b"
    assert span_in(string, 0, 3).text == "abc"
    assert span_in(string, 50, 90).end <= string.span.end
