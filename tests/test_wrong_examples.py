"""Protects the messages themselves: what is printed for each of `examples/wrong/`, word by word.

After a change of wording that is meant, read the new texts and write them down with

    UPDATE_GOLDEN=1 python -m pytest tests/test_wrong_examples.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dsl.compiler import compile_source
from dsl.diagnostics import Severity
from dsl.render.text import render
from dsl.source import Source

ROOT = Path(__file__).resolve().parents[1]
WRONG = sorted((ROOT / "examples" / "wrong").glob("*.rollout"))
GOLDEN = Path(__file__).parent / "golden" / "wrong"


def printed(path: Path) -> str:
    source = Source(f"examples/wrong/{path.name}", path.read_text(encoding="utf-8"))
    return render(compile_source(source).diagnostics)


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_the_messages(path: Path) -> None:
    golden = GOLDEN / f"{path.stem}.txt"
    said = printed(path)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_each_shows_its_range(path: Path) -> None:
    source = Source(path.name, path.read_text(encoding="utf-8"))
    found = compile_source(source).diagnostics
    ranges = {diagnostic.code[:3] for diagnostic in found}
    if path.stem == "several":
        assert len(ranges) >= 4
    else:
        assert path.stem[:3].upper() in ranges
        assert any(one.severity is not Severity.HINT for one in found) or path.stem.startswith("rw7")


def test_there_is_one_for_each_range() -> None:
    assert [path.stem[:3] for path in WRONG] == [*(f"rw{digit}" for digit in range(9)), "sev"]


def test_no_text_is_left_over() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == [path.stem for path in WRONG]
