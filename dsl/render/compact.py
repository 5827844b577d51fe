"""One line a finding, as compilers print them and editors read them: `file:line:column: error RW203: message`."""

from __future__ import annotations

from collections.abc import Sequence

from dsl.diagnostics import Diagnostic
from dsl.render.cells import visible


def render(diagnostics: Sequence[Diagnostic], files: Sequence[str] = ()) -> str:  # noqa: ARG001 - every form's signature
    """A line for each diagnostic."""
    return "".join(f"{_line(diagnostic)}\n" for diagnostic in diagnostics)


def _line(diagnostic: Diagnostic) -> str:
    name, place = visible(diagnostic.span.source.name), diagnostic.span.begin
    what = f"{diagnostic.severity} {diagnostic.code}: {visible(diagnostic.message)}"
    return f"{name}:{place.line}:{place.column}: {what}"
