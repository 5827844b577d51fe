"""Columns: values of neighbouring statements, braces of neighbouring one-line blocks, comments behind lines.

Neighbours are statements on following lines; an empty line parts them, and so does a statement of several lines, which
still takes part with its first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

_OPENERS = {"{", "[", "("}


class Printed(NamedTuple):
    """The lines of an entry of a block, before anything is set in columns.

    `behind` is the comment behind it, `gap` that an empty line stands before it. Of a statement, `head` is the text
    before its value, `simple` that this is one word, and `brace` where on its only line its last block begins.
    """

    lines: list[str]
    behind: str
    gap: bool
    head: str = ""
    simple: bool = False
    brace: int = -1

    @property
    def is_statement(self) -> bool:
        return bool(self.head)

    @property
    def value(self) -> str:
        """What stands behind the head on the first line."""
        line = self.lines[0].lstrip()
        return line[len(self.head) :].lstrip()


def aligned(entries: list[Printed], margin: str, *, braces: bool, values: bool) -> Iterator[str]:
    """The lines of a block, in columns where `braces` and `values` say so."""
    entries = list(entries)
    if braces:
        for run in list(_brace_runs(entries)):
            _set_braces(entries, run)
    if values:
        for run in list(_value_runs(entries)):
            _set_values(entries, run, margin)
    behind = dict(_comments(entries))
    for index, entry in enumerate(entries):
        if entry.gap:
            yield ""
        yield from entry.lines[:-1]
        yield entry.lines[-1] + behind.get(index, "")


# --- braces -----------------------------------------------------------------------------------------------------


def _brace_runs(entries: list[Printed]) -> Iterator[list[int]]:
    """Neighbours that begin with the same word and end with a block on the same line."""
    run: list[int] = []
    for index, entry in enumerate(entries):
        fits = entry.brace >= 0 and len(entry.lines) == 1
        if run and (not fits or entry.gap or _first_word(entry) != _first_word(entries[run[-1]])):
            yield run
            run = []
        if fits:
            run.append(index)
    yield run


def _first_word(entry: Printed) -> str:
    return entry.head.split(" ", 1)[0]


def _set_braces(entries: list[Printed], run: list[int]) -> None:
    if len(run) < 2:
        return
    column = max(entries[index].brace for index in run)
    for index in run:
        entry = entries[index]
        line = entry.lines[0]
        line = line[: entry.brace].ljust(column) + line[entry.brace :]
        entries[index] = entry._replace(lines=[line], simple=False, head=line[:column].strip())


# --- values -----------------------------------------------------------------------------------------------------


def _value_runs(entries: list[Printed]) -> Iterator[list[int]]:
    """Neighbours, up to and with the first that takes several lines. One whose block or bracket begins right behind its
    head and ends on a later line stands for itself."""
    run: list[int] = []
    for index, entry in enumerate(entries):
        alone = not entry.is_statement or (len(entry.lines) > 1 and entry.value[:1] in _OPENERS)
        if run and (entry.gap or (alone and entry.is_statement)):
            yield run
            run = []
        if not alone:
            run.append(index)
        if len(entry.lines) > 1:
            yield run
            run = []
    yield run


def _set_values(entries: list[Printed], run: list[int], margin: str) -> None:
    """One-word heads make the column; phrases go by it if they are short enough."""
    with_values = [entries[index] for index in run if entries[index].value]
    column = max((len(entry.head) for entry in with_values if entry.simple), default=0)
    for index in run:
        entry = entries[index]
        if entry.value and len(entry.head) <= column:
            line = f"{margin}{entry.head.ljust(column)} {entry.value}"
            entries[index] = entry._replace(lines=[line, *entry.lines[1:]])


# --- comments ---------------------------------------------------------------------------------------------------


def _comments(entries: list[Printed]) -> Iterator[tuple[int, str]]:
    """What to add behind the last line of each entry with a comment; neighbours share a column."""
    run: list[int] = []
    for index, entry in enumerate(entries):
        if run and (not entry.behind or entry.gap or len(entry.lines) > 1):
            yield from _in_column(entries, run)
            run = []
        if entry.behind:
            run.append(index)
    yield from _in_column(entries, run)


def _in_column(entries: list[Printed], run: Iterable[int]) -> Iterator[tuple[int, str]]:
    column = max((len(entries[index].lines[-1]) for index in run), default=0)
    for index in run:
        entry = entries[index]
        yield index, " " * (column - len(entry.lines[-1]) + 2) + entry.behind
