"""What the tools have to say about a text: one model, rendered elsewhere as text, JSON, SARIF and the rest.

The standard of wording: lower-case start, no final stop, one line, the reader's words in back-ticks, what is wrong
rather than what the parser wanted. How to mend it goes into `help`; a mend that can be written down goes into `fixes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from dsl.source import Span


class Severity(StrEnum):
    """How much it matters. Only errors and warnings are findings; hints are shown when asked for."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


class Label(NamedTuple):
    """A second place that belongs to the story, with what to say about it."""

    span: Span
    text: str


class Edit(NamedTuple):
    """Replace what is in `span` by `text`; an empty span inserts."""

    span: Span
    text: str


class Fix(NamedTuple):
    """A mend as text edits. `safe` means that it cannot change what the author meant."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = False


class Diagnostic(NamedTuple):
    """One finding.

    `code` is `RWnnn` and has a page (`rollway explain RWnnn`). `note` is what to say at the primary span itself,
    `help` says what to do, `notes` add facts.
    """

    code: str
    severity: Severity
    message: str
    span: Span
    note: str = ""
    labels: tuple[Label, ...] = ()
    help: str = ""
    notes: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by file, place and code, each once."""
    unique = {(d.span.source.name, d.span.start, d.code, d.message): d for d in diagnostics}
    return [unique[key] for key in sorted(unique)]
