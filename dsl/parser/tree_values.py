"""Tokens to leaves of the tree: what a literal is worth."""

from __future__ import annotations

import re
from collections.abc import Callable

from dsl.source import Span
from dsl.syntax import BadExpr, Bool, Clock, Duration, Name, Number, Percent, String

UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "n": "\n", "t": "\t", "r": "\r"}

_DURATION_PART = re.compile(r"([0-9]+)([a-z]+)")
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def duration_ms(text: str) -> int:
    """`1h30m` in milliseconds."""
    return sum(int(amount) * UNIT_MS[unit] for amount, unit in _DURATION_PART.findall(text))


def unescape(text: str) -> str:
    """The inside of a quoted string with its escapes resolved; an escape that is none stays as it is written."""
    return _ESCAPE.sub(_escaped, text) if "\\" in text else text


def _escaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 5:
        return chr(int(code[1:], 16))
    return ESCAPES.get(code, match[0])


def bad_escapes(text: str) -> list[tuple[int, int]]:
    """Where a quoted string holds a backslash that means nothing: offsets from the start of `text`."""
    return [m.span() for m in _ESCAPE.finditer(text) if len(m[1]) == 1 and m[1] not in ESCAPES]


def dedent(text: str) -> str:
    '''The inside of a `"""` string: without its first newline, the indentation all lines share, and a blank last line.

    A line that holds nothing but space counts for no indentation. Text on the line of the opening quotes stays.
    '''
    if "\n" not in text:
        return text
    head, *lines = text.replace("\r\n", "\n").split("\n")
    margin = common_margin(lines)
    lines = [line[len(margin) :] if line.strip() else "" for line in lines]
    if not lines[-1]:
        lines.pop()
    return "\n".join(lines if not head.strip() else [head, *lines])


def common_margin(lines: list[str]) -> str:
    """The white space that every line with anything on it begins with."""
    margins = [line[: len(line) - len(line.lstrip())] for line in lines if line.strip()]
    if not margins:
        return ""
    low, high = min(margins), max(margins)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[:same]


def _number(text: str, span: Span) -> Number | BadExpr:
    """A number without text is one that the parser put in where a value is missing."""
    return Number(float(text), span) if text else BadExpr(span)


def _percent(text: str, span: Span) -> Percent:
    return Percent(float(text[:-1]), span)


def _duration(text: str, span: Span) -> Duration:
    return Duration(duration_ms(text), span)


def _clock(text: str, span: Span) -> Clock:
    hours, minutes = text.split(":")
    return Clock(int(hours) * 60 + int(minutes), span)


def _string(text: str, span: Span) -> String:
    return String(unescape(text[1:-1]), False, span)


def _raw_string(text: str, span: Span) -> String:
    return String(dedent(text[3:-3]), True, span)


def _bool(text: str, span: Span) -> Bool:
    return Bool(text == "true", span)


def _mark(text: str, _: Span) -> str:
    return text


MAKERS: dict[str, Callable[[str, Span], object]] = {
    "NUMBER": _number,
    "PERCENT": _percent,
    "DURATION": _duration,
    "CLOCK": _clock,
    "STRING": _string,
    "RAW_STRING": _raw_string,
    "TRUE": _bool,
    "FALSE": _bool,
}


def leaf_makers(kept: set[str], marks: set[str]) -> dict[str, Callable[[str, Span], object]]:
    """What each terminal that the tree keeps turns into: a value, the text of a mark, or the name of a word."""
    return {kind: MAKERS.get(kind) or (_mark if kind in marks else Name) for kind in kept}
