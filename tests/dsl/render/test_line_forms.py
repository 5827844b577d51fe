"""Protects the forms that other programs read line by line: compact, and GitHub's workflow commands."""

from __future__ import annotations

from dsl.diagnostics import Diagnostic, Severity
from dsl.render import Form, compact, github, render
from dsl.source import Source, Span


def test_compact_is_what_editors_parse(units: Diagnostic, warning: Diagnostic, hint: Diagnostic) -> None:
    assert compact.render([units, warning, hint]) == (
        "checkout.rollout:3:13: error RW203: `latency(0.99)` is a time and `99%` is a share\n"
        "checkout.rollout:2:3: warning RW301: nothing is tolerated\n"
        "checkout.rollout:1:9: hint RW701: the name says little\n"
    )


def test_compact_is_one_line_whatever_the_message() -> None:
    source = Source("a\nb.rollout", "x")
    odd = Diagnostic("RW100", Severity.ERROR, "one\ntwo", Span(source, 0, 1))
    assert compact.render([odd]).count("\n") == 1


def test_github_annotations(units: Diagnostic, warning: Diagnostic, hint: Diagnostic) -> None:
    assert github.render([units, warning, hint]) == (
        "::error file=checkout.rollout,line=3,endLine=3,col=13,endColumn=25,title=RW203"
        "::`latency(0.99)` is a time and `99%25` is a share%0Ahelp: compare it with a time, such as `500ms`\n"
        "::warning file=checkout.rollout,line=2,endLine=4,title=RW301::nothing is tolerated\n"
        "::notice file=checkout.rollout,line=1,endLine=1,col=9,endColumn=16,title=RW701::the name says little\n"
    )


def test_github_commands_cannot_be_forged_by_a_name() -> None:
    source = Source("a,b:c%\n::error::x.rollout", "x")
    odd = Diagnostic("RW100", Severity.ERROR, "a\r\n::warning::b", Span(source, 0, 1))
    assert github.render([odd]) == (
        "::error file=a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ax.rollout,line=1,endLine=1,col=1,endColumn=1,title=RW100"
        "::a%0D%0A::warning::b\n"
    )


def test_every_form_can_be_had_by_name(units: Diagnostic) -> None:
    for form in Form:
        printed = render(form, [units], ["checkout.rollout"])
        assert "RW203" in printed, form
        assert printed.endswith("\n"), form


def test_colours_are_for_text_alone(units: Diagnostic) -> None:
    coloured = {form for form in Form if "\x1b" in render(form, [units], ["checkout.rollout"], colour=True)}
    assert coloured == {Form.TEXT}
