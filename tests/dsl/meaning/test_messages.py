"""Protects what people read: for every policy in `cases/`, each message with its code, the words underlined, the note,
the labels, the help, and the line as each fix leaves it. Beside each case stands what is expected (`.expected`).

To write the expectations anew after a change of wording, and then to read the difference:

    REGENERATE=1 pytest tests/dsl/meaning/test_messages.py
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsl.compiler import compile_source
from dsl.diagnostics import Diagnostic, Fix, Severity
from dsl.source import Source, Span

CASES = sorted(Path(__file__).with_name("cases").glob("*.rollout"))
OWN = re.compile(r"RW(1|2|30|31|32)")


def at(span: Span) -> str:
    where = f"{span.begin.line}:{span.begin.column}"
    return where if span.source.name == "case.rollout" else f"{span.source.name}:{where}"


def fixed(fix: Fix) -> str:
    """The lines that a fix touches, as it leaves them."""
    source = fix.edits[0].span.source
    text = source.text
    first = fix.edits[0].span.begin.line
    for edit in sorted(fix.edits, key=lambda e: e.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text.splitlines()[first - 1].strip()


def told(one: Diagnostic) -> Iterator[str]:
    yield f"{one.code} {at(one.span)} `{one.span.text}`"
    yield f"    {one.message}"
    if one.note:
        yield f"    ^ {one.note}"
    for label in one.labels:
        yield f"    {at(label.span)} `{label.span.text}`: {label.text}"
    if one.help:
        yield f"    = {one.help}"
    for fix in one.fixes:
        yield f"    > {fixed(fix)}"


def report(text: str) -> str:
    compilation = compile_source(Source("case.rollout", text), lint=False)
    lines = [line for one in compilation.diagnostics for line in told(one)]
    names = [rollout.program.name for rollout in compilation.rollouts]
    return "\n".join([*lines, f"rollouts: {', '.join(names) or 'none'}"]) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_case_is_told_as_expected(case: Path) -> None:
    expected = case.with_suffix(".expected")
    found = report(case.read_text(encoding="utf-8"))
    if os.environ.get("REGENERATE"):
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")


def test_the_cases_show_every_code_of_names_types_and_steps() -> None:
    pages = Path(__file__).resolve().parents[3] / "dsl" / "pages"
    owned = {page.stem for page in pages.glob("RW*.md") if OWN.match(page.stem)}
    shown = {
        code for case in CASES for code in re.findall(r"^RW\d{3}", case.with_suffix(".expected").read_text(), re.M)
    }
    assert owned - shown == {"RW104", "RW105", "RW106", "RW107"}, "what imports need more than one file for"


def diagnostics() -> Iterator[Diagnostic]:
    for case in CASES:
        yield from compile_source(Source("case.rollout", case.read_text(encoding="utf-8")), lint=False).diagnostics


def test_every_message_is_in_the_house_style() -> None:
    for one in diagnostics():
        for text in (one.message, one.note, one.help, *(label.text for label in one.labels)):
            assert "\n" not in text
            assert not text.endswith(".")
            assert not text[:1].isupper(), text
            assert not re.search(r"\b(None|NoneType|Token|Dim|Type|UNKNOWN)\b", text), text
            assert type(text) is str
        assert one.severity is Severity.ERROR
        assert one.message.count("`") % 2 == 0, one.message
