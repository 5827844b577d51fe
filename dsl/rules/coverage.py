"""Traffic that nobody watches: more of it than any analysis covers.

Each raise of traffic must be followed, on every path, by a hold under an analysis that can stop the rollout (or by a
webhook that must accept), before the next raise and before the promotion.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from dsl import ir, syntax
from dsl.compilation import CompiledRollout
from dsl.diagnostics import Diagnostic, Label
from dsl.flow import Exposure, can_stop, exposures, judges, raises, successors
from dsl.rules.constants import share_text
from dsl.rules.context import Context
from dsl.rules.severities import finding
from dsl.source import Span


def check(context: Context) -> Iterator[Diagnostic]:
    for analysis in context.every(syntax.Analysis):
        yield from _requires_nothing(analysis)
    for compiled, program in context.rollouts:
        if not program.skip_analysis.always:
            yield from _rollout(context, compiled, program)


def _requires_nothing(analysis: syntax.Analysis) -> Iterator[Diagnostic]:
    if any(map(_can_stop, analysis.items)):
        return
    name = f"the analysis `{analysis.name.text}`" if analysis.name else "this analysis"
    yield finding(
        "RW334",
        f"{name} can stop nothing",
        analysis.name.span if analysis.name else _first_word(analysis.span),
        help="add a check, such as `require success_rate >= 99%`",
    )


def _can_stop(item: syntax.AnalysisItem) -> bool:
    match item:
        case syntax.CallHook() | syntax.Include():
            return True
        case syntax.Check(kind=kind):
            return kind.text != "observe"
        case syntax.Judgement(observe=observe):
            return observe is None
        case _:
            return False


def _first_word(span: Span) -> Span:
    words = span.text.split(maxsplit=1)
    return Span(span.source, span.start, span.start + len(words[0])) if words else span


def _rollout(context: Context, compiled: CompiledRollout, program: ir.Program) -> Iterator[Diagnostic]:
    moves = exposures(program)
    raising = [i for i, pair in enumerate(moves) if pair is not None and raises(*pair)]
    if not raising:
        return
    if not any(isinstance(op, ir.HoldOp) and op.analysis is not None for op in program.code):
        yield _no_analysis(context, compiled, raising[0])
        return
    if not any(can_stop(analysis.checks) for analysis in program.analyses.values()):
        return  # said of the analysis itself
    unwatched = _unwatched(program, frozenset(raising))
    said: set[Span] = set()
    for index in raising:
        pair = moves[index]
        if pair is not None and any(unwatched[i] for i in successors(program, index)):
            place = context.place(compiled, index)
            if place not in said:
                said.add(place)
                yield _not_analysed(pair[1], place)
    yield from _paused(context, compiled, program, said)


def _no_analysis(context: Context, compiled: CompiledRollout, index: int) -> Diagnostic:
    return finding(
        "RW333",
        f"`{compiled.node.name.text}` gives a new revision traffic, and analyses nothing",
        compiled.node.name.span,
        labels=[Label(context.place(compiled, index), "traffic is given here")],
        help="add an analysis, such as `analysis { every 1m; tolerate 5 failures; require success_rate >= 99% }`",
    )


def _not_analysed(after: Exposure, place: Span) -> Diagnostic:
    if after.matched and after.weight.high == 0:
        what = "these requests are"
    elif after.weight.high == 0 and after.mirror.high > 0:
        what = f"{share_text(after.mirror.high)} of mirrored traffic is"
    else:
        what = f"{share_text(after.weight.high)} of the traffic is"
    return finding(
        "RW332",
        f"{what} never analysed",
        place,
        note="the traffic is raised again, or the revision promoted, without a check",
        help="put a `hold` behind it, such as `hold 5m`",
    )


def _unwatched(program: ir.Program, raising: frozenset[int]) -> list[bool]:
    """For each instruction, whether from it on a raise or the promotion can come before anything has judged."""
    unwatched = [False] * (len(program.code) + 1)
    for index in range(len(program.code) - 1, -1, -1):
        instruction = program.code[index]
        if isinstance(instruction, ir.CallOp) or judges(program, instruction):
            continue
        unwatched[index] = (
            isinstance(instruction, ir.PromoteOp)
            or index in raising
            or any(unwatched[i] for i in successors(program, index))
        )
    return unwatched


def _paused(context: Context, compiled: CompiledRollout, program: ir.Program, said: set[Span]) -> Iterator[Diagnostic]:
    """A pause at a weight that has not been judged yet: the canary has its traffic, and nobody looks."""
    for index, (before, after) in enumerate(pairwise(program.code)):
        raised = isinstance(before, ir.RouteOp) and ((before.weight or 0) > 0 or bool(before.matches))
        if raised and isinstance(after, ir.PauseOp) and context.place(compiled, index) not in said:
            place = context.place(compiled, index + 1)
            if place not in said:
                said.add(place)
                yield finding(
                    "RW355",
                    "the canary has its traffic here, and nothing is checked",
                    place,
                    help="use `hold`, which waits as long and goes on checking",
                )
