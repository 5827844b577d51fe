"""Annotations for GitHub Actions: workflow commands that it shows beside the changed lines.

Columns are given only where the range is on one line, for GitHub takes none otherwise; its last column belongs to the
range.
"""

from __future__ import annotations

from collections.abc import Sequence

from dsl.diagnostics import Diagnostic, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.HINT: "notice"}


def render(diagnostics: Sequence[Diagnostic], files: Sequence[str] = ()) -> str:  # noqa: ARG001 - every form's signature
    """A workflow command for each diagnostic."""
    return "".join(f"{_command(diagnostic)}\n" for diagnostic in diagnostics)


def _command(diagnostic: Diagnostic) -> str:
    begin, finish = diagnostic.span.begin, diagnostic.span.finish
    properties = {"file": diagnostic.span.source.name, "line": begin.line, "endLine": finish.line}
    if begin.line == finish.line:
        properties |= {"col": begin.column, "endColumn": max(finish.column - 1, begin.column)}
    properties["title"] = diagnostic.code
    said = "\n".join([diagnostic.message, *([f"help: {diagnostic.help}"] if diagnostic.help else [])])
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{_COMMANDS[diagnostic.severity]} {listed}::{_data(said)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
