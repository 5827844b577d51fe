"""Diagnostics as JSON: one array of objects. The keys are a contract; wording and order inside a file are not.

Lines and columns count from 1, columns in code points; an end is the first column that no longer belongs to it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dsl.catalogue import url
from dsl.diagnostics import Diagnostic, Fix
from dsl.source import Span


def render(diagnostics: Sequence[Diagnostic], files: Sequence[str] = ()) -> str:  # noqa: ARG001 - every form's signature
    """An array, empty where there is nothing to say."""
    return json.dumps([as_data(diagnostic) for diagnostic in diagnostics], indent=2, ensure_ascii=False) + "\n"


def as_data(diagnostic: Diagnostic) -> dict[str, Any]:
    """One diagnostic as plain data."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        **_place(diagnostic.span),
        "note": diagnostic.note,
        "help": diagnostic.help,
        "notes": list(diagnostic.notes),
        "labels": [{"text": label.text, **_place(label.span)} for label in diagnostic.labels],
        "fixes": [_fix(fix) for fix in diagnostic.fixes],
        "url": url(diagnostic.code),
    }


def _fix(fix: Fix) -> dict[str, Any]:
    edits = [{**_place(edit.span), "text": edit.text} for edit in fix.edits]
    return {"title": fix.title, "safe": fix.safe, "edits": edits}


def _place(span: Span) -> dict[str, Any]:
    begin, finish = span.begin, span.finish
    return {
        "file": span.source.name,
        "line": begin.line,
        "column": begin.column,
        "end_line": finish.line,
        "end_column": finish.column,
    }
