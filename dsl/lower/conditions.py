"""Conditions: comparisons and what joins them, and the statistical checks that stand alone.

A condition that is known now (over constants and parameters) comes to true or false; None is what an error left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dsl import ir, syntax
from dsl.diagnostics import Label
from dsl.findings import one_line
from dsl.lower.quantities import quantity_of
from dsl.lower.statistics import statistical
from dsl.meaning.evaluate import bare_word, duration, resolve_ref, value_of
from dsl.meaning.frames import Frame
from dsl.meaning.quantities import compared
from dsl.meaning.scope import TESTS
from dsl.meaning.values import Type, Value, unknown
from dsl.source import Span

Outcome = ir.Condition | bool | None


def condition_of(expr: syntax.Expr, frame: Frame) -> Outcome:
    """An expression as a condition on the metrics."""
    match expr:
        case syntax.Compare():
            return _compare(expr, frame)
        case syntax.Within():
            return _between(expr, frame)
        case syntax.Over():
            return _windowed(expr, frame)
        case syntax.Not():
            return _negated(condition_of(expr.operand, frame))
        case syntax.And():
            return _joined([condition_of(operand, frame) for operand in expr.operands], ends=False)
        case syntax.Or():
            return _joined([condition_of(operand, frame) for operand in expr.operands], ends=True)
        case syntax.Ref() if test_of(expr, frame) is not None:
            return _misplaced(expr, frame)
        case _:
            return _of_value(expr, frame)


def check_condition(expr: syntax.Expr, frame: Frame) -> Outcome:
    """The condition of a check, which may be a statistical one; behind `abort if`, `not` may stand before that."""
    if not is_statistical(expr, frame)[0]:
        return condition_of(expr, frame)
    match expr:
        case syntax.Over():
            return _windowed(expr, frame, check_condition)
        case syntax.Not():
            return _negated(check_condition(expr.operand, frame))
        case syntax.Ref():
            test = test_of(expr, frame)
            return statistical(expr, test, frame) if test is not None else None
        case _:
            return None


def is_statistical(expr: syntax.Expr, frame: Frame) -> tuple[bool, bool]:
    """Whether a condition is a statistical check, and whether `not` stands before it."""
    negated = False
    while isinstance(expr, syntax.Over | syntax.Not):
        negated = negated or isinstance(expr, syntax.Not)
        expr = expr.operand
    return test_of(expr, frame) is not None, negated


def test_of(expr: syntax.Expr, frame: Frame) -> ir.StatisticalTest | None:
    """The name of the statistical check, if the expression is one."""
    if not isinstance(expr, syntax.Ref):
        return None
    name: Any = expr.segments[0].name.text
    return name if name in TESTS and name not in frame.bindings else None


def constant_condition(expr: syntax.Expr, frame: Frame) -> Value:
    """A condition that must be known now, as a value."""
    found = condition_of(expr, frame)
    if isinstance(found, bool):
        return Value(Type.BOOL, found, expr.span)
    if found is not None:
        frame.findings.error(
            "RW201",
            f"`{one_line(expr.span.text)}` is not known before the rollout runs",
            expr.span,
            note="it asks a metric",
            help="a value that is known now has to stand here: a literal, a constant or a parameter",
        )
        frame.bench.spoilt = True
    return unknown(expr.span)


_Lower = Callable[[syntax.Expr, Frame], Outcome]


def _windowed(expr: syntax.Over, frame: Frame, lower: _Lower = condition_of) -> Outcome:
    """`… over 30s`: the condition, with that window in all its queries."""
    window = duration(expr.window, frame, "the window of a query")
    found = lower(expr.operand, frame._replace(window=window) if window is not None else frame)
    if window is not None and found is not None and not isinstance(found, bool):
        frame.bench.overs[id(found)] = (found, window)
    return found


# --- comparisons ------------------------------------------------------------------------------------------------


def _compare(expr: syntax.Compare, frame: Frame) -> Outcome:
    words = [_known_word(side, frame) for side in (expr.left, expr.right)]
    if any(word is not None and word.type in (Type.TEXT, Type.BOOL) for word in words):
        return _compare_words(expr, frame)
    pair = compared(quantity_of(expr.left, frame), quantity_of(expr.right, frame), frame)
    if pair is None:
        return None
    left, right = pair
    if left.constant is not None and right.constant is not None:
        return holds(expr.op, left.constant, right.constant)
    cmp: Any = expr.op
    return ir.Compare(cmp, left.expr, right.expr)


def _known_word(expr: syntax.Expr, frame: Frame) -> Value | None:
    """The value of a side that is a literal or a parameter."""
    if isinstance(expr, syntax.String | syntax.Bool) or (bare_word(expr) or "") in frame.bindings:
        return value_of(expr, frame)
    return None


def _compare_words(expr: syntax.Compare, frame: Frame) -> Outcome:
    """A comparison of strings or truths: both are known now, and either equal or not."""
    left, right = value_of(expr.left, frame), value_of(expr.right, frame)
    if not left.known or not right.known:
        return None
    if left.type is right.type and expr.op in ("==", "!="):
        same: bool = left.data == right.data
        return same is (expr.op == "==")
    if left.type is right.type:
        message, help_ = f"{left.type} is neither more nor less than another", "compare them with `==` or `!=`"
    else:
        shown = [one_line(side.span.text) for side in (expr.left, expr.right)]
        message = f"`{shown[0]}` is {left.type}, and `{shown[1]}` is {right.type}"
        help_ = f"compare it with {left.type}"
    frame.findings.error("RW203", message, expr.right.span, labels=[Label(expr.left.span, left.type.value)], help=help_)
    frame.bench.spoilt = True
    return None


def holds(op: str, left: float, right: float) -> bool:
    """Whether a comparison of two numbers holds."""
    match op:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "==":
            return left == right
        case _:
            return left != right


def _between(expr: syntax.Within, frame: Frame) -> Outcome:
    value, low, high = (quantity_of(part, frame) for part in (expr.value, expr.low, expr.high))
    lower, upper = compared(value, low, frame), compared(value, high, frame)
    if lower is None or upper is None:
        return None
    low, high = lower[1], upper[1]
    if low.constant is not None and high.constant is not None and low.constant > high.constant:
        frame.findings.error(
            "RW205",
            "the lower bound is above the upper one",
            low.span.to(high.span),
            note="nothing is in this range",
            help=f"write `{high.span.text}..{low.span.text}`",
        )
        frame.bench.spoilt = True
        return None
    if value.constant is not None and low.constant is not None and high.constant is not None:
        return low.constant <= value.constant <= high.constant
    return ir.Between(lower[0].expr, low.expr, high.expr)


# --- what joins them --------------------------------------------------------------------------------------------


def _negated(inner: Outcome) -> Outcome:
    match inner:
        case None:
            return None
        case bool():
            return not inner
        case ir.NotOf():
            return inner.condition
        case _:
            return ir.NotOf(inner)


def _joined(parts: list[Outcome], *, ends: bool) -> Outcome:
    """`and` (which ends at false) or `or` (which ends at true) of what is not known now."""
    if any(part is None for part in parts):
        return None
    if any(part is ends for part in parts):
        return ends
    rest = tuple(part for part in parts if part is not None and not isinstance(part, bool))
    if not rest:
        return not ends
    if len(rest) == 1:
        return rest[0]
    return ir.AnyOf(rest) if ends else ir.AllOf(rest)


def _of_value(expr: syntax.Expr, frame: Frame) -> Outcome:
    """A condition that is a constant's or a parameter's, `if verbose { … }`; a quantity is none."""
    if isinstance(expr, syntax.BadExpr):
        frame.bench.spoilt = True
        return None
    if isinstance(expr, syntax.Chain | syntax.Negate):
        return _of_quantity(expr, frame)
    if isinstance(expr, syntax.Ref) and resolve_ref(expr, frame).value is None:
        return _of_quantity(expr, frame)
    value = value_of(expr, frame)
    if value.type is Type.BOOL:
        return bool(value.data)
    if value.known:
        _no_condition(expr.span, value.type, frame)
    return None


def _of_quantity(expr: syntax.Expr, frame: Frame) -> Outcome:
    found = quantity_of(expr, frame)
    if found.known:
        _no_condition(expr.span, found.dim, frame)
    return None


def _no_condition(span: Span, what: str, frame: Frame) -> None:
    frame.findings.error(
        "RW206",
        f"`{one_line(span.text)}` is {what}, and a condition has to stand here",
        span,
        help="compare it with something, as in `success_rate >= 99%`",
    )
    frame.bench.spoilt = True


def _misplaced(expr: syntax.Ref, frame: Frame) -> Outcome:
    name = expr.segments[0].name
    frame.findings.error(
        "RW209",
        f"the statistical check `{name.text}` must stand alone",
        expr.span,
        help="write it behind `require`, `observe` or `abort if not`, with nothing joined to it; several checks are "
        "several lines",
    )
    frame.bench.spoilt = True
    return None
