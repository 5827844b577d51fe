"""Protects the JSON form, whose keys are a contract."""

from __future__ import annotations

import json

from dsl.diagnostics import Diagnostic, Severity
from dsl.render.json import render
from dsl.source import Source, Span


def test_all_that_a_diagnostic_holds(units: Diagnostic) -> None:
    [data] = json.loads(render([units]))
    assert data == {
        "code": "RW203",
        "severity": "error",
        "message": "`latency(0.99)` is a time and `99%` is a share",
        "file": "checkout.rollout",
        "line": 3,
        "column": 13,
        "end_line": 3,
        "end_column": 26,
        "note": "a time",
        "help": "compare it with a time, such as `500ms`",
        "notes": ["a share has no unit of time"],
        "labels": [
            {"text": "a share", "file": "checkout.rollout", "line": 3, "column": 30, "end_line": 3, "end_column": 33},
            {"text": "named here", "file": "shared.rollout", "line": 2, "column": 5, "end_line": 2, "end_column": 9},
        ],
        "fixes": [
            {
                "title": "write `500ms`",
                "safe": True,
                "edits": [
                    {
                        "text": "500ms",
                        "file": "checkout.rollout",
                        "line": 3,
                        "column": 30,
                        "end_line": 3,
                        "end_column": 33,
                    }
                ],
            }
        ],
        "url": "https://rollway.dev/errors/RW203",
    }


def test_a_diagnostic_that_says_little_has_every_key_all_the_same(hint: Diagnostic, units: Diagnostic) -> None:
    little, much = json.loads(render([hint, units]))
    assert little.keys() == much.keys()
    assert (little["labels"], little["fixes"], little["help"]) == ([], [], "")


def test_nothing_to_say_is_an_empty_array() -> None:
    assert json.loads(render([])) == []


def test_columns_are_code_points() -> None:
    source = Source("a.rollout", "日本 😀 bad")
    [data] = json.loads(render([Diagnostic("RW100", Severity.ERROR, "no", Span(source, 5, 8))]))
    assert (data["column"], data["end_column"]) == (6, 9)
