"""Places inside a string: from an index into its value to an offset into the text it was written in."""

from __future__ import annotations

from dsl.parser.tree_values import common_margin
from dsl.source import Span
from dsl.syntax import String


def span_in(string: String, start: int, end: int) -> Span:
    """The place in the text of `string.value[start:end]`, at least one character of it."""
    begin = offset_in(string, start)
    finish = offset_in(string, end - 1) + 1 if end > start else begin
    low, high = string.span.start, string.span.end
    return Span(string.span.source, max(low, min(begin, high)), max(low, min(max(finish, begin), high)))


def offset_in(string: String, index: int) -> int:
    """Where in its source the character `index` of a string's value stands."""
    if string.raw:
        return string.span.start + 3 + _raw_offset(string.span.text[3:-3], index)
    return string.span.start + 1 + _quoted_offset(string.span.text[1:-1], index)


def _quoted_offset(text: str, index: int) -> int:
    if "\\" not in text:
        return index
    at = 0
    for _ in range(index):
        if at >= len(text):
            break
        if text[at] != "\\":
            at += 1
        elif text[at + 1 : at + 2] == "u" and _is_hex(text[at + 2 : at + 6]):
            at += 6
        else:
            at += _unknown_or_known(text[at + 1 : at + 2])
    return at


def _is_hex(text: str) -> bool:
    return len(text) == 4 and all(c in "0123456789abcdefABCDEF" for c in text)


def _unknown_or_known(code: str) -> int:
    """Two for an escape; one for a backslash that is none, which stays in the value together with what follows."""
    return 2 if code in ('"', "\\", "/", "n", "t", "r") else 1


def _raw_offset(text: str, index: int) -> int:
    """As `dedent` of the parser works: no first newline, no shared indentation, lines of nothing but space empty."""
    if "\n" not in text:
        return index
    head, *lines = text.split("\n")
    margin = len(common_margin([line.rstrip("\r") for line in lines]))
    at, left = 0, index
    if head.strip():
        if left <= len(head.rstrip("\r")):
            return left
        left -= len(head.rstrip("\r")) + 1
    at = len(head) + 1
    for line in lines:
        plain = line.rstrip("\r")
        length = max(0, len(plain) - margin) if plain.strip() else 0
        if left <= length:
            return at + margin + left if plain.strip() else at + len(plain)
        left -= length + 1
        at += len(line) + 1
    return len(text)
