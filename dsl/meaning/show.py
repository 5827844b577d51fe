"""Conditions of a Program as text: the words of the policy, with parameters and constants put in."""

from __future__ import annotations

from collections.abc import Mapping

from dsl import ir
from dsl.meaning.values import duration_text, number_text, shifted

Windows = Mapping[int, tuple[object, int]]
"""By the identity of a condition, the condition itself and the window that is written behind it."""

_NONE: Windows = {}


def condition_text(condition: ir.Condition, windows: Windows = _NONE) -> str:
    """A condition on one line."""
    return _condition(condition, windows, 0)


def expr_text(expr: ir.Expr, level: int = 0) -> str:
    """A quantity; `level` is 1 inside a product or behind a minus, 2 behind a division."""
    match expr:
        case ir.Const():
            return const_text(expr)
        case ir.Measure():
            return measure_text(expr)
        case ir.Func(name="neg"):
            return f"-{expr_text(expr.args[0], 2)}"
        case ir.Func():
            return f"{expr.name}({', '.join(expr_text(arg) for arg in expr.args)})"
        case ir.Arith():
            return _arith(expr, level)


def const_text(const: ir.Const) -> str:
    """A quantity in the unit that it was written in."""
    match const.unit:
        case ir.Unit.PERCENT:
            return f"{number_text(shifted(const.value, 2))}%"
        case ir.Unit.SECONDS | ir.Unit.MILLISECONDS:
            return duration_text(shifted(const.value, 3))
        case _:
            return number_text(const.value)


def measure_text(measure: ir.Measure) -> str:
    """A metric, the part of it that is asked for, and the arm, if it is not the canary."""
    text = measure.metric
    if measure.part == "quantile":
        text += f".quantile({number_text(measure.q or 0.0)})"
    elif measure.part != "value":
        text += f".{measure.part}"
    return text if measure.arm is ir.Arm.CANARY else f"{text} of {measure.arm.value}"


def _arith(expr: ir.Arith, level: int) -> str:
    sums = expr.operators[0] in "+-"
    texts = [expr_text(expr.operands[0], 0 if sums else 1)]
    for operator, operand in zip(expr.operators, expr.operands[1:], strict=True):
        texts += [operator, expr_text(operand, 1 if sums else 2)]
    text = " ".join(texts)
    return f"({text})" if level == 2 or (level == 1 and sums) else text


def _condition(condition: ir.Condition, windows: Windows, level: int) -> str:
    """`level` is 1 inside `and`, 2 behind `not`."""
    match condition:
        case ir.Compare():
            text = f"{expr_text(condition.left)} {condition.cmp} {expr_text(condition.right)}"
        case ir.Between():
            low, high = expr_text(condition.low), expr_text(condition.high)
            text = f"{expr_text(condition.value)} in {low}..{high}"
        case ir.NotOf():
            text = f"not {_condition(condition.condition, windows, 2)}"
        case ir.Statistical():
            text = statistical_text(condition)
        case ir.Judgement(groups=groups):
            text = f"judgement of {', '.join(group.name for group in groups)}"
        case ir.AllOf():
            text = " and ".join(_condition(part, windows, 1) for part in condition.conditions)
            text = f"({text})" if level == 2 else text
        case ir.AnyOf():
            text = " or ".join(_condition(part, windows, 1) for part in condition.conditions)
            text = f"({text})" if level else text
    written = windows.get(id(condition))
    if written is None:
        return text
    if isinstance(condition, ir.AllOf | ir.AnyOf) and not text.startswith("("):
        text = f"({text})"
    return f"{text} over {duration_text(written[1])}"


def statistical_text(test: ir.Statistical) -> str:
    """`no_regression(requests)`, `meets(payments, 99.5%)`: what is the default is left out."""
    from dsl.lower.statistics import TABLE  # noqa: PLC0415 - which knows the defaults, and stands above this module

    usual = {name: getattr(parameter, "default", False) for name, parameter in TABLE[test.test].parameters.items()}
    shown = [expr_text(test.expr) if test.expr is not None else test.metric]
    for name, value in test.params.items():
        if name == "objective":
            shown.append(_share_text(value))
        elif value != usual[name]:
            text = _share_text(value) if name in ("confidence", "tolerance") else number_text(value)
            shown.append(f"{name}: {text}")
    for name, word in test.options.items():
        if word != (usual[name] or "false"):
            shown.append(f"{name}: {word}")
    return f"{test.test}({', '.join(shown)})"


def _share_text(value: float) -> str:
    return f"{number_text(shifted(value, 2))}%"
