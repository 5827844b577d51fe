"""Rollouts that end otherwise than their author thinks, late, or never: no promotion, a wait that nobody ends, a circle
of waits, more failures tolerated than there are checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dsl import ir, syntax
from dsl.compilation import CompiledRollout
from dsl.diagnostics import Diagnostic, Edit, Fix, Label
from dsl.findings import listed
from dsl.flow import reachable
from dsl.rules.constants import number
from dsl.rules.context import Context
from dsl.rules.severities import finding
from dsl.rules.unreachable import ends
from dsl.source import Span


def check(context: Context) -> Iterator[Diagnostic]:
    for rollout in context.every(syntax.Rollout):
        yield from _promotion(context, rollout)
        yield from _skipped_steps(rollout)
    for wait in context.every(syntax.WaitGate):
        yield from _endless(wait)
    yield from _circles(context)
    for compiled, program in context.rollouts:
        yield from _too_tolerant(context, compiled, program)


def _promotion(context: Context, rollout: syntax.Rollout) -> Iterator[Diagnostic]:
    for item in rollout.items:
        match item:
            case syntax.Steps() if item.steps and not ends(context, item.steps):
                yield _no_promote(item.steps[-1].span, "these steps end here, and a rollback follows", item.steps)
            case syntax.StrategyUse():
                strategy = context.used(syntax.Strategy, item.strategy)
                if strategy is not None and strategy.steps and not ends(context, strategy.steps):
                    yield _no_promote(item.strategy.span, f"`{strategy.name.text}` ends without `promote`", ())
            case _:
                pass


def _no_promote(span: Span, note: str, steps: tuple[Any, ...]) -> Diagnostic:
    fixes = []
    if steps:
        indent = " " * (steps[-1].span.begin.column - 1)
        end = Span(span.source, span.end, span.end)
        fixes.append(Fix("add `promote`", (Edit(end, f"\n{indent}promote"),)))
    return finding(
        "RW337",
        "this rollout can end without promoting the new revision",
        span,
        note=note,
        help="end with `promote`, or with `rollback` if that is what is meant",
        fixes=fixes,
    )


def _skipped_steps(rollout: syntax.Rollout) -> Iterator[Diagnostic]:
    skip = next((i for i in rollout.items if isinstance(i, syntax.SkipAnalysis) and i.known is None), None)
    steps = next((i for i in rollout.items if isinstance(i, syntax.Steps)), None)
    harmless = (syntax.Promote, syntax.Let)
    if skip is not None and steps is not None and any(not isinstance(step, harmless) for step in steps.steps):
        yield finding(
            "RW356",
            "with `skip analysis` these steps are never carried out",
            skip.span,
            labels=[Label(steps.steps[0].span, "never carried out")],
            help="drop one of the two; `skip analysis for known revisions within 5` skips only on the way back",
        )


def _endless(wait: syntax.WaitGate) -> Iterator[Diagnostic]:
    if wait.within is None:
        yield finding(
            "RW353",
            "this waits until the gate opens, for ever if it has to",
            wait.span,
            help="say for how long, such as `within 4h else rollback`",
        )


def _circles(context: Context) -> Iterator[Diagnostic]:
    """Rollouts of one file that wait for one another; that one waits for itself is said when it is compiled."""
    rollouts = {_key(rollout): rollout for rollout in context.every(syntax.Rollout)}
    for key, rollout in rollouts.items():
        for after in _waits(rollout):
            path = _path(rollouts, _after_key(rollout, after), key)
            if path is None or len(path) < 2:
                continue
            others = listed(rollouts[each].name.text for each in path[:-1])
            message = f"`{rollout.name.text}` never starts: it waits for {others}, which in the end waits for it"
            yield finding("RW354", message, after.span, help="take one of the waits out")


def _key(rollout: syntax.Rollout) -> tuple[str, str]:
    return rollout.namespace.text if rollout.namespace else "default", rollout.name.text


def _after_key(rollout: syntax.Rollout, after: syntax.After) -> tuple[str, str]:
    return after.namespace.text if after.namespace else _key(rollout)[0], after.rollout.text


def _waits(rollout: syntax.Rollout) -> list[syntax.After]:
    return [item for item in rollout.items if isinstance(item, syntax.After)]


def _path(
    rollouts: dict[tuple[str, str], syntax.Rollout], start: tuple[str, str], goal: tuple[str, str]
) -> list[tuple[str, str]] | None:
    """The way from one rollout to another along what each waits for."""
    stack, seen = [[start]], {start}
    while stack:
        path = stack.pop()
        if path[-1] == goal:
            return path
        rollout = rollouts.get(path[-1])
        for after in _waits(rollout) if rollout else ():
            key = _after_key(rollout, after) if rollout else start
            if key not in seen:
                seen.add(key)
                stack.append([*path, key])
    return None


def _too_tolerant(context: Context, compiled: CompiledRollout, program: ir.Program) -> Iterator[Diagnostic]:
    """More failures tolerated than the whole rollout has checks: a bad revision stays longer than a good one."""
    made: dict[str, int] = {}
    for index in sorted(reachable(program)):
        hold = program.code[index]
        if isinstance(hold, ir.HoldOp) and hold.analysis is not None:
            made[hold.analysis] = made.get(hold.analysis, 0) + _checks(program, hold)
    for name, checks in made.items():
        tolerate = program.analyses[name].tolerate
        if tolerate.mode == "window" or tolerate.count <= checks:
            continue
        yield finding(
            "RW343",
            f"{tolerate.count} failures are tolerated, and a good rollout makes {_count(checks)}",
            _tolerate_span(context, compiled, tolerate.count),
            note="a bad revision keeps its traffic for longer than a good one takes",
            help=f"tolerate {checks} at most",
        )


def _count(checks: int) -> str:
    return "one check" if checks == 1 else f"{checks} checks"


def _checks(program: ir.Program, hold: ir.HoldOp) -> int:
    if hold.duration_ms is None:
        return hold.checks or 0
    return max(1, hold.duration_ms // program.analyses[hold.analysis or ""].every_ms)


def _tolerate_span(context: Context, compiled: CompiledRollout, count: int) -> Span:
    inside, outside = compiled.node.span, context.every(syntax.Tolerate)
    found = [item for item in outside if number(context, item.failures) == count]
    for item in found:
        if item.span.source is inside.source and inside.start <= item.span.start < inside.end:
            return item.span
    return found[0].span if found else compiled.node.name.span
