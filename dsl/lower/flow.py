"""Flow: what is unrolled, branched over, or put in from a strategy.

Of an `if` that is decided now only the taken arm gets into the code; the other one is still read, so that what is
wrong in it is said. Jumps go forward only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dsl import ir, syntax
from dsl.lower.analysis import every_of
from dsl.lower.conditions import condition_of
from dsl.meaning.arguments import bind, shown
from dsl.meaning.coder import Coder, Writer, ends
from dsl.meaning.evaluate import mistyped, value_of, whole
from dsl.meaning.frames import Bench, Frame
from dsl.meaning.scope import Space
from dsl.meaning.show import condition_text
from dsl.meaning.values import Type, unknown
from dsl.source import Span

_MOST_REPEATS = 1000


def _if(coder: Coder, step: syntax.If, frame: Frame) -> None:
    every = every_of(coder.bench, coder.analysis)
    condition = condition_of(step.condition, frame._replace(window=every))
    if condition is None or isinstance(condition, bool):
        taken, other = (step.then, step.otherwise) if condition in (True, None) else (step.otherwise, step.then)
        _aside(coder, other, frame)
        coder.steps(taken, frame)
        return
    text = condition_text(condition, coder.bench.overs)
    branch = ir.BranchOp(0, condition, text, every, coder.analysis)
    at = coder.emit(branch, step, frame)
    coder.steps(step.then, frame)
    if step.otherwise and not (len(coder.code) > at + 1 and ends(coder.code[-1])):
        jump = coder.emit(ir.BranchOp(0), step, frame)
        _aim(coder, at, branch)
        coder.steps(step.otherwise, frame)
        _aim(coder, jump, ir.BranchOp(0))
    else:
        _aim(coder, at, branch)
        coder.steps(step.otherwise, frame)


def _aim(coder: Coder, at: int, branch: ir.BranchOp) -> None:
    """Let a branch go to what is written next."""
    if not coder.full:
        coder.code[at] = replace(branch, target=len(coder.code))


def _aside(coder: Coder, steps: tuple[syntax.Step, ...], frame: Frame) -> None:
    """Read steps that are never taken, for what is wrong in them; nothing of theirs gets into the Program."""
    if not steps:
        return
    aside = Bench(coder.bench.findings, coder.bench.main, coder.bench.provider, baseline=coder.bench.baseline)
    aside.rollout = coder.bench.rollout
    aside.analyses = dict(coder.bench.analyses)
    reader = Coder(aside, coder.analysis, coder.local, coder.end, coder.writers)
    reader.steps(steps, frame._replace(bench=aside))
    coder.bench.spoilt = coder.bench.spoilt or aside.spoilt


def _repeat(coder: Coder, step: syntax.Repeat, frame: Frame) -> None:
    times = whole(step.times, frame, "the number of repeats", low=1, high=_MOST_REPEATS)
    for _ in range(times or 1):
        if coder.full:
            return
        coder.steps(step.steps, frame)


def _for(coder: Coder, step: syntax.For, frame: Frame) -> None:
    values = value_of(step.items, frame)
    name = step.name.text
    if values.type is not Type.LIST:
        if values.known:
            mistyped(values, Type.LIST, step.items.span, frame, what="what `for` goes through")
        items = (unknown(step.items.span),)
    else:
        items = values.data
    for item in items:
        if coder.full:
            return
        places = {**frame.places, name: step.name.span}
        coder.steps(step.steps, frame._replace(bindings={**frame.bindings, name: item}, places=places))


def follow(coder: Coder, use: syntax.Use, frame: Frame, place: Span) -> None:
    """The steps of a strategy, in the place where it is followed: what comes from another file is shown there."""
    declared = frame.find(Space.STRATEGY, use.path)
    if declared is None:
        return
    node = declared.of(syntax.Strategy)
    bound = bind(declared, node.params, use.args, frame, use.span)
    inner = frame.enter(declared, use.span, bound) if bound is not None else None
    if inner is None or bound is None or coder.bench.looked_at(declared, shown(bound, {})):
        return
    if frame.place is None and inner.place is not None:
        inner = inner._replace(place=place)
    coder.steps(node.steps, inner)


def _follow(coder: Coder, step: syntax.Follow, frame: Frame) -> None:
    follow(coder, step.strategy, frame, step.span)


FLOW: Mapping[type, Writer] = {syntax.If: _if, syntax.Repeat: _repeat, syntax.For: _for, syntax.Follow: _follow}
