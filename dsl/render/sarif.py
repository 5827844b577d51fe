"""SARIF 2.1.0, for code scanning: one run, a rule for each code that occurs, a result for each diagnostic.

Fingerprints are our own, since the services that read SARIF each compute theirs differently: of the code, the file, and
the text of the line with its count among equal ones, so that a finding keeps its identity when lines above it move.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from dsl import catalogue
from dsl.diagnostics import Diagnostic, Edit, Fix, Severity
from dsl.source import Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.HINT: "note"}


def render(diagnostics: Sequence[Diagnostic], files: Sequence[str] = ()) -> str:
    """A log of one run; `files` are its artifacts."""
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    run = {
        "tool": {"driver": _driver(codes)},
        "columnKind": "unicodeCodePoints",
        "artifacts": [{"location": _artifact(name)} for name in files],
        "results": list(_results(diagnostics, codes)),
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _driver(codes: list[str]) -> dict[str, Any]:
    driver = {"name": "rollway", "informationUri": "https://rollway.dev", "rules": [_rule(code) for code in codes]}
    try:
        return {**driver, "semanticVersion": version("rollway")}
    except PackageNotFoundError:
        return driver


def _rule(code: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"id": code, "helpUri": catalogue.url(code)}
    page = catalogue.page(code)
    if page is None:
        return rule
    markdown = f"{page.prose}\n\nWrong:\n\n```rollout\n{page.wrong}```\n\nRight:\n\n```rollout\n{page.right}```\n"
    return {
        **rule,
        "name": "".join(word.capitalize() for word in page.name.split("-")),
        "shortDescription": {"text": page.summary},
        "fullDescription": {"text": page.prose or page.summary},
        "help": {"text": page.prose or page.summary, "markdown": markdown},
        "defaultConfiguration": {"level": _LEVELS[page.severity]},
        "properties": {"tags": [catalogue.topic(code)]},
    }


def _results(diagnostics: Sequence[Diagnostic], codes: list[str]) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for diagnostic in diagnostics:
        print_of = _fingerprint(diagnostic)
        seen[print_of] += 1
        yield {
            "ruleId": diagnostic.code,
            "ruleIndex": codes.index(diagnostic.code),
            "level": _LEVELS[diagnostic.severity],
            "message": {"text": _message(diagnostic)},
            "locations": [{"physicalLocation": _location(diagnostic.span)}],
            "partialFingerprints": {"rollway/v1": f"{print_of}:{seen[print_of]}"},
            **_related(diagnostic),
            **_fixes(diagnostic),
        }


def _message(diagnostic: Diagnostic) -> str:
    parts = [diagnostic.message, diagnostic.note, diagnostic.help and f"help: {diagnostic.help}", *diagnostic.notes]
    return "\n".join(part for part in parts if part)


def _related(diagnostic: Diagnostic) -> dict[str, Any]:
    if not diagnostic.labels:
        return {}
    places = [
        {"id": number, "physicalLocation": _location(label.span), "message": {"text": label.text}}
        for number, label in enumerate(diagnostic.labels, 1)
    ]
    return {"relatedLocations": places}


def _fixes(diagnostic: Diagnostic) -> dict[str, Any]:
    return {"fixes": [_fix(fix) for fix in diagnostic.fixes]} if diagnostic.fixes else {}


def _fix(fix: Fix) -> dict[str, Any]:
    by_file: dict[str, list[Edit]] = {}
    for edit in fix.edits:
        by_file.setdefault(edit.span.source.name, []).append(edit)
    changes = [
        {"artifactLocation": _artifact(name), "replacements": [_replacement(edit) for edit in edits]}
        for name, edits in by_file.items()
    ]
    return {"description": {"text": fix.title}, "artifactChanges": changes}


def _replacement(edit: Edit) -> dict[str, Any]:
    return {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}


def _location(span: Span) -> dict[str, Any]:
    return {"artifactLocation": _artifact(span.source.name), "region": _region(span)}


def _region(span: Span) -> dict[str, int]:
    begin, finish = span.begin, span.finish
    return {
        "startLine": begin.line,
        "startColumn": begin.column,
        "endLine": finish.line,
        "endColumn": finish.column,
    }


def _artifact(name: str) -> dict[str, str]:
    path = PurePath(name)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix(), errors="surrogatepass")
    return {"uri": uri}


def _fingerprint(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    line = span.source.line_text(span.begin.line).strip()
    told = "\n".join([diagnostic.code, span.source.name, line])
    return hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()[:32]
