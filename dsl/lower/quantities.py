"""Expressions as quantities: literals, constants, metrics, arithmetic and functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dsl import ir, syntax
from dsl.findings import one_line
from dsl.lower.measures import measured
from dsl.meaning.evaluate import Resolved, plain_value, resolve_ref, value_of
from dsl.meaning.frames import Frame
from dsl.meaning.quantities import Quantity, agreed, combined, compared, fixed, nothing, refuse
from dsl.meaning.scope import TESTS
from dsl.meaning.types import OF_TYPE, Dim
from dsl.meaning.values import Type, Value, shifted, unknown
from dsl.source import Span

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
            return refuse(expr.span, "a condition", frame)
        case _:
            return _of_value(value_of(expr, frame), expr.span, frame)


def _of_value(value: Value, span: Span, frame: Frame) -> Quantity:
    dim = OF_TYPE.get(value.type)
    if dim is None:
        return refuse(span, value.type, frame)
    if not value.known:
        return nothing(span)
    origin = value.span if value.span != span else None
    return fixed(dim, shifted(value.data, _TO_BASE[value.type]), span)._replace(origin=origin)


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


def _negated(expr: syntax.Negate, frame: Frame) -> Quantity:
    inner = quantity_of(expr.operand, frame)
    if inner.constant is not None:
        return fixed(inner.dim, -inner.constant, expr.span)
    if not inner.known:
        return nothing(expr.span)
    return inner._replace(expr=ir.Func("neg", (inner.expr,)), span=expr.span)


def _chain(expr: syntax.Chain, frame: Frame) -> Quantity:
    so_far = quantity_of(expr.operands[0], frame)
    operands: list[ir.Expr] = [so_far.expr]
    operators: list[Any] = []
    for sign, operand in zip(expr.operators, expr.operands[1:], strict=True):
        right = quantity_of(operand, frame)
        span = so_far.span.to(right.span)
        if sign in "+-":
            so_far, right = agreed(so_far, right, frame)
            if so_far.constant is not None:
                operands = [so_far.expr]
        so_far = combined(sign, so_far, right, span, frame)
        if so_far.constant is not None:
            operands, operators = [so_far.expr], []
        else:
            operands.append(right.expr)
            operators.append(sign)
    if so_far.dim is Dim.UNKNOWN:
        return nothing(expr.span)
    if so_far.constant is not None:
        return so_far._replace(span=expr.span)
    return so_far._replace(expr=ir.Arith(tuple(operands), tuple(operators)), span=expr.span)


def _reference(ref: syntax.Ref, frame: Frame) -> Quantity:
    resolved = resolve_ref(ref, frame)
    if resolved.value is not None:
        found = _of_value(plain_value(ref, resolved.value, resolved, frame), ref.span, frame)
        return found._replace(argument=ref.segments[0].name.text in frame.bindings and found.origin is not None)
    if resolved.function:
        return _function(ref, resolved, frame)
    if resolved.declared is None:
        return nothing(ref.span)
    return measured(ref, resolved.declared, resolved, frame)


def _function(ref: syntax.Ref, resolved: Resolved, frame: Frame) -> Quantity:
    name = resolved.function
    if name in TESTS:
        return refuse(ref.span, "a statistical check", frame)
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
    exprs = tuple(arg.expr for arg in args)
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
