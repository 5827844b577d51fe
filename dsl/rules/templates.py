"""Templates in queries and messages, PromQL and Jobs in queries: checked by `dsl.embedded.jinja_check`,
`dsl.embedded.promql_check` and `dsl.embedded.job_check`, and brought back to the words in the file."""

from __future__ import annotations

from collections.abc import Iterator

from dsl import syntax
from dsl.diagnostics import Diagnostic, Edit, Fix
from dsl.embedded.jinja_check import MESSAGE_VARIABLES, QUERY_VARIABLES, Problem, is_template
from dsl.embedded.jinja_check import check as check_template
from dsl.rules.constants import field
from dsl.rules.context import Context
from dsl.rules.severities import finding
from dsl.rules.strings import span_in

_QUERY_NAMES = frozenset(QUERY_VARIABLES)
_MESSAGE_NAMES = frozenset(MESSAGE_VARIABLES)
_SHARES = frozenset({"percent", "ratio"})


def check(context: Context) -> Iterator[Diagnostic]:
    for metric in context.every(syntax.Metric):
        if type(metric.body) is tuple:
            yield from _metric(metric, metric.body)
    for notify in context.every(syntax.Notify):
        if isinstance(notify.message, syntax.String) and is_template(notify.message.value):
            for problem in check_template(notify.message.value, _MESSAGE_NAMES):
                yield said(notify.message, problem)


def _metric(metric: syntax.Metric, items: tuple[object, ...]) -> Iterator[Diagnostic]:
    parameters = frozenset(param.name.text for param in metric.params)
    settled = field(items, "no_data") is not None
    for item in items:
        if isinstance(item, syntax.Query):
            yield from _query(metric.unit.text, item, parameters, settled)
        elif isinstance(item, syntax.Variant):
            said_here = settled or field(item.items, "no_data") is not None
            for each in item.items:
                if isinstance(each, syntax.Query):
                    yield from _query(metric.unit.text, each, parameters, said_here)


def _query(unit: str, query: syntax.Query, parameters: frozenset[str], settled: bool) -> Iterator[Diagnostic]:
    text = query.text.value
    problems = check_template(text, _QUERY_NAMES | parameters)
    if not problems and query.provider.text == "prometheus":
        from dsl.embedded.promql_check import check as check_promql  # noqa: PLC0415 - seldom needed

        problems = check_promql(text, unit, query.part.text if query.part else "", parameters)
        if settled:
            problems = tuple(problem for problem in problems if problem.code != "RW513")
    if not problems and query.provider.text == "job":
        from dsl.embedded.job_check import check as check_job  # noqa: PLC0415 - seldom needed

        problems = check_job(text, parameters)
    for problem in problems:
        yield said(query.text, problem)


def said(string: syntax.String, problem: Problem) -> Diagnostic:
    """A problem inside a string, at its place in the file."""
    span = span_in(string, problem.start, problem.end)
    fixes = []
    if problem.replacement:
        fixes.append(Fix(f"replace with `{problem.replacement}`", (Edit(span, problem.replacement),)))
    return finding(problem.code, problem.message, span, help=problem.help, fixes=fixes)
