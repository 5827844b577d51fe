"""Protects the road from grammar to tables: current, the same everywhere, without conflicts, and named for people."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import grammar
from dsl.parser.tables import automaton
from dsl.parser.words import ITEMS, friendly
from grammar import GRAMMAR, TABLES, StaleTables
from grammar.build import build, main, render

TEXT = Path(GRAMMAR).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    return build(TEXT, strict=True)  # strict: a conflict, or two terminals for one text, is an error


def test_the_tables_are_current(tables: dict[str, Any]) -> None:
    assert render(tables) == Path(TABLES).read_text(encoding="utf-8"), "run `python -m grammar.build`"


def test_the_tables_do_not_depend_on_the_order_of_sets() -> None:
    printed = "import sys; from grammar import GRAMMAR; from grammar.build import *; " + (
        "sys.stdout.write(render(build(open(GRAMMAR, encoding='utf-8').read())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", printed],
        capture_output=True,
        check=True,
        encoding="utf-8",
        cwd=Path(GRAMMAR).parents[1],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
    )
    assert done.stdout == Path(TABLES).read_text(encoding="utf-8")


def test_a_conflict_is_an_error() -> None:
    dangling = TEXT.replace('if: "if" condition', 'if: "if" condition "if" [condition] condition | "if" condition')
    assert dangling != TEXT
    with pytest.raises(Exception, match=r"(?i)conflict|collision|reduce"):
        build(dangling, strict=True)


def test_every_terminal_is_named() -> None:
    machine = automaton()
    symbols = {symbol for row in machine.rows for symbol in row if symbol.isupper() or symbol in ("_NL", "$END")}
    assert not [symbol for symbol in symbols if "__ANON" in symbol]
    for symbol in symbols:
        name = friendly(machine, symbol)
        assert name.startswith("`") or (name[0].islower() and "_" not in name)


def test_every_block_says_what_it_holds() -> None:
    held = {symbol[6:-1] for row in automaton().rows for symbol in row if symbol.startswith("block{")}
    assert held == ITEMS.keys() - {"declaration"}


def test_every_rule_has_its_node() -> None:
    origins = {rule.origin for rule in automaton().rules}
    assert {"rollout", "step", "condition", "file"} <= origins  # an unknown one would not have loaded


def test_changed_grammar_with_old_tables_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "rollout.lark"
    changed.write_text(TEXT + "// more\n", encoding="utf-8")
    monkeypatch.setattr(grammar, "GRAMMAR", str(changed))
    with pytest.raises(StaleTables, match=r"python -m grammar\.build"):
        grammar.load()
    monkeypatch.setattr(grammar, "TABLES", str(tmp_path / "tables.json"))
    with pytest.raises(StaleTables, match="missing"):
        grammar.load()


def test_check_tells_without_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"]) == 0
    target = tmp_path / "tables.json"
    monkeypatch.setattr("grammar.build.TABLES", str(target))
    assert main(["--check"]) == 1
    assert not target.exists()
    assert "stale" in capsys.readouterr().out
    assert main([]) == 0
    assert target.read_text(encoding="utf-8") == Path(TABLES).read_text(encoding="utf-8")
