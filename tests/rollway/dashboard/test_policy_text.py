"""Marks in the policy's text: where the run is, and only where the text is still that of the run."""

from __future__ import annotations

from dsl.compiler import compile_source
from dsl.source import Source
from rollway.dashboard.policy_text import CHANGED, ELSEWHERE, PolicyText, marked, says
from tests.rollway.cluster import objects

TITLE = "checkout.rollout"
TEXT = objects.POLICY.format(name="checkout", namespace="shop")
PROGRAM = objects.program()


def marks(shown: PolicyText) -> dict[str, str]:
    return {line.text.strip(): line.mark.value for line in shown.lines if line.mark.value}


def test_the_lines_that_are_done_and_the_one_that_it_is_at() -> None:
    shown = marked(TITLE, TEXT, PROGRAM, frozenset(range(6)), 6)
    assert marks(shown) == {"ramp 10% to 50% by 20%": "done", "wait for approval": "now"}
    assert [line.text for line in shown.lines] == TEXT.splitlines()
    assert not shown.note


def test_within_a_statement_the_present_goes_before_what_is_done() -> None:
    assert marks(marked(TITLE, TEXT, PROGRAM, frozenset({0, 1}), 2)) == {"ramp 10% to 50% by 20%": "now"}


def test_a_text_that_has_been_changed_has_no_marks_and_says_so() -> None:
    changed = TEXT.replace("by 20%", "by 10%")
    shown = marked(TITLE, changed, PROGRAM, frozenset(range(6)), 6)
    assert not marks(shown)
    assert shown.note == CHANGED


def test_a_change_elsewhere_in_the_text_does_not_matter_as_long_as_the_lines_stay() -> None:
    shown = marked(TITLE, TEXT.replace("99%", "98%"), PROGRAM, frozenset(), 6)
    assert marks(shown) == {"wait for approval": "now"}
    assert marked(TITLE, f"\n{TEXT}", PROGRAM, frozenset(), 6).note == CHANGED


def test_steps_of_a_library_have_no_line_here() -> None:
    assert marked("another.rollout", TEXT, PROGRAM, frozenset(), 6).note == ELSEWHERE


def test_of_a_line_with_many_steps_only_the_present_one_is_marked() -> None:
    steps = "steps { pause 1m; pause 2m; promote }"
    line = f"rollout web in shop {{ target deployment/web; service {{ port 80 }}; traffic kubernetes; {steps} }}"
    made = compile_source(Source("web.rollout", f"{line}\n"), lint=False)
    assert not made.has_errors, made.diagnostics
    shown = marked("web.rollout", f"{line}\n", made.rollouts[0].program, frozenset({0}), 1)
    before, now, behind = shown.lines[0].pieces
    assert now == "pause 2m"
    assert before + now + behind == line


def test_a_text_that_is_shorter_than_the_program_remembers() -> None:
    assert not says(["steps {"], PROGRAM.spans[0])
    assert not says([], PROGRAM.spans[0])


def test_without_a_program_the_text_is_as_it_is() -> None:
    shown = marked(TITLE, TEXT, None, frozenset(), None)
    assert (marks(shown), shown.note) == ({}, "")
