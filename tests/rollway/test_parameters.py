"""Protects the quick reading of a command line: what it takes means what Typer would make of it, and it takes nothing
that is not plainly right."""

from __future__ import annotations

from typing import Any

import pytest

from rollway import compile, explain, lint, schema, simulate
from rollway.app import load
from rollway.parameters import quick

RIGHT = [
    ("lint", []),
    ("lint", ["a.rollout"]),
    ("lint", ["a.rollout", "b.rollout", "-"]),
    ("lint", ["-"]),
    ("lint", ["--hints", "a.rollout"]),
    ("lint", ["a.rollout", "--format", "json"]),
    ("lint", ["--format=sarif", "--fail-on=error", "--fix", "--diff", "a.rollout"]),
    ("lint", ["--", "--hints"]),
    ("lint", ["a", "--", "-b"]),
    ("compile", ["a.rollout", "--rollout", "checkout", "--output=x"]),
    ("compile", ["--format", "manifest", "-"]),
    ("explain", []),
    ("explain", ["RW203"]),
    ("schema", ["--output", "x"]),
    ("simulate", ["a", "--given", "x"]),
    ("simulate", ["a", "--given", "x", "--json", "--given=y z"]),
]
NOT_PLAIN = [
    ("lint", ["--help"]),
    ("lint", ["-h"]),
    ("lint", ["--hint"]),
    ("lint", ["--format"]),
    ("lint", ["--format", "xml"]),
    ("lint", ["--format", "--hints"]),
    ("lint", ["--hints=yes"]),
    ("lint", ["--hints", "--hints"]),
    ("lint", ["-x"]),
    ("compile", []),
    ("compile", ["a", "b"]),
    ("explain", ["RW1", "RW2"]),
    ("schema", ["extra"]),
    ("simulate", ["--given", "x"]),
    ("simulate", ["a", "--test", "x", "--test", "y"]),
]
MODULES: dict[str, Any] = {"lint": lint, "compile": compile, "explain": explain, "schema": schema, "simulate": simulate}


def by_typer(name: str, line: list[str]) -> dict[str, Any]:
    """What Typer gives the command for a line."""
    command = load(name)
    context = command.make_context(name, list(line))
    return dict(context.params)


@pytest.mark.parametrize(("name", "line"), RIGHT)
def test_a_right_line_means_what_typer_says(name: str, line: list[str]) -> None:
    values = quick(MODULES[name].command, line)
    assert values is not None
    told = by_typer(name, line)
    assert values == {key: told[key] for key in values}
    unsaid = {key: value for key, value in told.items() if key not in values}
    assert not any(value for value in unsaid.values() if isinstance(value, bool | list))


@pytest.mark.parametrize(("name", "line"), NOT_PLAIN)
def test_any_other_line_is_left_to_typer(name: str, line: list[str]) -> None:
    assert quick(MODULES[name].command, line) is None
