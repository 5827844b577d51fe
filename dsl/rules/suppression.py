"""`# lint: ignore RW712 -- reason`, behind a statement or on a line of its own before it.

It silences those codes on its line, or on the next line that holds a statement. Errors cannot be silenced, for an
error is something that will not work. A comment that silences nothing is itself reported, so that none outlives its
reason.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dsl import syntax
from dsl.diagnostics import Diagnostic, Edit, Fix, Severity
from dsl.rules.context import Context
from dsl.rules.severities import SEVERITIES, finding
from dsl.source import Span

_MARK = "lint:"
_IGNORE = re.compile(r"#+\s*lint:\s*ignore\b(.*)$")
_CODE = re.compile(r"RW\d{3}")
_OURS = min(SEVERITIES)


class Ignore(NamedTuple):
    """One code that a comment silences on one line."""

    code: str
    line: int
    span: Span
    comment: Span


def applied(context: Context, found: list[Diagnostic]) -> list[Diagnostic]:
    """The findings that are left, and what is wrong with the comments."""
    ignores: list[Ignore] = []
    problems: list[Diagnostic] = []
    for file in context.own:
        for comment in file.comments:
            if _MARK in comment.text:
                read = _read(file, comment)
                ignores += (each for each in read if isinstance(each, Ignore))
                problems += (each for each in read if isinstance(each, Diagnostic))
    if not ignores:
        return found + problems
    used: set[Ignore] = set()
    left = [diagnostic for diagnostic in found if not _silenced(diagnostic, ignores, used)]
    errors = [d for d in context.compilation.diagnostics if d.severity is Severity.ERROR]
    if not errors:  # with errors, some rules have nothing to look at yet
        problems += (_useless(ignore) for ignore in ignores if ignore not in used)
    return left + problems


def _read(file: syntax.File, comment: syntax.Comment) -> list[Ignore | Diagnostic]:
    found = _IGNORE.search(comment.text)
    if found is None:
        return [_malformed(comment, "this is not a word for the linter")]
    words, _, _ = found[1].partition("--")
    codes = list(_CODE.finditer(words))
    if not codes:
        return [_malformed(comment, "this names no code to ignore")]
    line = _line_meant(file, comment)
    offset = comment.span.start + comment.span.text.find(words)
    read: list[Ignore | Diagnostic] = []
    for each in codes:
        span = Span(file.source, offset + each.start(), offset + each.end())
        code = each[0]
        if code in SEVERITIES and SEVERITIES[code] is not Severity.ERROR:
            read.append(Ignore(code, line, span, comment.span))
        else:
            read.append(_cannot(code, span))
    return read


def _line_meant(file: syntax.File, comment: syntax.Comment) -> int:
    line = comment.span.begin.line
    if not comment.own_line:
        return line
    for following in range(line + 1, len(file.source.line_starts) + 1):
        text = file.source.line_text(following).strip()
        if text and not text.startswith("#"):
            return following
    return line


def _silenced(diagnostic: Diagnostic, ignores: list[Ignore], used: set[Ignore]) -> bool:
    hit = False
    for ignore in ignores:
        if ignore.code == diagnostic.code and ignore.span.source is diagnostic.span.source:
            first, last = diagnostic.span.begin.line, diagnostic.span.finish.line
            if first <= ignore.line <= last:
                used.add(ignore)
                hit = True
    return hit


def _malformed(comment: syntax.Comment, message: str) -> Diagnostic:
    return finding("RW713", message, comment.span, help="write `# lint: ignore RW702 -- and why`")


def _cannot(code: str, span: Span) -> Diagnostic:
    if code in SEVERITIES or code < _OURS:
        return finding("RW713", f"{code} is an error, and cannot be ignored", span, help="mend what it says")
    return finding("RW713", f"there is no code {code}", span, help="the code stands in front of each message")


def _useless(ignore: Ignore) -> Diagnostic:
    return finding(
        "RW712",
        f"there is no {ignore.code} here to ignore",
        ignore.span,
        help="take the comment out",
        fixes=[Fix("remove the comment", (Edit(ignore.comment, ""),), safe=True)],
    )
