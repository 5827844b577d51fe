"""Protects `rollway explain`: the page, what the linter really says of it, and help for a code that is not there."""

from __future__ import annotations

import pytest

from dsl import catalogue
from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from rollway.explain import complete_codes


@pytest.mark.parametrize("code", catalogue.codes())
def test_a_page_shows_both_examples_and_what_is_said(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = catalogue.page(code)
    assert page is not None
    assert main(["explain", code]) == ExitCode.FINE
    shown = capsys.readouterr().out
    assert shown.startswith(f"{code} · {page.name} · {page.severity}\n")
    assert page.prose in shown
    assert f"  {page.severity}[{code}]: " in shown
    assert " --> example." in shown
    for policy in (page.wrong, page.right):
        assert "\n".join(f"  {line}" if line else "" for line in policy.rstrip().split("\n")) in shown


def test_capitals_do_not_matter(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "rw090"]) == ExitCode.FINE
    assert capsys.readouterr().out.startswith("RW090")


def test_all_codes_by_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == ExitCode.FINE
    lines = capsys.readouterr().out.splitlines()
    assert "RW0xx syntax" in lines
    assert [line.split()[0] for line in lines if line.startswith("  ")] == catalogue.codes()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("RW09O", "there is no code `RW09O`; did you mean `RW"),
        ("everything", "there is no code `everything`; `rollway explain` lists them all"),
    ],
)
def test_a_code_that_is_not_there(code: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", code]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith(f"rollway: {said}")


def test_codes_are_completed() -> None:
    assert "RW090" in complete_codes("rw09")
    assert complete_codes("X") == []
