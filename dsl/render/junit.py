"""JUnit's XML, for CI systems that know nothing else: a suite for each file, a failed case for each error or warning.

A file without findings is a suite with one case that passed. Hints are told, and fail nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from dsl.diagnostics import Diagnostic, Severity
from dsl.render.cells import visible


def render(diagnostics: Sequence[Diagnostic], files: Sequence[str] = ()) -> str:
    """A document of suites, in the order of the files."""
    by_file: dict[str, list[Diagnostic]] = {name: [] for name in files}
    for diagnostic in diagnostics:
        by_file.setdefault(diagnostic.span.source.name, []).append(diagnostic)
    suites = "".join(_suite(name, of_file) for name, of_file in by_file.items())
    cases = sum(max(len(of_file), 1) for of_file in by_file.values())
    failures = sum(_fails(diagnostic) for diagnostic in diagnostics)
    head = f'<testsuites name="rollway lint" tests="{cases}" failures="{failures}" errors="0">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n{suites}</testsuites>\n'


def _suite(name: str, of_file: list[Diagnostic]) -> str:
    failures = sum(_fails(diagnostic) for diagnostic in of_file)
    label = quoteattr(visible(name))
    head = f'  <testsuite name={label} tests="{max(len(of_file), 1)}" failures="{failures}" errors="0" skipped="0">\n'
    cases = "".join(_case(diagnostic) for diagnostic in of_file) or f'    <testcase name="lint" classname={label}/>\n'
    return f"{head}{cases}  </testsuite>\n"


def _case(diagnostic: Diagnostic) -> str:
    place, name = diagnostic.span.begin, visible(diagnostic.span.source.name)
    title = quoteattr(f"{diagnostic.code} at {place.line}:{place.column}")
    said = f"{name}:{place.line}:{place.column}: {visible(diagnostic.message)}"
    if diagnostic.help:
        said += f"\nhelp: {visible(diagnostic.help)}"
    body = f"<system-out>{escape(said)}</system-out>"
    if _fails(diagnostic):
        message = quoteattr(visible(diagnostic.message))
        body = f'<failure type="{diagnostic.severity}" message={message}>{escape(said)}</failure>'
    return f"    <testcase name={title} classname={quoteattr(name)}>\n      {body}\n    </testcase>\n"


def _fails(diagnostic: Diagnostic) -> bool:
    return diagnostic.severity is not Severity.HINT
