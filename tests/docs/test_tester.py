"""What the page about the tester says there is, is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interpreter.tester.allowed import LINES, TOOLS
from interpreter.tester.application import MOST_BODY
from interpreter.tester.guard import VERBS, Act
from interpreter.tester.kinds.load import DEFAULT_CONCURRENCY, DEFAULT_SECONDS
from interpreter.tester.kinds.registry import ELSEWHERE, KINDS
from interpreter.tester.metrics import Metrics
from interpreter.tester.tasks import FRESH_MS, Limits
from rollway.__main__ import main

PAGE = (Path(__file__).parents[2] / "docs/reference/tester.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_column(title: str) -> set[str]:
    rows = re.findall(r"^\| (.*?) \|", section(title), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_types() -> None:
    assert first_column("Types of tasks") >= set(KINDS)
    assert all(f"`{kind}`" in section("Types of tasks") for kind in ELSEWHERE)
    assert f"| `{DEFAULT_SECONDS:g}s` |" in section("Types of tasks")
    assert f"workers, connections or users | {DEFAULT_CONCURRENCY} |" in section("Types of tasks")


def test_programs() -> None:
    text = section("Command lines").replace("\n", " ")
    assert ", ".join(sorted(LINES)) in text
    assert ", ".join(sorted(TOOLS)) in text


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    main(["tester", "--help"])
    options = set(re.findall(r"^ +(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    said = {name.split()[0] for name in first_column("Options") if name.startswith("--")}
    assert said == options - {"--kubeconfig", "--context", "--log-format", "--log-level", "--help"}


def test_bounds() -> None:
    limits = Limits()
    assert f"{MOST_BODY // 1024} KiB at most" in PAGE
    assert f"at once; {limits.most_running} |" in PAGE
    assert f"{limits.kept_bytes // 1024}. The last {limits.kept_tasks} tasks" in PAGE
    assert FRESH_MS == 300_000
    assert "within five minutes" in PAGE


def test_verbs() -> None:
    rows = dict(re.findall(r"^\| (.*?) \| `(approve|abort|get)`", section("Options"), re.MULTILINE))
    assert set(rows.values()) == {"get" if verb == "view" else verb for verb in VERBS.values()}
    assert (VERBS[Act.MOVE_GATE], VERBS[Act.MOVE_ROLLBACK]) == ("approve", "abort")


def test_metrics() -> None:
    made = Metrics()
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in made.registry.collect()}
    assert {name for name in first_column("Metrics") if name.startswith("rollway_")} == names
