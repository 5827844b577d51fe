"""Checks that can only come out one way: bounds that contradict each other, that no value can meet, or that all do.

Each `require` is read as an interval that a measure must be in. A measure is told apart by its words (metric,
arguments, arm). What is compared with another measure, or with a parameter, is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from typing import Any, NamedTuple

from dsl import syntax
from dsl.diagnostics import Diagnostic, Label
from dsl.rules.constants import number
from dsl.rules.context import Context, collect
from dsl.rules.severities import finding
from dsl.rules.unreachable import truth
from dsl.source import Span


class Interval(NamedTuple):
    """From `low` to `high`; an end that is open is not in it."""

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False

    def __and__(self, other: Interval) -> Interval:
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, high_closed = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Interval(low, high, low_open, not high_closed)

    @property
    def empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def holds(self, other: Interval) -> bool:
        """Whether all of the other is in this one."""
        return (self & other) == other


class Bound(NamedTuple):
    """What a comparison asks of a measure."""

    measure: str
    ref: syntax.Ref
    interval: Interval
    span: Span


_INTERVALS = {
    "<": lambda v: Interval(high=v, high_open=True),
    "<=": lambda v: Interval(high=v),
    ">": lambda v: Interval(low=v, low_open=True),
    ">=": lambda v: Interval(low=v),
    "==": lambda v: Interval(v, v),
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}


def check(context: Context) -> Iterator[Diagnostic]:
    for analysis in context.every(syntax.Analysis):
        hidden = {param.name.text for param in analysis.params}
        yield from _required(context, analysis, hidden)
        yield from _twice(analysis)


def _required(context: Context, analysis: syntax.Analysis, hidden: set[str]) -> Iterator[Diagnostic]:
    together: dict[str, list[Bound]] = {}
    for item in analysis.items:
        if not isinstance(item, syntax.Check) or item.kind.text != "require" or _names(item) & hidden:
            continue
        outcome = truth(context, item.condition)
        if outcome is not None:
            yield _fixed(item.condition.span, "passes" if outcome else "fails", "it measures nothing")
            continue
        for part in _parts(item.condition):
            bound = _bound(context, part)
            if bound is not None:
                yield from _against_nature(context, bound)
                together.setdefault(bound.measure, []).append(bound)
    for bounds in together.values():
        yield from _contradiction(bounds)


def _names(item: syntax.Check) -> set[str]:
    return {ref.segments[0].name.text for ref in collect([item.condition]).get(syntax.Ref, [])}


def _parts(condition: syntax.Expr) -> Iterator[syntax.Expr]:
    """What must all hold for a condition to hold."""
    stack = [condition]
    while stack:
        part = stack.pop()
        if isinstance(part, syntax.Over):
            stack.append(part.operand)
        elif isinstance(part, syntax.And):
            stack += part.operands
        else:
            yield part


def _bound(context: Context, part: syntax.Expr) -> Bound | None:
    match part:
        case syntax.Within(value=syntax.Ref() as ref):
            low, high = number(context, part.low), number(context, part.high)
            if low is not None and high is not None and number(context, ref) is None:
                return Bound(_key(ref), ref, Interval(low, high), part.span)
        case syntax.Compare(left=syntax.Ref() as ref) if number(context, ref) is None:
            value = number(context, part.right)
            if value is not None and part.op in _INTERVALS:
                return Bound(_key(ref), ref, _INTERVALS[part.op](value), part.span)
        case syntax.Compare(right=syntax.Ref() as ref) if number(context, ref) is None:
            value = number(context, part.left)
            if value is not None and part.op in _INTERVALS:
                return Bound(_key(ref), ref, _INTERVALS[_MIRRORED[part.op]](value), part.span)
        case _:
            pass
    return None


def _key(ref: syntax.Ref) -> str:
    words = "".join(ref.span.text.split())
    return words.removesuffix("ofcanary") if ref.arm is not None and ref.arm.text == "canary" else words


def _against_nature(context: Context, bound: Bound) -> Iterator[Diagnostic]:
    nature = nature_of(context, bound.ref)
    if (nature & bound.interval).empty:
        yield _fixed(bound.span, "fails", f"`{bound.ref.span.text}` is never there")
    elif bound.interval.holds(nature):
        yield _fixed(bound.span, "passes", f"`{bound.ref.span.text}` is always there")


def _fixed(span: Span, outcome: str, note: str) -> Diagnostic:
    return finding(
        "RW340" if outcome == "fails" else "RW341",
        f"this check always {outcome}",
        span,
        note=note,
        help="look at the bound again" if outcome == "fails" else "tighten the bound, or `observe` instead",
    )


def nature_of(context: Context, ref: syntax.Ref) -> Interval:
    """The values that a measure can have at all."""
    words = [segment.name.text for segment in ref.segments]
    if words[-1] in ("rate", "total", "bad") and len(words) > 1:
        events = context.find(syntax.Metric, words[-2])
        if events is not None and events.unit.text == "events":
            return Interval(0, 1) if words[-1] == "rate" else Interval(0)
    metric = context.find(syntax.Metric, words[-1])
    if metric is None:
        return Interval()
    if _is_share_of_events(context, metric):
        return Interval(0, 1)
    return Interval(0) if metric.unit.text in ("count", "rate", "bytes", "milliseconds", "seconds") else Interval()


def _is_share_of_events(context: Context, metric: syntax.Metric) -> bool:
    """Whether a metric is `events.rate` or `100% - events.rate`, and so between 0 and 1."""
    body: object = metric.body
    if isinstance(body, syntax.Chain) and body.operators == ("-",) and number(context, body.operands[0]) == 1:
        body = body.operands[1]
    if not isinstance(body, syntax.Ref) or len(body.segments) < 2 or body.segments[-1].name.text != "rate":
        return False
    events = context.find(syntax.Metric, body.segments[-2].name.text)
    return events is not None and events.unit.text == "events"


def _contradiction(bounds: list[Bound]) -> Iterator[Diagnostic]:
    """Intervals of which each two overlap have something in common, all of them: so it is enough to hold each against
    the two tightest before it."""
    held = [bound for bound in bounds if not bound.interval.empty]
    floor = ceiling = held[0] if held else None
    for later in held[1:]:
        for earlier in (floor, ceiling):
            if earlier is not None and (earlier.interval & later.interval).empty:
                yield finding(
                    "RW340",
                    f"`{later.ref.span.text}` can never be both: a check always fails",
                    later.span,
                    labels=[Label(earlier.span, "this rules it out")],
                    help="take one of the two out",
                )
                return
        floor = max(floor or later, later, key=lambda bound: (bound.interval.low, bound.interval.low_open))
        ceiling = min(ceiling or later, later, key=lambda bound: (bound.interval.high, not bound.interval.high_open))


def _twice(analysis: syntax.Analysis) -> Iterator[Diagnostic]:
    yield from _repeated(analysis.items)
    for judgement in collect(analysis.items).get(syntax.Judgement, []):
        yield from _repeated(collect(judgement.items).get(syntax.Scored, []))


_CHECKS = (syntax.Check, syntax.Judgement, syntax.Scored, syntax.CallHook, syntax.AbortGate, syntax.Include)


def _repeated(items: Iterable[Any]) -> Iterator[Diagnostic]:
    """What stands there twice word for word."""
    seen: dict[str, Span] = {}
    for item in items:
        if not isinstance(item, _CHECKS):
            continue
        words = " ".join(item.span.text.split())
        first = seen.setdefault(words, item.span)
        if first is not item.span:
            yield finding(
                "RW352",
                "this check stands here twice",
                item.span,
                labels=[Label(first, "first here")],
                help="take one of them out: each failure would count twice",
            )
