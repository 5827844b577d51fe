"""Lark's own parser of the grammar, as a judge of ours: it shares the grammar with it and not a line of code.

Two things are added to Lark as it comes. Names, numbers and strings are always lexed, whatever the parser could use,
so that no keyword is cut out of a longer word; and a newline inside of ( ), [ ] or the braces of a map is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from lark import Lark, LarkError, Token
from lark.grammar import NonTerminal
from lark.lexer import ContextualLexer

from grammar import GRAMMAR
from grammar.build import load_lark

_WHOLE = ("NAME", "KEBAB", "DURATION", "PERCENT", "CLOCK", "NUMBER", "STRING", "RAW_STRING", "_NL")
_CLOSERS = {"RPAR", "RSQB", "RBRACE"}


class _WholeWords:
    """What Lark calls a post-lexer; this one changes nothing, and says what is always lexed."""

    always_accept = _WHOLE

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


class _BracketLexer(ContextualLexer):
    """Lark's contextual lexer, which knows the state of the parser, without the newlines that do not count."""

    map_states: frozenset[int]

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Token]:
        brackets: list[str] = []
        separated = False
        for token in super().lex(lexer_state, parser_state):
            if token.type == "_NL" and (separated or (brackets and brackets[-1] != "block")):
                continue
            separated = token.type == "_NL"
            yield token
            if token.type in ("LPAR", "LSQB"):
                brackets.append("value")
            elif token.type == "LBRACE":
                brackets.append("value" if parser_state.position in self.map_states else "block")
            elif token.type in _CLOSERS and brackets:
                brackets.pop()


@cache
def judge() -> Lark:
    with open(GRAMMAR, encoding="utf-8") as file:
        lark = load_lark(file.read(), postlex=_WholeWords())
    lexer: Any = lark.parser.lexer
    lexer.lexer.__class__ = _BracketLexer
    lexer.lexer.map_states = _map_states(lark)
    return lark


def _map_states(lark: Any) -> frozenset[int]:
    """The states behind a `{` that a map begins with: those from which `{ }` is a map."""
    states = lark.parser.parser._parse_table.states
    found = set()
    for row in states.values():
        inside = row.get("LBRACE", (None, None))[1]
        closed = states[inside].get("RBRACE", (None, None))[1] if inside in states else None
        ended = states[closed].values() if closed in states else []
        if {getattr(target, "origin", target) for _, target in ended} == {NonTerminal("map")}:
            found.add(inside)
    return frozenset(found)


def accepts(text: str) -> bool:
    """Whether Lark can parse the text."""
    try:
        judge().parse(text)
    except LarkError:
        return False
    return True
