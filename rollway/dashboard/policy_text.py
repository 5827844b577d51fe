"""The policy's text with the place of the run in it. Pure.

A run carries out the Program that it began with; the text beside it may have been changed since. So a mark is made only
where the text still says, at the place that the Program remembers, what the Program remembers; otherwise the text is
shown as it is, with a word about that. A step that comes from a library (a strategy) has no line of its own here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import NamedTuple

from dsl.ir import Program, Span


class Mark(StrEnum):
    """What a line has to do with the run."""

    PLAIN = ""
    DONE = "done"
    NOW = "now"


class TextLine(NamedTuple):
    """One line, counted from 1. `now` is the part that is the present step, as columns from 0; empty if none is."""

    number: int
    text: str
    mark: Mark = Mark.PLAIN
    now: slice = slice(0, 0)

    @property
    def pieces(self) -> tuple[str, str, str]:
        """What stands before the present step, the step, and what stands behind it."""
        return self.text[: self.now.start], self.text[self.now], self.text[self.now.stop :]


class PolicyText(NamedTuple):
    """`title` says where the text stands; `note` what is to be known about it, and may be empty."""

    title: str
    lines: tuple[TextLine, ...]
    note: str = ""


CHANGED = "The text has changed since this run began; the run goes on with what it began with, shown under Steps."
ELSEWHERE = "The steps of this run come from a library that the text names; they are shown under Steps."


def marked(title: str, text: str, program: Program | None, done: Collection[int], here: int | None) -> PolicyText:
    """A text with the lines marked of the instructions that are `done`, and of the one that the run is at (`here`);
    both count from 0."""
    lines = text.splitlines()
    plain = tuple(TextLine(number, line) for number, line in enumerate(lines, 1))
    if program is None or not program.spans:
        return PolicyText(title, plain)
    own = [span for span in dict.fromkeys(program.spans) if span.file == title]
    if not own:
        return PolicyText(title, plain, ELSEWHERE)
    if not all(says(lines, span) for span in own):
        return PolicyText(title, plain, CHANGED)
    marks = _marks(program.spans, title, done, here)
    at = program.spans[here] if here is not None and 0 <= here < len(program.spans) else None
    return PolicyText(
        title,
        tuple(line._replace(mark=marks.get(line.number, Mark.PLAIN), now=_part(line, at, marks)) for line in plain),
    )


def says(lines: list[str], span: Span) -> bool:
    """Whether a text has at the place of a span what the span says, but for its spaces."""
    if not 1 <= span.line <= span.end_line <= len(lines):
        return False
    piece = lines[span.line - 1 : span.end_line]
    piece[-1] = piece[-1][: span.end_column - 1]
    piece[0] = piece[0][span.column - 1 :]
    return " ".join("\n".join(piece).split()) == span.text


def _marks(spans: tuple[Span, ...], title: str, done: Collection[int], here: int | None) -> Mapping[int, Mark]:
    """The marks by line; the present step goes before what is done on the same line."""
    marks: dict[int, Mark] = {}
    for pcs, mark in ((done, Mark.DONE), ((here,), Mark.NOW)):
        for span in (spans[pc] for pc in pcs if pc is not None and 0 <= pc < len(spans)):
            if span.file == title:
                marks |= dict.fromkeys(range(span.line, span.end_line + 1), mark)
    return marks


def _part(line: TextLine, at: Span | None, marks: Mapping[int, Mark]) -> slice:
    """The columns of a line that are the present step."""
    if at is None or marks.get(line.number) is not Mark.NOW:
        return slice(0, 0)
    begin = at.column - 1 if line.number == at.line else len(line.text) - len(line.text.lstrip())
    return slice(begin, at.end_column - 1 if line.number == at.end_line else len(line.text))
