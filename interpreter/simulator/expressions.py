"""Conditions and expressions of a Program read as plain arithmetic over the knobs of the simulated world.

This is for choosing values, not for judging a rollout: judging is `interpreter.analysis`. A derived metric is replaced
by its expression, asked for the same arm and window as the metric itself, down to the leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, isfinite
from typing import assert_never

from dsl.ir import (
    AllOf,
    AnyOf,
    Arith,
    Arm,
    Between,
    Compare,
    Condition,
    Const,
    Expr,
    Func,
    Judgement,
    Measure,
    Metric,
    NotOf,
    Statistical,
)
from interpreter.analysis.readings import at_most, compare
from interpreter.analysis.statistical import tests_in
from interpreter.simulator.knobs import Knob, Setting, number

Metrics = Mapping[str, Metric]


def outward(inner: Measure, outer: Measure) -> Measure:
    """A measure inside a derived metric, asked as the derived metric itself is asked."""
    arm = outer.arm if inner.arm is Arm.CANARY else inner.arm
    return Measure(inner.metric, arm, outer.window_ms, inner.part, inner.q)


def behind(measure: Measure, metrics: Metrics) -> Expr | None:
    """What a derived metric stands for, None for a leaf. Parts of an alias are parts of what it is another name of."""
    expr = metrics[measure.metric].expr
    if isinstance(expr, Measure) and measure.part != "value":
        return Measure(expr.metric, expr.arm, expr.window_ms, measure.part, measure.q)
    return expr


def leaves(expr: Expr, metrics: Metrics) -> Iterator[Measure]:
    """The measures of leaf metrics that an expression stands on."""
    match expr:
        case Const():
            return
        case Measure():
            inner = behind(expr, metrics)
            if inner is None:
                yield expr
                return
            yield from (outward(leaf, expr) for leaf in leaves(inner, metrics))
        case Arith():
            for operand in expr.operands:
                yield from leaves(operand, metrics)
        case Func():
            for argument in expr.args:
                yield from leaves(argument, metrics)
        case _:
            assert_never(expr)


def constants(expr: Expr, metrics: Metrics) -> Iterator[float]:
    """The constants in an expression and in the derived metrics that it names."""
    match expr:
        case Const():
            yield expr.value
        case Measure():
            inner = behind(expr, metrics)
            if inner is not None:
                yield from constants(inner, metrics)
        case Arith():
            for operand in expr.operands:
                yield from constants(operand, metrics)
        case Func():
            for argument in expr.args:
                yield from constants(argument, metrics)
        case _:
            assert_never(expr)


def expressions(condition: Condition) -> Iterator[Expr]:
    """The outermost expressions of a condition."""
    match condition:
        case Compare():
            yield from (condition.left, condition.right)
        case Between():
            yield from (condition.value, condition.low, condition.high)
        case AllOf() | AnyOf():
            for part in condition.conditions:
                yield from expressions(part)
        case NotOf():
            yield from expressions(condition.condition)
        case Statistical():
            yield from statistical_measures(condition)
        case Judgement():
            for test in tests_in(condition):
                yield from statistical_measures(test)
        case _:
            assert_never(condition)


def statistical_measures(test: Statistical) -> tuple[Expr, ...]:
    """What a statistical check looks at, as measures of each arm that it compares."""
    arms = (Arm.CANARY,) if test.against is None else (Arm.CANARY, test.against)
    if test.expr is not None:
        return (test.expr, *(_moved(test.expr, arm) for arm in arms[1:]))
    if test.test == "no_slower":
        return tuple(Measure(test.metric, arm, test.window_ms, "quantile", 0.5) for arm in arms)
    return tuple(Measure(test.metric, arm, test.window_ms, "rate") for arm in arms)


def _moved(expr: Expr, arm: Arm) -> Expr:
    match expr:
        case Const():
            return expr
        case Measure():
            return Measure(expr.metric, arm, expr.window_ms, expr.part, expr.q)
        case Arith():
            return Arith(tuple(_moved(operand, arm) for operand in expr.operands), expr.operators)
        case Func():
            return Func(expr.name, tuple(_moved(argument, arm) for argument in expr.args))
        case _:
            assert_never(expr)


def value(expr: Expr, metrics: Metrics, setting: Setting) -> float:
    """What the expression comes to; a division by nothing is infinite."""
    match expr:
        case Const():
            return expr.value
        case Measure():
            return _measured(expr, metrics, setting)
        case Arith():
            return _folded(expr, metrics, setting)
        case Func():
            return _applied(expr, [value(argument, metrics, setting) for argument in expr.args])
        case _:
            assert_never(expr)


def _measured(measure: Measure, metrics: Metrics, setting: Setting) -> float:
    inner = behind(measure, metrics)
    if inner is None:
        return number(measure.metric, measure, setting)

    def asked(knob: Knob, arm: Arm) -> float:
        return setting(knob, measure.arm if arm is Arm.CANARY else arm)

    return value(_windowed(inner, measure.window_ms), metrics, asked)


def _windowed(expr: Expr, window_ms: int) -> Expr:
    match expr:
        case Const():
            return expr
        case Measure():
            return Measure(expr.metric, expr.arm, window_ms, expr.part, expr.q)
        case Arith():
            return Arith(tuple(_windowed(operand, window_ms) for operand in expr.operands), expr.operators)
        case Func():
            return Func(expr.name, tuple(_windowed(argument, window_ms) for argument in expr.args))
        case _:
            assert_never(expr)


def _folded(expr: Arith, metrics: Metrics, setting: Setting) -> float:
    total = value(expr.operands[0], metrics, setting)
    for operator, operand in zip(expr.operators, expr.operands[1:], strict=True):
        other = value(operand, metrics, setting)
        match operator:
            case "+":
                total += other
            case "-":
                total -= other
            case "*":
                total *= other
            case "/":
                total = total / other if other else inf
            case _:
                assert_never(operator)
    return total


def _applied(expr: Func, arguments: list[float]) -> float:
    match expr.name:
        case "min":
            return min(arguments)
        case "max":
            return max(arguments)
        case "abs":
            return abs(arguments[0])
        case "neg":
            return -arguments[0]
        case _:
            assert_never(expr.name)


def holds(condition: Condition, metrics: Metrics, setting: Setting) -> bool:
    """Whether the condition is true of the world. A number that is not finite makes a comparison false."""
    match condition:
        case Compare():
            left, right = (value(side, metrics, setting) for side in (condition.left, condition.right))
            return isfinite(left) and isfinite(right) and compare(condition.cmp, left, right) is True
        case Between():
            at = (value(part, metrics, setting) for part in (condition.low, condition.value, condition.high))
            low, middle, high = at
            return at_most(low, middle) and at_most(middle, high)
        case AllOf():
            return all(holds(part, metrics, setting) for part in condition.conditions)
        case AnyOf():
            return any(holds(part, metrics, setting) for part in condition.conditions)
        case NotOf():
            return not holds(condition.condition, metrics, setting)
        case Statistical():
            return _statistically(condition, metrics, setting)
        case Judgement():
            return all(_statistically(test, metrics, setting) for test in tests_in(condition))
        case _:
            assert_never(condition)


def _statistically(test: Statistical, metrics: Metrics, setting: Setting) -> bool:
    """What evidence would say in the long run: not worse than the other arm, or ten times better than the objective."""
    seen = [value(expr, metrics, setting) for expr in statistical_measures(test)]
    match test.test:
        case "meets" | "certified":
            return seen[0] <= (1 - test.params["objective"]) / 10
        case "no_regression" | "no_slower":
            return seen[0] <= seen[1]
        case "not_worse" | "kayenta":
            return len(seen) < 2 or seen[0] == seen[1]
        case _:
            assert_never(test.test)
