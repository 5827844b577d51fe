"""Quantities: a dimension with an expression of the Program, and what can be done with two of them.

Constants are worked out at once, so that `let` and parameters leave no trace; what asks a metric stays an expression.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import isfinite
from typing import NamedTuple

from dsl import ir
from dsl.diagnostics import Label
from dsl.findings import one_line, replacing
from dsl.meaning.frames import Frame
from dsl.meaning.types import Dim, arithmetic, comparable, readings
from dsl.meaning.values import clean
from dsl.source import Span


class Quantity(NamedTuple):
    """`constant` is the value in base units, if it is known now; `expr` means something only if the quantity is known.

    `ratio` is whether a bare number beside it is a ratio: it comes from a metric that returns one. `origin` is where a
    constant was written, if elsewhere, and `argument` whether it was given as an argument there.
    """

    dim: Dim
    expr: ir.Expr
    span: Span
    constant: float | None = None
    ratio: bool = False
    origin: Span | None = None
    argument: bool = False

    @property
    def known(self) -> bool:
        return self.dim is not Dim.UNKNOWN

    @property
    def bare(self) -> bool:
        """A number that no unit and no metric stands behind."""
        return self.constant is not None and self.dim is Dim.NUMBER


_NOTHING = ir.Const(0.0)


def nothing(span: Span) -> Quantity:
    """What stands for a quantity that could not be had."""
    return Quantity(Dim.UNKNOWN, _NOTHING, span)


def fixed(dim: Dim, base: float, span: Span) -> Quantity:
    """A constant, in base units. How it is shown depends on what it is and not on how it was written."""
    unit = ir.Unit.NUMBER
    if dim is Dim.SHARE:
        unit = ir.Unit.PERCENT
    elif dim is Dim.TIME:
        unit = ir.Unit.SECONDS if base == base // 1 else ir.Unit.MILLISECONDS
    return Quantity(dim, ir.Const(base, unit), span, base)


def refuse(span: Span, what: str, frame: Frame) -> Quantity:
    frame.findings.error(
        "RW206",
        f"`{one_line(span.text)}` is {what}, and a quantity has to stand here",
        span,
        help="a quantity is a metric, a number, a percentage or a duration",
    )
    frame.bench.spoilt = True
    return nothing(span)


# --- arithmetic -------------------------------------------------------------------------------------------------

_OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_VERBS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}


def combined(sign: str, left: Quantity, right: Quantity, span: Span, frame: Frame) -> Quantity:
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
        return fixed(dim, result, span) if isfinite(result) else refuse(span, "too large", frame)
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
        note=right.dim.value,
        labels=[Label(left.span, left.dim.value)],
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
    meant = readings(abs(bare.constant), other.dim, ratio=other.ratio)
    at = bare.origin or bare.span
    written = at.text
    sign = "-" if bare.constant < 0 else ""
    frame.findings.error(
        "RW202",
        f"`{one_line(written)}` has no unit, and `{one_line(other.span.text)}` is {other.dim}",
        at,
        note="a bare number",
        labels=[Label(other.span, other.dim.value), *([Label(bare.span, "it stands here")] if bare.origin else [])],
        help="write " + " or ".join(f"`{sign}{text}`" for text in meant) if meant else f"write {other.dim}",
        fixes=[replacing(at, sign + text) for text in meant],
    )
    frame.bench.spoilt = True
    return nothing(bare.span)


def compared(left: Quantity, right: Quantity, frame: Frame) -> tuple[Quantity, Quantity] | None:
    """Two quantities that are compared, of one dimension; None, reported, if they cannot be."""
    left, right = agreed(left, right, frame)
    if not left.known or not right.known:
        return None
    if comparable(left.dim, right.dim):
        return left, right
    given = next((side for side in (right, left) if side.argument), None)
    frame.findings.error(
        "RW203",
        f"`{one_line(left.span.text)}` is {left.dim}, and `{one_line(right.span.text)}` is {right.dim}",
        given.origin if given is not None and given.origin is not None else right.span,
        note=(given or right).dim.value,
        labels=_sides(left, right, given),
        help=f"compare it with {left.dim}{_LIKE.get(left.dim, '')}",
    )
    frame.bench.spoilt = True
    return None


def _sides(left: Quantity, right: Quantity, given: Quantity | None) -> list[Label]:
    """Both sides of a comparison, but for the one at which the message stands."""
    if given is None:
        written = [Label(side.origin, "its value") for side in (left, right) if side.origin is not None]
        return [Label(left.span, left.dim.value), *written]
    return [Label(side.span, side.dim.value) for side in (left, right)]


_LIKE = {Dim.SHARE: ", such as `99%`", Dim.TIME: ", such as `500ms`"}
