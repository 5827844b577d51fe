"""Hints: what works, and could say more clearly what it means, or be judged better."""

from __future__ import annotations

from collections.abc import Iterator

from dsl import syntax
from dsl.diagnostics import Diagnostic, Edit, Fix
from dsl.rules.constants import field, milliseconds, number
from dsl.rules.context import Context, collect
from dsl.rules.severities import finding

_DEFAULT_DEADLINE_MS = 600_000


def check(context: Context) -> Iterator[Diagnostic]:
    for metric in context.here(syntax.Metric):
        yield from _no_data(metric)
    for analysis in context.here(syntax.Analysis):
        yield from _analysis(context, analysis)
    for deadline in context.here(syntax.Deadline):
        if milliseconds(context, deadline.value) == _DEFAULT_DEADLINE_MS:
            yield finding(
                "RW708",
                "this is the deadline that holds anyway",
                deadline.span,
                help="take it out, or leave it for the reader",
            )
    if not context.here(syntax.Rollout):
        yield from _undocumented(context)


def _no_data(metric: syntax.Metric) -> Iterator[Diagnostic]:
    if type(metric.body) is not tuple or not any(isinstance(i, syntax.Query | syntax.Variant) for i in metric.body):
        return
    if field(metric.body, "no_data") is None:
        yield finding(
            "RW705",
            f"`{metric.name.text}` does not say what no data means",
            metric.name.span,
            note="a check without data is a failed check",
            help="add `no_data fail`, `pass`, `skip` or `hold`",
        )


def _analysis(context: Context, analysis: syntax.Analysis) -> Iterator[Diagnostic]:
    for item in analysis.items:
        match item:
            case syntax.Tolerate() if number(context, item.failures) == 0:
                yield _tolerates_none(item)
            case syntax.Check() if item.kind.text == "require":
                yield from _point_comparison(item)
            case _:
                pass


def _tolerates_none(item: syntax.Tolerate) -> Diagnostic:
    span = item.failures.span
    return finding(
        "RW707",
        "the first failure ends the rollout, with 0 as with 1",
        span,
        help="`tolerate 1 failures` says the same in the words of the rule: the first failed check is one too many",
        fixes=[Fix("replace with `1`", (Edit(span, "1"),), safe=True)],
    )


def _point_comparison(item: syntax.Check) -> Iterator[Diagnostic]:
    """`latency(0.99) <= latency(0.99) of primary * 1.2`: two samples, and no promise about chance."""
    for compare in collect([item.condition]).get(syntax.Compare, []):
        refs = collect([compare]).get(syntax.Ref, [])
        arms = {(_words(ref), ref.arm.text if ref.arm else "canary") for ref in refs}
        both = next((words for words, arm in arms if arm == "primary" and (words, "canary") in arms), None)
        if both is None:
            continue
        slow = "latency" in both or "duration" in both
        better = "no_slower(duration)" if slow else "no_regression(requests)"
        yield finding(
            "RW706",
            "two measurements are compared as they come, and chance decides some of it",
            compare.span,
            help=f"`{better}` compares the same two, and keeps its promise of wrong aborts over the whole rollout",
        )
        return


def _words(ref: syntax.Ref) -> str:
    return ".".join(segment.span.text for segment in ref.segments)


def _undocumented(context: Context) -> Iterator[Diagnostic]:
    """What is meant for others to import should say what it is."""
    for kind in (syntax.Metric, syntax.Strategy, syntax.Analysis):
        for node in context.here(kind):
            name = node.name  # type: ignore[attr-defined]
            if name is not None and not node.doc:  # type: ignore[attr-defined]
                yield finding(
                    "RW709",
                    f"`{name.text}` is for others to use, and does not say what it is",
                    name.span,
                    help="put a `## …` line above it",
                )
