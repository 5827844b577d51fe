"""Steps that no run can come to: behind `promote` or `rollback`, or in the arm of a condition that never changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from dsl import syntax
from dsl.diagnostics import Diagnostic, Label
from dsl.flow import compare
from dsl.rules.constants import number
from dsl.rules.context import Context
from dsl.rules.severities import finding

_DEEPEST = 30


def check(context: Context) -> Iterator[Diagnostic]:
    blocks: list[tuple[Any, ...]] = []
    for kind in (syntax.Steps, syntax.Strategy, syntax.Repeat, syntax.For):
        blocks += (node.steps for node in context.every(kind))  # type: ignore[attr-defined]
    for branch in context.every(syntax.If):
        blocks += (branch.then, branch.otherwise)
        yield from _constant(context, branch)
    for steps in blocks:
        yield from _behind_the_end(context, steps)


def _behind_the_end(context: Context, steps: tuple[Any, ...]) -> Iterator[Diagnostic]:
    for step, following in pairwise(step for step in steps if not isinstance(step, syntax.Let)):
        if terminates(context, step):
            word = "`promote`" if isinstance(following, syntax.Promote) else "step"
            yield finding(
                "RW330",
                f"this {word} cannot be reached",
                following.span,
                labels=[Label(step.span, "the rollout ends here")],
                help="take it out, or move it up",
            )
            return


def terminates(context: Context, step: Any, depth: int = 0) -> bool:
    """Whether every run ends in this step, one way or the other."""
    if depth > _DEEPEST:
        return False
    match step:
        case syntax.Promote() | syntax.Rollback():
            return True
        case syntax.If():
            return ends(context, step.then, depth + 1) and ends(context, step.otherwise, depth + 1)
        case syntax.Repeat() | syntax.For():
            return ends(context, step.steps, depth + 1)
        case syntax.Follow():
            strategy = context.used(syntax.Strategy, step.strategy)
            return strategy is not None and _strategy_ends(context, strategy, depth)
        case _:
            return False


def _strategy_ends(context: Context, strategy: syntax.Strategy, depth: int) -> bool:
    known = context.ending
    if id(strategy) not in known:
        known[id(strategy)] = False  # while it is being worked out: one that follows itself does not end
        known[id(strategy)] = ends(context, strategy.steps, depth + 1)
    return known[id(strategy)]


def ends(context: Context, steps: tuple[Any, ...], depth: int = 0) -> bool:
    """Whether every run through these steps ends in them."""
    return any(terminates(context, step, depth) for step in steps)


def _constant(context: Context, node: syntax.If) -> Iterator[Diagnostic]:
    outcome = truth(context, node.condition)
    if outcome is None:
        return
    dead = node.otherwise if outcome else node.then
    labels = [Label(dead[0].span.to(dead[-1].span), "never carried out")] if dead else []
    yield finding(
        "RW331",
        f"this condition is always {'true' if outcome else 'false'}",
        node.condition.span,
        labels=labels,
        help="ask about a metric, or keep only the steps that are carried out",
    )


def truth(context: Context, condition: syntax.Expr, depth: int = 0) -> bool | None:
    """What a condition comes to if it measures nothing, else None."""
    if depth > _DEEPEST:
        return None
    match condition:
        case syntax.Bool():
            return condition.value
        case syntax.Compare():
            left, right = number(context, condition.left), number(context, condition.right)
            return None if left is None or right is None else compare(condition.op, left, right)
        case syntax.Within():
            value, low, high = (number(context, e) for e in (condition.value, condition.low, condition.high))
            return None if value is None or low is None or high is None else low <= value <= high
        case syntax.Over():
            return truth(context, condition.operand, depth + 1)
        case syntax.Not():
            inner = truth(context, condition.operand, depth + 1)
            return None if inner is None else not inner
        case syntax.And() | syntax.Or():
            decides = isinstance(condition, syntax.Or)
            parts = [truth(context, part, depth + 1) for part in condition.operands]
            if decides in parts:
                return decides
            return None if None in parts else not decides
        case _:
            return None
