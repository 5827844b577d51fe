"""What there is to draw of a replay, as numbers: no pictures yet.

Each comparison of the checks is a graph of its two sides: what is measured of the canary, the same of the primary, and
the constant that it is held to. A statistical check is two: what it judges, of both arms, and the evidence that it has
gathered, with the limit at which it fails. All are sampled at the checks' own steps from a little before the
rollout to a little behind its end, so that one sees what it came from and what it was spared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import exp
from typing import NamedTuple

from dsl.ir import (
    AllOf,
    Analysis,
    AnyOf,
    Arm,
    Between,
    Check,
    Compare,
    Condition,
    Const,
    Expr,
    Measure,
    NotOf,
    Program,
    Statistical,
    Unit,
)
from interpreter.analysis.evaluate import Compiler, Scope, evidence_key, unit_of
from interpreter.analysis.leaves import label
from interpreter.analysis.readings import Bounds, Look, Missing
from interpreter.analysis.show import plain
from interpreter.analysis.statistical import prepare_test, tests_in
from interpreter.backtest.moments import Span
from interpreter.backtest.replay import Replay
from interpreter.desired import Instant
from interpreter.questions import Answer, MetricQuestion

POINTS = 1000
"""The most of one line."""

AROUND = 0.25
"""How much is shown before and behind, as a part of the rollout's length."""

LEAST_EVIDENCE, MOST_EVIDENCE = 1e-3, 1e6

Ask = Callable[[MetricQuestion], Answer]


class Curve(NamedTuple):
    """The values of one arm; None where there was no data."""

    name: str
    points: tuple[tuple[Instant, float | None], ...]


class Graph(NamedTuple):
    """Values in base units over time. `limits` are levels and their words; evidence is drawn on a logarithmic axis."""

    title: str
    unit: Unit
    curves: tuple[Curve, ...]
    limits: tuple[tuple[float, str], ...]
    evidence: bool = False


def graphs(program: Program, replay: Replay, within: Span, step_ms: int, ask: Ask) -> tuple[Graph, ...]:
    """All of them, each once. `ask` is for moments at which no check was made. Raises what `ask` raises."""
    moments = _moments(replay, within, step_ms)
    return _each_once(
        graph
        for analysis in program.analyses.values()
        for check in analysis.checks
        if isinstance(check, Check)
        for graph in _of_check(program, analysis, check, replay, moments, ask)
    )


def _each_once(graphs: Iterable[Graph]) -> tuple[Graph, ...]:
    """Two checks of the same values are one graph, with the limits of both."""
    found: dict[tuple[Curve, ...], Graph] = {}
    for graph in graphs:
        same = found.get(graph.curves)
        limits = dict.fromkeys((*(same.limits if same else ()), *graph.limits))
        found[graph.curves] = (same or graph)._replace(limits=tuple(limits))
    return tuple(found.values())


def overview(program: Program, within: Span, step_ms: int, ask: Ask) -> tuple[Graph, ...]:
    """What the checks judge, of the primary alone, over the whole span. Raises what `ask` raises."""
    moments = range(within.from_ms, within.to_ms + 1, stride(within, step_ms) * step_ms)
    primary = Scope(Arm.PRIMARY, None)
    return _each_once(
        Graph(title, unit, (Curve("primary", _values(program, expr, primary, moments, ask)),), limits)
        for title, unit, expr, limits in _subjects(program)
    )


def _subjects(program: Program) -> Iterator[tuple[str, Unit, Expr, tuple[tuple[float, str], ...]]]:
    for analysis in program.analyses.values():
        for check in analysis.checks:
            if not isinstance(check, Check):
                continue
            for left, right, _ in _comparisons(check.condition):
                expr, other = (right, left) if isinstance(left, Const) else (left, right)
                limits = ((other.value, f"{check.kind} {check.text}"),) if isinstance(other, Const) else ()
                yield check.text, unit_of(program, expr), expr, limits
            for test in tests_in(check.condition):
                expr = _about(program, test)
                yield check.text, unit_of(program, expr), expr, ()


def shown_span(replay: Replay, within: Span, step_ms: int) -> Span:
    """What is drawn: the rollout, and some of what was before and behind it. Whole steps from its start."""
    start = replay.start_ms
    steps = max(5, round((replay.ended_ms - start) * AROUND / step_ms))
    return Span(start - steps * step_ms, min(within.to_ms, replay.ended_ms + steps * step_ms))


def _moments(replay: Replay, within: Span, step_ms: int) -> range:
    shown = shown_span(replay, within, step_ms)
    return range(shown.from_ms, shown.to_ms + 1, stride(shown, step_ms) * step_ms)


def stride(shown: Span, step_ms: int) -> int:
    """Of so many windows one is drawn."""
    return -(-shown.length_ms // (step_ms * POINTS)) or 1


def _of_check(
    program: Program, analysis: Analysis, check: Check, replay: Replay, moments: Sequence[Instant], ask: Ask
) -> Iterator[Graph]:
    for left, right, bound in _comparisons(check.condition):
        yield _compared(program, check, left, right, bound, moments, ask)
    for test in tests_in(check.condition):
        yield _judged(program, _about(program, test), test, moments, ask)
        if test.test != "kayenta":
            yield _evidence(program, analysis, check, test, replay)


def _comparisons(condition: Condition) -> Iterator[tuple[Expr, Expr, str]]:
    match condition:
        case Compare(cmp, left, right):
            yield left, right, cmp
        case Between(value, low, high):
            yield value, low, ">="
            yield value, high, "<="
        case AllOf(conditions) | AnyOf(conditions):
            for part in conditions:
                yield from _comparisons(part)
        case NotOf(inner):
            yield from _comparisons(inner)
        case _:
            return


def _compared(
    program: Program, check: Check, left: Expr, right: Expr, cmp: str, moments: Sequence[Instant], ask: Ask
) -> Graph:
    if isinstance(left, Const):
        left, right = right, left
    limits = ((right.value, f"{check.kind} {check.text}"),) if isinstance(right, Const) else ()
    curves = [*_arms(program, left, moments, ask)]
    if not isinstance(right, Const):
        curves.append(Curve(f"what it is held to ({cmp})", _values(program, right, Scope(), moments, ask)))
    return Graph(check.text, unit_of(program, left), tuple(curves), limits)


def _judged(program: Program, about: Expr, test: Statistical, moments: Sequence[Instant], ask: Ask) -> Graph:
    objective = test.params.get("objective")
    limits = () if objective is None else ((1 - objective, f"objective {objective:.6g}"),)
    name = label(about) if isinstance(about, Measure) else test.metric
    title = f"{name}, for {test.test}"
    return Graph(title, unit_of(program, about), tuple(_arms(program, about, moments, ask)), limits)


def _about(program: Program, test: Statistical) -> Expr:
    """What a statistical check judges, as a number: of events their rate, of a histogram its tail."""
    if test.expr is not None:
        return test.expr
    match program.metrics[test.metric].unit:
        case Unit.EVENTS:
            return Measure(test.metric, Arm.CANARY, test.window_ms, "rate")
        case Unit.HISTOGRAM:
            return Measure(test.metric, Arm.CANARY, test.window_ms, "quantile", 0.99)
        case _:
            return Measure(test.metric, Arm.CANARY, test.window_ms)


def _arms(program: Program, expr: Expr, moments: Sequence[Instant], ask: Ask) -> Iterator[Curve]:
    """The canary's, and the primary's where it is another."""
    canary = _values(program, expr, Scope(), moments, ask)
    yield Curve("canary", canary)
    primary = _values(program, expr, Scope(Arm.PRIMARY, None), moments, ask)
    if primary != canary:
        yield Curve("primary", primary)


def _values(
    program: Program, expr: Expr, scope: Scope, moments: Sequence[Instant], ask: Ask
) -> tuple[tuple[Instant, float | None], ...]:
    compiler = Compiler(program)
    read = compiler.reader(expr, scope)
    leaves = compiler.leaves_of(expr, scope=scope)
    points: list[tuple[Instant, float | None]] = []
    for at_ms in moments:
        questions = [leaf.question(at_ms) for leaf in leaves]
        found = read(Look({question.key: ask(question) for question in questions}, at_ms))
        match found:
            case Missing():
                points.append((at_ms, None))
            case Bounds(low=low):
                points.append((at_ms, low))
            case _:
                points.append((at_ms, found))
    return tuple(points)


def _evidence(program: Program, analysis: Analysis, check: Check, test: Statistical, replay: Replay) -> Graph:
    """Bounded, for a picture; e to the 700 is as good as a million."""
    key = evidence_key(test)
    limit = exp(min(600.0, prepare_test(program, analysis, key, test).limit))
    points: list[tuple[Instant, float | None]] = []
    for moment in replay.story.moments:
        log_e = moment.evidence.get(key, {}).get("log_e") if moment.check is not None else None
        if moment.check is not None and isinstance(log_e, float):
            points.append((moment.check.at_ms, min(MOST_EVIDENCE, max(LEAST_EVIDENCE, exp(min(log_e, 600.0))))))
    title = f"evidence of {check.text}"
    return Graph(
        title, Unit.NUMBER, (Curve("evidence", tuple(points)),), ((limit, f"{plain(limit, 3)}: the check fails"),), True
    )
