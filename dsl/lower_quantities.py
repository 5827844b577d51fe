"""Quantities: expressions over metrics and constants, with their dimension, on their way into the Program.

Constants are worked out at once, so that `let` and parameters leave no trace; what asks a metric stays an expression.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import isfinite
from typing import Any, NamedTuple

from dsl import ir, syntax
from dsl.arguments import Placed, bind, shown
from dsl.diagnostics import Label
from dsl.evaluate import Resolved, inner_share, plain_value, resolve_ref, value_of
from dsl.findings import listed, one_line, replacing
from dsl.frames import Frame, Wanted
from dsl.scope import TESTS, Declared, Space
from dsl.source import Span
from dsl.types import OF_TYPE, OF_UNIT, PARTS, Dim, arithmetic, comparable, readings
from dsl.values import Type, Value, clean, shifted, unknown


class Quantity(NamedTuple):
    """`constant` is the value in base units, if it is known now; `expr` is None only where the dimension is unknown.

    `ratio` is whether a bare number beside it is a ratio: it comes from a metric that returns one.
    """

    dim: Dim
    expr: ir.Expr | None
    span: Span
    constant: float | None = None
    ratio: bool = False

    @property
    def bare(self) -> bool:
        """A number that no unit and no metric stands behind."""
        return self.constant is not None and self.dim is Dim.NUMBER


def nothing(span: Span) -> Quantity:
    """What stands for a quantity that could not be had."""
    return Quantity(Dim.UNKNOWN, None, span)


def fixed(dim: Dim, base: float, span: Span) -> Quantity:
    """A constant, in base units. How it is shown depends on what it is and not on how it was written."""
    unit = ir.Unit.NUMBER
    if dim is Dim.SHARE:
        unit = ir.Unit.PERCENT
    elif dim is Dim.TIME:
        unit = ir.Unit.SECONDS if base == base // 1 else ir.Unit.MILLISECONDS
    return Quantity(dim, ir.Const(base, unit), span, base)


_TO_BASE = {Type.NUMBER: 0, Type.SHARE: -2, Type.TIME: -3}


def quantity_of(expr: syntax.Expr, frame: Frame) -> Quantity:
    """An expression as a quantity; what is none is reported and comes to nothing."""
    match expr:
        case syntax.Ref():
            return _reference(expr, frame)
        case syntax.Negate():
            return _negated(expr, frame)
        case syntax.Chain():
            return _chain(expr, frame)
        case syntax.Compare() | syntax.Within() | syntax.Over() | syntax.Not() | syntax.And() | syntax.Or():
            return _refuse(expr.span, "a condition", frame)
        case _:
            return _of_value(value_of(expr, frame), expr.span, frame)


def _of_value(value: Value, span: Span, frame: Frame) -> Quantity:
    dim = OF_TYPE.get(value.type)
    if dim is None:
        return _refuse(span, value.type, frame)
    return fixed(dim, shifted(value.data, _TO_BASE[value.type]), span) if value.known else nothing(span)


def _refuse(span: Span, what: str, frame: Frame) -> Quantity:
    frame.findings.error(
        "RW206",
        f"`{one_line(span.text)}` is {what}, and a quantity has to stand here",
        span,
        help="a quantity is a metric, a number, a percentage or a duration",
    )
    frame.bench.spoilt = True
    return nothing(span)


def constant_quantity(expr: syntax.Expr, frame: Frame) -> Value:
    """A quantity that must be known now, as a value."""
    found = quantity_of(expr, frame)
    if found.dim is Dim.UNKNOWN:
        return unknown(expr.span)
    if found.constant is None:
        frame.findings.error(
            "RW201",
            f"`{one_line(expr.span.text)}` is not known before the rollout runs",
            expr.span,
            note="it asks a metric",
            help="a value that is known now has to stand here: a literal, a constant or a parameter",
        )
        return frame.bench.poison(expr.span)
    type_ = {Dim.SHARE: Type.SHARE, Dim.TIME: Type.TIME}.get(found.dim, Type.NUMBER)
    return Value(type_, shifted(found.constant, -_TO_BASE[type_]), expr.span)


# --- arithmetic -------------------------------------------------------------------------------------------------

_OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_VERBS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}


def _negated(expr: syntax.Negate, frame: Frame) -> Quantity:
    inner = quantity_of(expr.operand, frame)
    if inner.constant is not None:
        return fixed(inner.dim, -inner.constant, expr.span)
    if inner.expr is None:
        return nothing(expr.span)
    return inner._replace(expr=ir.Func("neg", (inner.expr,)), span=expr.span)


def _chain(expr: syntax.Chain, frame: Frame) -> Quantity:
    so_far = quantity_of(expr.operands[0], frame)
    operands: list[ir.Expr] = [so_far.expr] if so_far.expr is not None else []
    operators: list[Any] = []
    for sign, operand in zip(expr.operators, expr.operands[1:], strict=True):
        right = quantity_of(operand, frame)
        span = so_far.span.to(right.span)
        if sign in "+-":
            so_far, right = agreed(so_far, right, frame)
            if so_far.constant is not None and so_far.expr is not None:
                operands = [so_far.expr]
        so_far = _combined(sign, so_far, right, span, frame)
        if so_far.constant is not None and so_far.expr is not None:
            operands, operators = [so_far.expr], []
        elif right.expr is not None:
            operands.append(right.expr)
            operators.append(sign)
    if so_far.dim is Dim.UNKNOWN:
        return nothing(expr.span)
    if so_far.constant is not None:
        return so_far._replace(span=expr.span)
    return so_far._replace(expr=ir.Arith(tuple(operands), tuple(operators)), span=expr.span)


def _combined(sign: str, left: Quantity, right: Quantity, span: Span, frame: Frame) -> Quantity:
    dim = arithmetic(sign, left.dim, right.dim)
    if dim is Dim.UNKNOWN:
        return nothing(span)
    if dim is None:
        return _senseless(sign, left, right, span, frame)
    if sign == "/" and right.constant == 0:
        frame.findings.error("RW204", "this divides by zero", right.span, help="divide by something else")
        frame.bench.spoilt = True
        return nothing(span)
    if left.constant is not None and right.constant is not None:
        result = clean(_OPERATIONS[sign](left.constant, right.constant))
        return fixed(dim, result, span) if isfinite(result) else _refuse(span, "too large", frame)
    ratio = (left.ratio or left.constant is not None) and (right.ratio or right.constant is not None)
    return Quantity(dim, left.expr, span, ratio=ratio)


def _senseless(sign: str, left: Quantity, right: Quantity, span: Span, frame: Frame) -> Quantity:
    verb = _VERBS[sign]
    frame.findings.error(
        "RW204",
        f"{left.dim} and {right.dim} cannot be {verb}{'d' if verb[-1] == 'e' else 'ed'}".replace(
            "multiplyed", "multiplied"
        ),
        right.span,
        note=right.dim,
        labels=[Label(left.span, left.dim)],
        help="add and subtract like and like; multiply and divide by a number or a percentage",
    )
    frame.bench.spoilt = True
    return nothing(span)


# --- like and like ----------------------------------------------------------------------------------------------


def agreed(left: Quantity, right: Quantity, frame: Frame) -> tuple[Quantity, Quantity]:
    """Two quantities that are added or compared, a bare number beside a ratio read as one. A bare number that may be
    read in two ways is reported and comes to nothing."""
    if left.bare and not right.bare:
        return _with_unit(left, right, frame), right
    if right.bare and not left.bare:
        return left, _with_unit(right, left, frame)
    return left, right


def _with_unit(bare: Quantity, other: Quantity, frame: Frame) -> Quantity:
    if other.dim not in (Dim.SHARE, Dim.TIME) or bare.constant is None:
        return bare
    if other.dim is Dim.SHARE and other.ratio and 0 <= bare.constant <= 1:
        return fixed(Dim.SHARE, bare.constant, bare.span)
    meant = readings(abs(bare.constant), other.dim)
    written = bare.span.text
    sign = "-" if bare.constant < 0 else ""
    frame.findings.error(
        "RW202",
        f"`{one_line(written)}` has no unit, and `{one_line(other.span.text)}` is {other.dim}",
        bare.span,
        note="a bare number",
        labels=[Label(other.span, other.dim)],
        help="write " + " or ".join(f"`{sign}{text}`" for text in meant) if meant else f"write {other.dim}",
        fixes=[replacing(bare.span, sign + text) for text in meant],
    )
    frame.bench.spoilt = True
    return nothing(bare.span)


def compared(left: Quantity, right: Quantity, frame: Frame) -> tuple[Quantity, Quantity] | None:
    """Two quantities that are compared, of one dimension; None, reported, if they cannot be."""
    left, right = agreed(left, right, frame)
    if left.expr is None or right.expr is None:
        return None
    if comparable(left.dim, right.dim):
        return left, right
    frame.findings.error(
        "RW203",
        f"`{one_line(left.span.text)}` is {left.dim}, and `{one_line(right.span.text)}` is {right.dim}",
        right.span,
        note=right.dim,
        labels=[Label(left.span, left.dim)],
        help=f"compare it with {left.dim}{_LIKE.get(left.dim, '')}",
    )
    frame.bench.spoilt = True
    return None


_LIKE = {Dim.SHARE: ", such as `99%`", Dim.TIME: ", such as `500ms`"}


# --- references -------------------------------------------------------------------------------------------------


def _reference(ref: syntax.Ref, frame: Frame) -> Quantity:
    resolved = resolve_ref(ref, frame)
    if resolved.value is not None:
        return _of_value(plain_value(ref, resolved, frame), ref.span, frame)
    if resolved.function:
        return _function(ref, resolved, frame)
    if resolved.declared is None:
        return nothing(ref.span)
    return _measured(ref, resolved, frame)


class MetricUse(NamedTuple):
    """A metric of the Program, as it was asked for."""

    key: str
    unit: ir.Unit
    name: str


def use_metric(ref: syntax.Ref, resolved: Resolved, frame: Frame) -> MetricUse | None:
    """The metric that a reference names, its arguments bound; it will be worked out later."""
    declared = resolved.declared
    assert declared is not None
    assert isinstance(declared.node, syntax.Metric)
    bound = bind(declared, declared.node.params, resolved.args or (), frame, resolved.name_span or ref.span)
    unit = unit_of(declared)
    if bound is None or unit is None:
        frame.bench.spoilt = True
        return None
    key = frame.bench.key(Space.VALUE, declared, declared.name + shown(bound))
    inner = frame.enter(declared, ref.span, bound)
    if inner is None:
        return None
    frame.bench.wanted.append(Wanted(key, declared, bound, inner, frame.asked or ref.span))
    return MetricUse(key, unit, declared.name)


def unit_of(declared: Declared) -> ir.Unit | None:
    """What a metric returns, None for a word that is no unit."""
    assert isinstance(declared.node, syntax.Metric)
    text = declared.node.unit.text
    return ir.Unit(text) if text in _UNITS else None


_UNITS = frozenset(ir.Unit)


def _measured(ref: syntax.Ref, resolved: Resolved, frame: Frame) -> Quantity:
    arm = arm_of(ref, frame)
    use = use_metric(ref, resolved, frame)
    if use is None:
        return nothing(ref.span)
    parts = PARTS.get(use.unit)
    if parts is None:
        if resolved.parts:
            _no_part(ref, use, resolved.parts[0], frame)
            return nothing(ref.span)
        measure = ir.Measure(use.key, arm, frame.window)
        return Quantity(OF_UNIT[use.unit], measure, ref.span, ratio=use.unit is ir.Unit.RATIO)
    if not resolved.parts:
        _whole(ref, use, frame)
        return nothing(ref.span)
    part = resolved.parts[0]
    if part.name.text not in parts or len(resolved.parts) > 1:
        _no_part(ref, use, part if len(resolved.parts) == 1 else resolved.parts[1], frame)
        return nothing(ref.span)
    q = _quantile(part, frame)
    dim = parts[part.name.text]
    if q is None and part.name.text == "quantile":
        return nothing(ref.span)
    picked: Any = part.name.text
    return Quantity(dim, ir.Measure(use.key, arm, frame.window, picked, q), ref.span)


def _quantile(part: syntax.Segment, frame: Frame) -> float | None:
    """The argument of `.quantile(q)`; the other parts take none."""
    names = ["q"] if part.name.text == "quantile" else []
    placed = Placed(f"`.{part.name.text}`", part.args or (), names, frame.findings, None)
    if names and placed.fine and not placed.given:
        placed.missing("q", part.span)
    if not placed.fine:
        frame.bench.spoilt = True
        return None
    arg = placed.given.get("q")
    return inner_share(arg.value, frame, "a quantile") if arg is not None else None


def arm_of(ref: syntax.Ref, frame: Frame) -> ir.Arm:
    """Whom a reference asks about."""
    if ref.arm is None:
        return ir.Arm.CANARY
    word = ref.arm.text
    if word not in set(ir.Arm):
        message = f"there is no `{word}` to ask about"
        other = "a check may ask about the `canary`, the `primary` and the `baseline`"
        frame.findings.unknown("RW213", message, word, ref.arm.span, list(ir.Arm), other=other)
        frame.bench.spoilt = True
        return ir.Arm.CANARY
    if word == ir.Arm.BASELINE and frame.bench.baseline is False:
        _no_baseline(ref.arm, frame)
    return ir.Arm(word)


def _no_baseline(arm: syntax.Name, frame: Frame) -> None:
    rollout = frame.bench.rollout
    labels = [Label(rollout.name.span, "this rollout has no `baseline`")] if rollout is not None else []
    frame.findings.error(
        "RW216",
        "there is no baseline to ask about",
        arm.span,
        labels=labels,
        help="add the statement `baseline` to the rollout, or ask `of primary`",
        fixes=[replacing(arm.span, "primary")],
    )
    frame.bench.spoilt = True


def _whole(ref: syntax.Ref, use: MetricUse, frame: Frame) -> None:
    parts = [".quantile(0.99)"] if use.unit is ir.Unit.HISTOGRAM else [".rate", ".total", ".bad"]
    what = "a histogram" if use.unit is ir.Unit.HISTOGRAM else "counts of events"
    end = ref.segments[-1].span.end
    at = Span(ref.span.source, ref.span.start, end)
    frame.findings.error(
        "RW207",
        f"`{use.name}` is {what}, not a number",
        at,
        help="pick a number out of it: " + " or ".join(f"`{at.text}{part}`" for part in parts),
        fixes=[replacing(at, at.text + part) for part in parts],
    )
    frame.bench.spoilt = True


def _no_part(ref: syntax.Ref, use: MetricUse, part: syntax.Segment, frame: Frame) -> None:
    known = list(PARTS.get(use.unit, ()))
    message = f"`{use.name}` has no `.{part.name.text}`"
    if len(ref.segments) and part.name.text in known:
        message = f"nothing follows `.{ref.segments[-2].name.text}`"
    other = f"its parts are {listed(known)}" if known else f"it returns {use.unit.value}, a number without parts"
    frame.findings.unknown("RW208", message, part.name.text, part.name.span, known, other=other)
    frame.bench.spoilt = True


# --- functions --------------------------------------------------------------------------------------------------


def _function(ref: syntax.Ref, resolved: Resolved, frame: Frame) -> Quantity:
    name = resolved.function
    if name in TESTS:
        return _refuse(ref.span, "a statistical check", frame)
    args = [quantity_of(arg.value, frame) for arg in resolved.args or ()]
    if resolved.parts or ref.arm is not None or any(arg.name is not None for arg in resolved.args or ()):
        return _misused(ref, name, frame)
    if len(args) != 1 if name == "abs" else len(args) < 2:
        return _misused(ref, name, frame)
    if any(arg.dim is Dim.UNKNOWN for arg in args):
        return nothing(ref.span)
    first = args[0]
    for number, other in enumerate(args[1:], 1):
        pair = compared(first, other, frame)
        if pair is None:
            return nothing(ref.span)
        first, args[number] = pair
    args[0] = first
    constants = [arg.constant for arg in args if arg.constant is not None]
    if len(constants) == len(args):
        pick: Callable[[list[float]], float] = {"min": min, "max": max}.get(name, lambda values: abs(values[0]))
        return fixed(first.dim, pick(constants), ref.span)
    exprs = tuple(arg.expr for arg in args if arg.expr is not None)
    function: Any = name
    return Quantity(first.dim, ir.Func(function, exprs), ref.span, ratio=all(a.ratio for a in args))


def _misused(ref: syntax.Ref, name: str, frame: Frame) -> Quantity:
    takes = "`abs(x)`" if name == "abs" else f"`{name}(a, b)`"
    frame.findings.error(
        "RW122",
        f"`{name}` takes {'one quantity' if name == 'abs' else 'two quantities or more'}",
        ref.span,
        help=f"write {takes}",
    )
    frame.bench.spoilt = True
    return nothing(ref.span)
