"""Applying fixes to a text. Pure; who writes the text where is the caller's business.

Only whole fixes are applied: one of whose edits overlaps with a fix that came earlier is left for the next round, when
the text has been looked at afresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dsl.diagnostics import Diagnostic, Edit, Fix
from dsl.source import Source


class Mended(NamedTuple):
    """The text after, and how many fixes went into it."""

    text: str
    applied: int


def safe_fixes(diagnostics: Iterable[Diagnostic], source: Source) -> list[Fix]:
    """For each diagnostic its first safe fix, of those that change nothing but this source."""
    chosen: list[Fix] = []
    for diagnostic in diagnostics:
        own = (fix for fix in diagnostic.fixes if fix.safe and _stays_in(fix, source))
        chosen.extend(fix for fix in [next(own, None)] if fix is not None)
    return chosen


def apply(source: Source, fixes: Iterable[Fix]) -> Mended:
    """The text with the fixes in it, as many as do not overlap."""
    taken: list[Edit] = []
    count = 0
    for fix in fixes:
        fresh = [edit for edit in fix.edits if edit not in taken]
        if not any(_overlap(edit, other) for edit in fresh for other in taken):
            taken.extend(fresh)
            count += 1
    text = source.text
    for edit in sorted(taken, key=lambda edit: (edit.span.start, edit.span.end), reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return Mended(text, count)


def _stays_in(fix: Fix, source: Source) -> bool:
    return bool(fix.edits) and all(edit.span.source.name == source.name for edit in fix.edits)


def _overlap(one: Edit, other: Edit) -> bool:
    if one.span.start == other.span.start:
        return True
    first, second = sorted((one.span, other.span), key=lambda span: span.start)
    return second.start < first.end
