"""What must never reach a person: names of our classes, of the grammar's terminals, of Python's own things.

A word that stands in the policy itself is the reader's own and no leak, wherever a message repeats it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from dsl.diagnostics import Diagnostic

TABLES = Path(__file__).resolve().parents[1] / "grammar" / "tables.json"

INTERNAL = re.compile(
    r"""
      \b[A-Z]{3,}_[A-Z]\w*              # a terminal, a constant
    | (?<!\w)__+[a-z]\w*               # a generated rule, a dunder
    | \b[A-Z]\w*\(                      # the repr of one of our tuples: Token(, Span(, Name(text=
    | \b\w+=<                           # a part of one
    | NoneType | <class | <function | <lambda | \bobject\ at\ 0x | Traceback | frozenset\( | \bdict_\w+\(
    | \b[A-Z]\w*(?:Error|Exception|Warning)\b
    | \[' | ',\ ' | \('                 # the repr of a list or a tuple
    | \b(?:None|True|False)\b
    | \bself\b
    """,
    re.VERBOSE,
)


@cache
def terminals() -> re.Pattern[str]:
    """The names of the grammar's terminals."""
    symbols: list[str] = json.loads(TABLES.read_text(encoding="utf-8"))["symbols"]
    names = [name for name in symbols if re.fullmatch(r"_?[A-Z][A-Z0-9_]+|\$END", name) and len(name) > 1]
    return re.compile(r"(?<![\w$])(?:" + "|".join(re.escape(name) for name in names) + r")(?!\w)")


def said(diagnostic: Diagnostic) -> Iterator[str]:
    """All that a diagnostic says, other than the policy's own lines."""
    yield diagnostic.message
    yield diagnostic.note
    yield diagnostic.help
    yield from diagnostic.notes
    yield from (label.text for label in diagnostic.labels)
    yield from (fix.title for fix in diagnostic.fixes)


def leaks(texts: Iterable[str], policy: str) -> list[str]:
    """Every internal name in the texts."""
    found = []
    for text in texts:
        for pattern in (INTERNAL, terminals()):
            found += [f"{hit[0]!r} in {text!r}" for hit in pattern.finditer(text) if hit[0] not in policy]
    return found


def leaks_of(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """Every internal name in what the diagnostics say."""
    return [one for diagnostic in diagnostics for one in leaks(said(diagnostic), diagnostic.span.source.text)]
