"""Protects the catalogue of codes: each page's examples are run, so that no page can say what the linter does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dsl import catalogue
from dsl.catalogue import Page
from dsl.diagnostics import Diagnostic, Severity
from rollway.explain import findings

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"""["'](RW\d{3})["']""")
EMITTERS = [*(ROOT / "dsl").rglob("*.py"), ROOT / "rollway" / "inputs.py"]


def emitted() -> set[str]:
    """The codes that stand in the sources of whatever makes diagnostics."""
    return {code for path in EMITTERS for code in CODE.findall(path.read_text(encoding="utf-8"))}


def page_of(code: str) -> Page:
    page = catalogue.page(code)
    assert page is not None
    return page


def told(diagnostics: list[Diagnostic]) -> list[str]:
    return [f"{one.code} {one.severity} at {one.span.begin.line}: {one.message}" for one in diagnostics]


@pytest.mark.parametrize("code", catalogue.codes())
def test_the_wrong_example_yields_its_code_and_nothing_else(code: str) -> None:
    page = page_of(code)
    found = findings(page, page.wrong)
    wanted = [one for one in found if one.code == code]
    assert wanted, told(found)
    assert {one.severity for one in wanted} == {page.severity}, told(wanted)
    others = [one for one in found if one.code != code and one.severity is not Severity.HINT]
    assert not others, told(others)


@pytest.mark.parametrize("code", catalogue.codes())
def test_the_right_example_yields_nothing(code: str) -> None:
    page = page_of(code)._replace(encoding="utf-8")
    grave = [one for one in findings(page, page.right) if one.severity is not Severity.HINT or one.code == code]
    assert not grave, told(grave)


@pytest.mark.parametrize("code", catalogue.codes())
def test_a_page_reads_well(code: str) -> None:
    page = page_of(code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", page.name)
    assert page.summary[:1] == page.summary[:1].lower() or page.summary[1:2].isupper()
    assert not page.summary.endswith(".")
    assert len(page.prose) > 40
    assert page.wrong != page.right or page.encoding != "utf-8"


def test_every_code_has_a_page() -> None:
    assert sorted(emitted() - set(catalogue.codes())) == []


def test_every_page_has_a_code_that_can_occur() -> None:
    assert sorted(set(catalogue.codes()) - emitted()) == []


def test_no_two_pages_have_one_name() -> None:
    names = [page_of(code).name for code in catalogue.codes()]
    assert sorted(names) == sorted(set(names))


def test_every_range_is_used() -> None:
    assert {code[2] for code in catalogue.codes()} == set(catalogue.RANGES)
