"""Guardrails at run time. The linter has proven most of them; what depends on time and on people is held here."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator

from dsl.ir import Check, Condition, Expr, Limit, Measure, Program, Statistical, walk
from interpreter.durations import duration
from interpreter.turn import Turn

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def refuses_route(turn: Turn, weight: float, mirror: float) -> tuple[str, int | None] | None:
    """Why this routing may not be set now, and until when (on the machine's clock; None: never); None if it may."""
    step = weight - turn.state.routing.weight
    for name, guardrail in turn.program.guardrails.items():
        for limit in guardrail.limits:
            value = {"traffic": weight, "step": step, "mirror": mirror}[limit.subject]
            if value <= 0 or not _COMPARE[limit.cmp](value, limit.value):
                continue
            until = _until(turn, limit)
            if until is None or until > turn.clock:
                return f"guardrail `{name}` forbids {_words(limit)}", until
    return None


def _until(turn: Turn, limit: Limit) -> int | None:
    return None if limit.within_ms is None else turn.running.began_ms + limit.within_ms


def _words(limit: Limit) -> str:
    words = f"{limit.subject} {limit.cmp} {limit.value:g}%"
    return words if limit.within_ms is None else f"{words} within {duration(limit.within_ms)} of the start"


def approval_missing(turn: Turn) -> str | None:
    """The guardrail that asks for an approval which this run does not have yet."""
    if turn.running.approvals:
        return None
    return next((name for name, g in turn.program.guardrails.items() if g.approval_before_promote), None)


def promotion_gates(turn: Turn) -> tuple[str, ...]:
    """The gates that must be open for the promotion."""
    return tuple(gate for g in turn.program.guardrails.values() for gate in g.gates_before_promote)


def forbids_start(turn: Turn) -> str | None:
    """Why this Program may not run at all. The linter says the same; this holds for what was never linted."""
    program = turn.program
    if not program.guardrails:
        return None
    used = _metrics_used(program)
    for name, guardrail in program.guardrails.items():
        for metric in guardrail.metrics:
            if metric not in used:
                return f"guardrail `{name}` requires the metric `{metric}`, which no check uses"
        for analysis_name, analysis in program.analyses.items():
            for cmp, bound in guardrail.analysis_every:
                if not _COMPARE[cmp](analysis.every_ms, bound):
                    return (
                        f"guardrail `{name}` requires analysis every {cmp} {duration(bound)}; `{analysis_name}` is not"
                    )
    return None


def forbids_skip(turn: Turn) -> str | None:
    """The guardrail that forbids promotion without analysis."""
    return next((name for name, g in turn.program.guardrails.items() if g.no_skip_analysis), None)


def _metrics_used(program: Program) -> frozenset[str]:
    """The metrics that the checks speak of, and those that these are made of."""
    checks = (check for analysis in program.analyses.values() for check in analysis.checks)
    found = {name for check in checks if isinstance(check, Check) for name in _metrics_in(check.condition)}
    todo = list(found)
    while todo:
        metric = program.metrics.get(todo.pop())
        if metric is not None and metric.expr is not None:
            inner = set(_metrics_in(metric.expr)) - found
            found |= inner
            todo.extend(inner)
    return frozenset(found)


def _metrics_in(condition: Condition | Expr) -> Iterator[str]:
    """Every metric that a condition speaks of by name."""
    return (node.metric for node in walk(condition) if isinstance(node, Measure | Statistical))
