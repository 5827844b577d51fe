"""Text to tokens: one compiled regular expression, and a dictionary for words.

The terminals come from the grammar (`grammar/tables.json`). What no terminal matches becomes a token of kind `$BAD`
(or `$OPEN` where a quotation mark is never closed), which no state of the parser takes, so that its message is made
where the context is known. Comments go to a list of their own, and a run of newlines and `;` is one token. Nothing
here fails on any text, and the time is linear: each alternative is tried once at a place and keeps what it matches.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from dsl.source import Source, Span
from dsl.syntax import Comment

# Kind (the name of a terminal, `$BAD`, `$OPEN` or `$END`), text, start, end. A plain tuple, for there are thousands.
Token = tuple[str, str, int, int]

NEWLINE = "_NL"
END = "$END"
BAD = "$BAD"
OPEN = "$OPEN"


class Lexed(NamedTuple):
    """The tokens, the last of which is `$END`, and the comments, both in order."""

    tokens: list[Token]
    comments: list[Comment]


# Tried last, in this order. Each takes a whole lump, so that one slip makes one message.
_LUMPS = (
    (OPEN, r'"""[\s\S]*|"[^\n]*'),
    (
        BAD,
        r"[0-9](?:[A-Za-z0-9_%]|[.:](?=[0-9]))*|&+|\|+|'[^'\n]*'|[“”„«][^“”„«»\n]*[“”»]|[^\x00-\x7f\ufeff]+|[\x00-\x08\x0b\x0e-\x1f\x7f]+|[^\s\ufeff]|\s",
    ),
)
_SHORT = ("BAD", "OPEN")
_NUMERIC = ("DURATION", "PERCENT", "NUMBER")
_MOST_DIGITS = 20
_VALUES = ("RAW_STRING", "STRING", "DURATION", "PERCENT", "CLOCK", "NUMBER", "KEBAB", "COMMENT")


class Lexer:
    """Made once from the tables, and then only read."""

    __slots__ = ("_scan", "keywords", "marks")

    def __init__(self, tables: dict[str, Any]) -> None:
        patterns: dict[str, str] = tables["patterns"]
        self.keywords: dict[str, str] = tables["keywords"]
        self.marks: dict[str, str] = tables["marks"]
        marks = "|".join(re.escape(mark) for mark in sorted(self.marks, key=len, reverse=True))
        alternatives = [
            ("NAME", patterns["NAME"]),
            (NEWLINE, patterns[NEWLINE]),
            ("MARK", marks),
            *((name, patterns[name]) for name in _VALUES),
            *_LUMPS,
            (END, r"\Z"),
        ]
        groups = "|".join(f"(?P<{name.strip('$')}>{pattern})" for name, pattern in alternatives)
        space = patterns["SPACE"].removesuffix("+")
        self._scan = re.compile(f"{space}*+(?:{groups})").finditer

    def lex(self, source: Source) -> Lexed:
        """The tokens and comments of a whole text."""
        tokens: list[Token] = []
        comments: list[Comment] = []
        keyword, mark, add = self.keywords.get, self.marks, tokens.append
        separated = fresh = True  # the last token ends a statement; nothing but space stands on this line so far
        for match in self._scan(source.text):
            kind = match.lastgroup or ""
            text, end = match[kind], match.end()
            if kind == NEWLINE:
                if not separated:
                    add((NEWLINE, text, end - len(text), end))
                    separated = True
                fresh = fresh or "\n" in text
                continue
            if kind == "COMMENT":
                span = Span(source, end - len(text), end)
                comments.append(Comment(text.rstrip(), text.startswith("##"), fresh, span))
                continue
            if kind == "NAME":
                kind = keyword(text, "NAME")
            elif kind == "MARK":
                kind = mark[text]
            elif kind == "END":
                break
            elif kind in _SHORT:
                kind = "$" + kind
            elif len(text) > _MOST_DIGITS and kind in _NUMERIC:
                kind = BAD
            add((kind, text, end - len(text), end))
            separated = fresh = False
        length = len(source.text)
        add((END, "", length, length))
        return Lexed(tokens, comments)
