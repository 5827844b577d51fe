"""Every part of a condition, however deep, without recursion."""

from __future__ import annotations

from collections.abc import Iterator

from dsl.ir.conditions import (
    AllOf,
    AnyOf,
    Arith,
    Between,
    Compare,
    Condition,
    Const,
    Expr,
    Func,
    Judgement,
    Measure,
    NotOf,
    Statistical,
)


def walk(*roots: Condition | Expr) -> Iterator[Condition | Expr]:
    """The conditions and expressions given, and all that they are made of."""
    stack: list[Condition | Expr] = list(roots)
    while stack:
        node = stack.pop()
        yield node
        match node:
            case Compare(left=left, right=right):
                stack += (left, right)
            case Between(value=value, low=low, high=high):
                stack += (value, low, high)
            case AllOf(conditions=parts) | AnyOf(conditions=parts):
                stack += parts
            case NotOf(condition=inner):
                stack.append(inner)
            case Arith(operands=operands) | Func(args=operands):
                stack += operands
            case Statistical(expr=expr) if expr is not None:
                stack.append(expr)
            case Judgement(groups=groups):
                stack += (test for group in groups for test in group.tests)
            case Statistical() | Measure() | Const():
                continue
