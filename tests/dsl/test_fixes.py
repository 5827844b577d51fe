"""Protects the applying of fixes: whole fixes only, safe ones only, and never two in one place."""

from __future__ import annotations

from dsl.diagnostics import Diagnostic, Edit, Fix, Severity
from dsl.fixes import Mended, apply, safe_fixes
from dsl.source import Source, Span

SOURCE = Source("a.rollout", "one two three")


def edit(start: int, end: int, text: str, source: Source = SOURCE) -> Edit:
    return Edit(Span(source, start, end), text)


def fix(*edits: Edit, safe: bool = True) -> Fix:
    return Fix("mend it", edits, safe)


def finding(*fixes: Fix) -> Diagnostic:
    return Diagnostic("RW100", Severity.ERROR, "wrong", Span(SOURCE, 0, 3), fixes=fixes)


def test_several_fixes_at_once() -> None:
    assert apply(SOURCE, [fix(edit(0, 3, "ONE")), fix(edit(8, 13, "3"), edit(4, 7, ""))]) == Mended("ONE  3", 2)


def test_insertions() -> None:
    assert apply(SOURCE, [fix(edit(3, 3, ",")), fix(edit(13, 13, "!"))]) == Mended("one, two three!", 2)


def test_of_two_that_overlap_the_first_is_taken_whole() -> None:
    assert apply(SOURCE, [fix(edit(0, 5, "A")), fix(edit(4, 7, "B"), edit(8, 13, "C"))]) == Mended("Awo three", 1)


def test_two_insertions_in_one_place_are_one_too_many() -> None:
    assert apply(SOURCE, [fix(edit(3, 3, "A")), fix(edit(3, 3, "B"))]) == Mended("oneA two three", 1)


def test_the_same_edit_of_two_fixes_is_made_once() -> None:
    both = edit(0, 3, "ONE")
    assert apply(SOURCE, [fix(both), fix(both, edit(4, 7, "TWO"))]) == Mended("ONE TWO three", 2)


def test_only_safe_fixes_of_this_source_are_chosen() -> None:
    other = Source("b.rollout", "x")
    good = fix(edit(0, 3, "ONE"))
    second = fix(edit(0, 3, "TWO"))
    found = [
        finding(fix(edit(4, 7, "no"), safe=False)),
        finding(fix(edit(0, 1, "no", other)), good, second),
        finding(fix()),
        finding(),
    ]
    assert safe_fixes(found, SOURCE) == [good]
