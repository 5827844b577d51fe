"""`judgement { … }`: Kayenta's score of many metrics, as one check.

A metric outside a group is a group of its own, named after the metric. Groups without a weight share equally what the
others leave of 100; one that is muted altogether has no share. What could never be scored as it is written is an error
here, where Kayenta would give it a score all the same: weights that do not come to 100, a group that counts for
nothing, a lower mark above the higher one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from dsl import ir, syntax
from dsl.diagnostics import Label
from dsl.findings import listed, one_line
from dsl.lower.conditions import check_condition, test_of
from dsl.meaning.evaluate import out_of_range, typed
from dsl.meaning.fields import twice
from dsl.meaning.frames import Frame
from dsl.meaning.values import Type, number_text
from dsl.source import Span

PASS, MARGINAL = 95.0, 75.0
WHOLE = 100.0
"""What all groups together weigh, and the best score."""

_SLACK = 1e-9


class _Group(NamedTuple):
    """A group, and the place where it gets its name."""

    made: ir.JudgementGroup
    span: Span


def judgement_of(item: syntax.Judgement, frame: Frame) -> ir.Judgement | None:
    """A judgement as the Program has it; None, reported, where nothing of it can be scored."""
    errors = len(frame.findings.all)
    passing, marginal = _marks(item, frame)
    groups = [group for one in item.items for group in [_group(one, frame)] if group is not None]
    if len(frame.findings.all) > errors:
        frame.bench.spoilt = True
    elif all(isinstance(one, syntax.Setting) for one in item.items):
        _empty("this judgement scores nothing", item.span, frame)
    elif groups:
        _named_twice(groups, frame)
        _muted(groups, item, frame)
        _weigh([group for group in groups if not _silent(group)], frame)
    if not groups:
        return None
    return ir.Judgement(tuple(group.made for group in groups), passing, marginal)


def _head(span: Span) -> Span:
    """A block without what is in it."""
    words = span.text.partition("{")[0].rstrip()
    return Span(span.source, span.start, span.start + len(words))


# --- the marks --------------------------------------------------------------------------------------------------


def _marks(item: syntax.Judgement, frame: Frame) -> tuple[float, float]:
    """From what score on it passes, and from what score on it is marginal."""
    written: dict[str, syntax.Setting] = {}
    for one in item.items:
        if isinstance(one, syntax.Setting):
            before = written.setdefault(one.name.text, one)
            if before is not one:
                twice(one.span, before.span, one.name.text, frame)
    passing = _mark(written.get("pass"), PASS, frame)
    marginal = _mark(written.get("marginal"), MARGINAL, frame)
    if passing is None or marginal is None or marginal <= passing:
        return passing or PASS, marginal or 0.0
    here, *others = (written[name] for name in ("marginal", "pass") if name in written)
    frame.findings.error(
        "RW311",
        f"`marginal` is {number_text(marginal)}{_unsaid('marginal', written)}, above `pass`, which is "
        f"{number_text(passing)}{_unsaid('pass', written)}",
        here.value.span,
        note="from `pass` on the judgement holds, from `marginal` on the traffic stays",
        labels=[Label(other.value.span, "this is to be the higher mark") for other in others],
        help=f"set `marginal` to {number_text(passing)} at the most",
    )
    return passing, marginal


def _unsaid(name: str, written: Collection[str]) -> str:
    return "" if name in written else " unless said otherwise"


def _mark(setting: syntax.Setting | None, usual: float, frame: Frame) -> float | None:
    if setting is None:
        return usual
    name = setting.name.text
    bounds = "a score above 0, 100 at the most" if name == "pass" else "a score from 0 to 100"
    return _number(setting.value, frame, f"`{name}`", bounds, zero=name != "pass")


def _number(expr: syntax.Expr, frame: Frame, what: str, bounds: str, *, zero: bool = False) -> float | None:
    """A number up to 100."""
    value = typed(expr, Type.NUMBER, frame, what)
    if value is None:
        return None
    if not 0 <= value.data <= WHOLE or (value.data == 0 and not zero):
        out_of_range(value, expr.span, frame, what=what, bounds=bounds)
        return None
    return float(value.data)


# --- the groups -------------------------------------------------------------------------------------------------


def _group(item: syntax.Setting | syntax.JudgementGroup | syntax.Scored, frame: Frame) -> _Group | None:
    match item:
        case syntax.Setting():
            return None
        case syntax.Scored():
            test = _scored(item, frame)
            if test is None:
                return None
            return _Group(ir.JudgementGroup(test.metric, (test,)), item.span)
        case syntax.JudgementGroup(name=name):
            weight = None
            if item.weight is not None:
                weight = _number(item.weight, frame, "`weight`", "a number above 0, 100 at the most")
            tests = tuple(test for one in item.items for test in [_scored(one, frame)] if test is not None)
            if not item.items:
                _empty(f"the group `{name.text}` scores nothing", item.span, frame)
            return _Group(ir.JudgementGroup(name.text, tests, weight), name.span) if tests else None


def _silent(group: _Group) -> bool:
    """Whether a group is only shown."""
    return all(test.options.get("muted") == "true" for test in group.made.tests)


def _scored(item: syntax.Scored, frame: Frame) -> ir.Statistical | None:
    """One metric of a judgement."""
    bare = item.check
    while isinstance(bare, syntax.Over):
        bare = bare.operand
    if isinstance(bare, syntax.BadExpr):
        frame.bench.spoilt = True
        return None
    if test_of(bare, frame) != "kayenta":
        _not_kayenta(item, bare, frame)
        return None
    found = check_condition(item.check, frame._replace(judged=True))
    return found if isinstance(found, ir.Statistical) else None


def _not_kayenta(item: syntax.Scored, bare: syntax.Expr, frame: Frame) -> None:
    test = test_of(bare, frame)
    if test is not None:
        note = f"`{test}` promises something of itself alone"
        help_ = f"write `require {one_line(item.span.text)}` beside the judgement"
    elif "kayenta(" in item.span.text:
        note, help_ = "", "write each `kayenta(…)` on a line of its own, with nothing joined to it"
    elif isinstance(bare, syntax.Ref):
        note, help_ = "", f"write `kayenta({one_line(bare.span.text)})`"
    else:
        note, help_ = "", f"write `require {one_line(item.span.text)}` beside the judgement"
    frame.findings.error("RW312", "only `kayenta(…)` can stand in a judgement", item.span, note=note, help=help_)


def _muted(groups: list[_Group], item: syntax.Judgement, frame: Frame) -> None:
    if all(_silent(group) for group in groups):
        _empty("all of this judgement is muted, and nothing is scored", item.span, frame)
        return
    for group in groups:
        if group.made.weight is not None and _silent(group):
            frame.bench.spoilt = True
            frame.findings.error(
                "RW309",
                f"the group `{group.made.name}` has a weight, and all of it is muted",
                group.span,
                help="take `muted` from one of its metrics, or leave out the weight",
            )


def _empty(message: str, span: Span, frame: Frame) -> None:
    frame.bench.spoilt = True
    if frame.module.torn(span):
        return
    frame.findings.error(
        "RW309", message, _head(span), help="put a metric in it, as in `kayenta(latency(0.99), direction: increase)`"
    )


def _named_twice(groups: Iterable[_Group], frame: Frame) -> None:
    first: dict[str, Span] = {}
    for group in groups:
        name = group.made.name
        before = first.setdefault(name, group.span)
        if before is not group.span:
            frame.bench.spoilt = True
            frame.findings.error(
                "RW103",
                f"the judgement has two groups `{name}`",
                group.span,
                note="a metric outside a group is a group named after it" if "(" in group.span.text else "",
                labels=[Label(before, "the other one")],
                help="put what belongs together in one group, or give this one another name",
            )


def _weigh(groups: list[_Group], frame: Frame) -> None:
    """Weights come to 100, and leave something for the groups without one."""
    weighed = [group for group in groups if group.made.weight is not None]
    others = [group.made.name for group in groups if group.made.weight is None]
    total = sum(group.made.weight or 0.0 for group in weighed)
    if not weighed:
        return
    if total > WHOLE + _SLACK:
        message, help_ = f"the weights come to {number_text(total)}, and there is 100 to give", "lower them"
    elif others and total > WHOLE - _SLACK:
        message = f"the weights come to 100, which leaves nothing for {listed(others)}"
        help_ = "lower them, or give those without a weight one of their own"
    elif not others and total < WHOLE - _SLACK:
        message = f"the weights come to {number_text(total)}, so that the score is never above that"
        help_ = "let them come to 100, or leave one out: that group has the rest"
    else:
        return
    frame.bench.spoilt = True
    *before, last = weighed
    labels = [Label(group.span, f"weighs {number_text(group.made.weight or 0.0)}") for group in before]
    frame.findings.error("RW310", message, last.span, labels=labels, help=help_)
