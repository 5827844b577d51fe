"""The order of traffic steps: weights that go down on the way up, and settings that have no effect where they stand."""

from __future__ import annotations

from collections.abc import Iterator

from dsl import ir, syntax
from dsl.compilation import CompiledRollout
from dsl.diagnostics import Diagnostic, Label
from dsl.flow import Exposure, exposures
from dsl.rules.constants import number, share_text
from dsl.rules.context import Context
from dsl.rules.severities import finding
from dsl.source import Span


def check(context: Context) -> Iterator[Diagnostic]:
    for ramp in context.every(syntax.Ramp):
        yield from _uneven(context, ramp)
    for compiled, program in context.rollouts:
        moves = exposures(program)
        yield from _downwards(context, compiled, program, moves)
        yield from _without_effect(context, compiled, program, moves)
        yield from _nothing_to_compare(context, compiled, program, moves)


Moves = tuple[tuple[Exposure, Exposure] | None, ...]


def _downwards(context: Context, compiled: CompiledRollout, program: ir.Program, moves: Moves) -> Iterator[Diagnostic]:
    higher: Span | None = None
    said: set[Span] = set()
    for index, instruction in enumerate(program.code):
        pair = moves[index]
        if pair is None or not isinstance(instruction, ir.RouteOp) or instruction.weight is None:
            continue
        place = context.place(compiled, index)
        if 0 < instruction.weight < pair[0].weight.low and place not in said:
            said.add(place)
            before, after = share_text(pair[0].weight.low), share_text(instruction.weight)
            yield finding(
                "RW339",
                f"the weight goes down here, from {before} to {after}",
                place,
                labels=[Label(higher, f"{before} is reached here")] if higher not in (None, place) else [],
                help="put the steps in order, the smaller weights first",
            )
        higher = place


def _without_effect(
    context: Context, compiled: CompiledRollout, program: ir.Program, moves: Moves
) -> Iterator[Diagnostic]:
    divides = any(pair and (0 < pair[1].weight.high < 100 or pair[1].matched) for pair in moves)
    for index, instruction in enumerate(program.code):
        pair = moves[index]
        if pair is None:
            continue
        place = context.place(compiled, index)
        match instruction:
            case ir.RouteOp(sticky=ir.StickySpec()) if not divides:
                yield finding(
                    "RW348",
                    "nothing divides the traffic here, so there is nothing to stick to",
                    place,
                    help="give the canary a weight, or route requests to it, or drop `sticky`",
                )
            case ir.ScaleOp() if instruction.share == 0 or instruction.replicas == 0:
                yield finding(
                    "RW349",
                    "the canary is scaled to nothing, and can answer nothing",
                    place,
                    help="scale it to 1 at least; after the rollout it is scaled down by itself",
                )
            case ir.PromoteOp() if pair[0].mirror.low > 0:
                yield finding("RW347", "mirroring goes on until here", place, help="end it with `mirror off` before")
            case _:
                pass


def _nothing_to_compare(
    context: Context, compiled: CompiledRollout, program: ir.Program, moves: Moves
) -> Iterator[Diagnostic]:
    for index, instruction in enumerate(program.code):
        pair = moves[index]
        if pair is None or pair[0].weight.low < 100 or not isinstance(instruction, ir.HoldOp):
            continue
        analysis = program.analyses.get(instruction.analysis or "")
        checks = analysis.checks if analysis else ()
        compared = next((c for c in checks if isinstance(c, ir.Check) and asks(c.condition, ir.Arm.PRIMARY)), None)
        if compared is not None:
            yield finding(
                "RW361",
                "all traffic is on the canary here, and a check compares it with the primary",
                context.place(compiled, index),
                notes=[f"the check is `{compared.text}`"],
                help="hold at less than 100%, or name another analysis with `with`",
            )
            return


def asks(condition: ir.Condition, arm: ir.Arm) -> bool:
    """Whether a condition looks at an arm."""
    return any(
        (isinstance(node, ir.Measure) and node.arm is arm) or (isinstance(node, ir.Statistical) and node.against is arm)
        for node in ir.walk(condition)
    )


def _uneven(context: Context, ramp: syntax.Ramp) -> Iterator[Diagnostic]:
    start, stop, step = (number(context, each) for each in (ramp.start, ramp.stop, ramp.step))
    if start is None or stop is None or step is None or step <= 0 or stop <= start:
        return
    steps = (stop - start) / step
    if abs(steps - round(steps)) > 1e-9:
        last = share_text(round((start + int(steps) * step) * 100, 6))
        yield finding(
            "RW350",
            f"steps of {ramp.step.span.text} do not lead from {ramp.start.span.text} to {ramp.stop.span.text} evenly",
            ramp.step.span,
            note=f"the last step, from {last}, is a smaller one",
            help="choose a step that divides the way",
        )
