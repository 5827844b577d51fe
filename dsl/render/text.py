"""Diagnostics for people: the message, the source lines, a caret under the exact words, and how to mend it.

    error[RW203]: `latency(0.99)` is a time and `99%` is a share
      --> checkout.rollout:11:14
       |
    11 |   require latency(0.99) <= 99%
       |           ^^^^^^^^^^^^^    --- a share
       |           |
       |           a time
       |
       = help: compare it with a time, such as `500ms`

A diagnostic becomes *marks*: a range of one line, perhaps with words. Marks of one file are printed together, in the
order of the lines; of one line, together under it. A range over several lines is marked at its first and at its last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dsl.diagnostics import Diagnostic, Fix
from dsl.render.ansi import COLOURED, PLAIN, Palette
from dsl.render.cells import visible
from dsl.render.excerpt import Mark, excerpt
from dsl.source import Source, Span

LIMIT = 50


class _Frame(NamedTuple):
    """What the lines of one diagnostic have in common."""

    palette: Palette
    gutter: int
    width: int

    def line(self, number: str, body: str) -> str:
        bar = self.palette.paint(self.palette.frame, f"{number:>{self.gutter}} |")
        return f"{bar} {body}" if body else bar

    def place(self, arrow: str, name: str) -> str:
        return " " * self.gutter + self.palette.paint(self.palette.frame, arrow) + f" {name}"


def render(diagnostics: Sequence[Diagnostic], *, colour: bool = False, width: int = 100) -> str:
    """At most `LIMIT` diagnostics in full, and the count of the others."""
    palette = COLOURED if colour else PLAIN
    blocks = ["\n".join(_block(diagnostic, palette, width)) + "\n" for diagnostic in diagnostics[:LIMIT]]
    more = len(diagnostics) - LIMIT
    if more > 0:
        blocks.append(f"… and {more} more; `--format compact` lists them all\n")
    return "\n".join(blocks)


def _block(diagnostic: Diagnostic, palette: Palette, width: int) -> Iterator[str]:
    marks = _by_source(diagnostic)
    last = max(mark.line for _, _, of_source in marks for mark in of_source)
    frame = _Frame(palette, len(str(last)), width)
    style = palette.of(diagnostic.severity)
    head = palette.paint(style, f"{diagnostic.severity}[{diagnostic.code}]")
    yield head + palette.paint(palette.strong, f": {visible(diagnostic.message)}")
    for arrow, span, of_source in marks:
        position = span.begin
        yield frame.place(arrow, f"{visible(span.source.name)}:{position.line}:{position.column}")
        yield frame.line("", "")
        yield from _lines(span.source, of_source, frame, style)
    tail = list(_tail(diagnostic))
    if tail:
        yield frame.line("", "")
        yield from (_remark(frame, word, said) for word, said in tail)


def _by_source(diagnostic: Diagnostic) -> list[tuple[str, Span, list[Mark]]]:
    """The marks of each file, the primary one's first, with an arrow and the place to name above them."""
    groups: dict[int, tuple[str, Span, list[Mark]]] = {
        id(diagnostic.span.source): ("-->", diagnostic.span, list(_marks(diagnostic.span, diagnostic.note, True)))
    }
    for label in diagnostic.labels:
        group = groups.setdefault(id(label.span.source), (":::", label.span, []))
        group[2].extend(_marks(label.span, label.text, False))
    return list(groups.values())


def _marks(span: Span, words: str, primary: bool) -> Iterator[Mark]:
    begin, finish = span.begin, span.finish
    if finish.line > begin.line and finish.column == 1:
        finish = span.source.position(span.end - 1)
    if begin.line == finish.line:
        yield Mark(begin.line, begin.column, max(finish.column, begin.column), visible(words), primary)
        return
    end_of_first = len(span.source.line_text(begin.line)) + 1
    yield Mark(begin.line, begin.column, max(end_of_first, begin.column), "", primary)
    last = span.source.line_text(finish.line)
    indent = len(last) - len(last.lstrip()) + 1
    yield Mark(finish.line, min(indent, finish.column), finish.column, visible(words), primary)


def _lines(source: Source, marks: list[Mark], frame: _Frame, style: str) -> Iterator[str]:
    numbers = sorted({mark.line for mark in marks})
    before = numbers[0]
    for number in numbers:
        if number - before == 2:
            yield from _line(source, number - 1, [], frame, style)
        elif number - before > 2:
            yield frame.palette.paint(frame.palette.frame, "...")
        yield from _line(source, number, [mark for mark in marks if mark.line == number], frame, style)
        before = number


def _line(source: Source, number: int, marks: list[Mark], frame: _Frame, style: str) -> Iterator[str]:
    room = max(frame.width - frame.gutter - 3, 20)
    text, rows = excerpt(source.line_text(number), marks, room, frame.palette, style)
    yield frame.line(str(number), text)
    for row in rows:
        yield frame.line("", row)


def _tail(diagnostic: Diagnostic) -> Iterator[tuple[str, str]]:
    if diagnostic.help:
        yield "help", diagnostic.help
    for fix in diagnostic.fixes:
        if fix.safe:
            yield "fix", f"{fix.title} (`rollway lint --fix` does it)"
        elif not _told(fix, diagnostic.help):
            yield "fix", fix.title
    for note in diagnostic.notes:
        yield "note", note


def _told(fix: Fix, help: str) -> bool:
    """Whether the help has said it already: `did you mean X?`, and then `replace with X`."""
    return bool(fix.edits) and all(edit.text and f"`{edit.text}`" in help for edit in fix.edits)


def _remark(frame: _Frame, word: str, said: str) -> str:
    palette = frame.palette
    sign = palette.paint(palette.frame, " " * frame.gutter + " =")
    return f"{sign} {palette.paint(palette.strong, f'{word}:')} {visible(said)}"
