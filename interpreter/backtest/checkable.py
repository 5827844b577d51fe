"""Which checks of a policy a Prometheus can answer.

A check that asks anything else, or a template that is an object of a cluster, is left out of the analysis and named. A
policy of which no check remains cannot be replayed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from dsl.ir import Analysis, CallCheck, Check, GateCheck, Metric, Program
from interpreter.analysis.judge import questions


class LeftOut(NamedTuple):
    """A check that is not replayed, and why."""

    check: str
    why: str


class Checkable(NamedTuple):
    """The Program with the checks that remain."""

    program: Program
    left_out: tuple[LeftOut, ...]
    remaining: int


def checkable(program: Program) -> Checkable:
    """The Program without what a Prometheus cannot answer. Calls and gates stay: they are taken to say yes."""
    left_out: dict[LeftOut, None] = {}
    analyses: dict[str, Analysis] = {}
    remaining = 0
    for name, analysis in program.analyses.items():
        kept: list[Check | CallCheck | GateCheck] = []
        for check in analysis.checks:
            why = _unanswerable(program, analysis, check) if isinstance(check, Check) else ""
            if why and isinstance(check, Check):
                left_out[LeftOut(check.text, why)] = None
            else:
                kept.append(check)
        remaining += sum(isinstance(check, Check) for check in kept)
        analyses[name] = replace(analysis, checks=tuple(kept))
    return Checkable(replace(program, analyses=analyses), tuple(left_out), remaining)


def assumed(program: Program) -> tuple[str, ...]:
    """What a rollout asks beside metrics, and a replay cannot: webhooks and gates, by name."""
    return (*(f"webhook `{name}`" for name in program.webhooks), *(f"gate `{name}`" for name in program.gates))


def _unanswerable(program: Program, analysis: Analysis, check: Check) -> str:
    alone = replace(analysis, checks=(check,))
    names = dict.fromkeys(question.metric for question in questions(program, alone, 0))
    return next(filter(None, (_why(name, program.metrics[name]) for name in names)), "")


def _why(name: str, metric: Metric) -> str:
    if metric.template is not None:
        return f"`{name}` is the template `{metric.template}`, which is an object of a cluster"
    others = sorted({query.provider for query in metric.queries} - {"prometheus"})
    return f"`{name}` is asked of {', '.join(others)}, which is no Prometheus" if others else ""
