"""How much each finding of the linter matters. The pages say the same; a test compares the two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dsl.diagnostics import Diagnostic, Fix, Label, Severity
from dsl.source import Span

_ERRORS = """
    RW337 RW340 RW354
    RW401 RW402 RW403 RW405 RW406 RW407 RW408 RW409 RW412 RW414 RW415
    RW501 RW502 RW503 RW504 RW505 RW510 RW512 RW514
    RW601 RW605 RW606
    RW801 RW802 RW803 RW804 RW805 RW806 RW807 RW808
"""
_WARNINGS = """
    RW330 RW331 RW332 RW333 RW334 RW335 RW336 RW339 RW341 RW343 RW345 RW346 RW348 RW349 RW352 RW356 RW361
    RW506 RW507 RW508 RW509
    RW602 RW603 RW604 RW607 RW608
    RW702 RW712 RW713
"""
_HINTS = """
    RW344 RW347 RW350 RW353 RW355 RW357
    RW413
    RW511 RW513
    RW701 RW703 RW704 RW705 RW706 RW707 RW708 RW709 RW711
"""

SEVERITIES: Mapping[str, Severity] = {
    **dict.fromkeys(_ERRORS.split(), Severity.ERROR),
    **dict.fromkeys(_WARNINGS.split(), Severity.WARNING),
    **dict.fromkeys(_HINTS.split(), Severity.HINT),
}


def finding(
    code: str,
    message: str,
    span: Span,
    *,
    note: str = "",
    labels: Iterable[Label] = (),
    help: str = "",
    notes: Iterable[str] = (),
    fixes: Iterable[Fix] = (),
) -> Diagnostic:
    """A diagnostic with the severity of its code."""
    return Diagnostic(code, SEVERITIES[code], message, span, note, tuple(labels), help, tuple(notes), tuple(fixes))
