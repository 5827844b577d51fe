"""Regular expressions of `=~`, by `dsl.embedded.regex_check`."""

from __future__ import annotations

from collections.abc import Iterator

from dsl import syntax
from dsl.diagnostics import Diagnostic, Edit, Fix
from dsl.embedded import regex_check
from dsl.rules.context import Context
from dsl.rules.severities import finding
from dsl.rules.strings import span_in
from dsl.source import Span


def check(context: Context) -> Iterator[Diagnostic]:
    for test in context.every(syntax.MatchTest):
        if test.op != "=~" or not isinstance(test.value, syntax.String):
            continue
        problem = regex_check.check(test.value.value)
        if problem is not None:
            span = span_in(test.value, problem.start, problem.end)
            yield finding(problem.code, problem.message, span, help=problem.help)
        elif not regex_check.is_anchored(test.value.value):
            yield _not_anchored(test, test.value)


def _not_anchored(test: syntax.MatchTest, value: syntax.String) -> Diagnostic:
    inside = Span(value.span.source, value.span.start + 1, value.span.start + 1)
    return finding(
        "RW511",
        f"this matches a {test.kind.text} that holds `{value.value}` anywhere in it",
        value.span,
        help="begin it with `^`, or with `.*` if that is what is meant; `==` compares the whole text",
        fixes=[] if value.raw else [Fix("match from the beginning", (Edit(inside, "^"),))],
    )
