"""What an expression comes to when it measures nothing: literals, constants, and sums of them, in base units.

Shares are ratios and times are seconds, as in the Program. A parameter is not known here: what depends on one is None,
and no rule speaks about it.
"""

from __future__ import annotations

from dsl import syntax
from dsl.rules.context import Context

_DEEPEST = 20


def number(context: Context, expr: syntax.Expr | None, depth: int = 0) -> float | None:
    """The value of an expression in base units, None if it is not known."""
    match expr:
        case syntax.Number():
            return expr.value
        case syntax.Percent():
            return float(f"{expr.value / 100:.12g}")
        case syntax.Duration():
            return expr.ms / 1000
        case syntax.Negate():
            inner = number(context, expr.operand, depth + 1)
            return None if inner is None else -inner
        case syntax.Ref() if depth < _DEEPEST:
            let = constant(context, expr)
            return None if let is None else _value(context, let, depth)
        case syntax.Chain() if depth < _DEEPEST:
            return _chain(context, expr, depth)
        case _:
            return None


def _value(context: Context, let: syntax.Let, depth: int) -> float | None:
    known = context.constants
    if id(let) not in known:
        known[id(let)] = None  # while it is being worked out: one that leads back to itself has no value
        known[id(let)] = number(context, let.value, depth + 1)
    return known[id(let)]


def milliseconds(context: Context, expr: syntax.Expr | None) -> int | None:
    """A duration in milliseconds, None if it is not known."""
    seconds = number(context, expr)
    return None if seconds is None else round(seconds * 1000)


def constant(context: Context, ref: syntax.Ref) -> syntax.Let | None:
    """The constant that a reference names."""
    if any(segment.args is not None for segment in ref.segments) or ref.arm is not None:
        return None
    name = ref.segments[-1].name.text
    inner = context.inner_constants.get(name) if len(ref.segments) == 1 else None
    if inner:
        return inner[0] if len(inner) == 1 and name not in context.parameters else None
    return context.find(syntax.Let, name)


def _chain(context: Context, chain: syntax.Chain, depth: int) -> float | None:
    total = number(context, chain.operands[0], depth + 1)
    for operator, operand in zip(chain.operators, chain.operands[1:], strict=False):
        value = number(context, operand, depth + 1)
        if total is None or value is None or (operator == "/" and value == 0):
            return None
        match operator:
            case "+":
                total += value
            case "-":
                total -= value
            case "*":
                total *= value
            case _:
                total /= value
    return None if total is None else float(f"{total:.12g}")


def field(fields: tuple[object, ...], name: str) -> syntax.Field | None:
    """The setting of that name in a block."""
    for each in fields:
        if isinstance(each, syntax.Field) and each.name.text == name:
            return each
    return None


def duration_text(ms: float) -> str:
    """A duration as the language writes it: `1h30m`."""
    left, parts = round(ms), []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or "0s"


def share_text(percent: float) -> str:
    """A share as the language writes it: `20%`."""
    return f"{percent:g}%"
