"""Protects people from our insides: no name of a class, a terminal or a Python thing is ever in what they read.

Looked through are all messages of the pages and of the wrong examples, the pages themselves, and every help text. The
fuzz test does the same for each of its policies.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dsl import catalogue
from dsl.compiler import compile_source
from dsl.diagnostics import Diagnostic, Severity
from dsl.source import Source, Span
from rollway.__main__ import main
from rollway.commands import COMMANDS
from tests.leaks import leaks, leaks_of

ROOT = Path(__file__).resolve().parents[1]
WRONG = sorted((ROOT / "examples" / "wrong").glob("*.rollout"))


def diagnose(text: str) -> tuple[Diagnostic, ...]:
    return compile_source(Source("example.rollout", text)).diagnostics


@pytest.mark.parametrize("code", catalogue.codes())
def test_pages(code: str) -> None:
    page = catalogue.page(code)
    assert page is not None
    assert leaks([page.summary, page.prose], page.wrong + page.right) == []
    assert leaks_of(diagnose(page.wrong)) == []


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_wrong_examples(path: Path) -> None:
    assert leaks_of(diagnose(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help(name: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    main([*([name] if name else []), "--help"])
    shown = capsys.readouterr().out
    placeholders = "COMMAND DURATION FILE NAME PATH PERCENT RUN WHEN"
    assert leaks([shown.replace("[OPTIONS]", "").replace("[default: None]", "")], placeholders) == []


@pytest.mark.parametrize(
    "said",
    [
        "expected RBRACE",
        "unexpected Token('NAME', 'x')",
        "got a NoneType",
        "expected one of: _NL, NAME",
        "unexpected $END",
        "`x` is None",
        "one of ['a', 'b']",
        "KeyError: 'x'",
        "<class 'int'>",
        "Span(source=Source('x'))",
        "___commas{arg}_star_23",
        "AT_LEAST",
    ],
)
def test_a_leak_is_seen(said: str) -> None:
    assert leaks([said], "")


def test_the_readers_own_words_are_no_leak() -> None:
    source = Source("a.rollout", "let AT_LEAST = __x")
    own = Diagnostic("RW100", Severity.ERROR, "`AT_LEAST` and `__x`: use the right name", Span(source, 4, 12))
    assert leaks_of([own]) == []
