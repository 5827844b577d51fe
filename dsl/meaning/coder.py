"""The coder: puts instructions one behind the other, each with its place, and stops where they are too many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dsl import ir, syntax
from dsl.lower.analysis import every_of, use_analysis
from dsl.meaning.evaluate import duration, whole
from dsl.meaning.frames import Bench, Frame
from dsl.meaning.local import entered, with_let
from dsl.source import Span

_MOST_STATEMENTS = 5000
_MOST_IN_ALL = 100_000
"""Statements that may be read for one rollout, and for a whole file; those that come to nothing count too."""


class Code(NamedTuple):
    """Instructions, and for each where it stands in the text: innermost, and in the policy itself."""

    code: tuple[ir.Instruction, ...]
    spans: tuple[ir.Span, ...]
    places: tuple[Span, ...]


Writer = Callable[["Coder", Any, Frame], None]


class Coder:
    """Writes the code of one rollout. `analysis` is the rollout's own, `local` names those that stand in it; `writers`
    know how to write each kind of statement."""

    def __init__(
        self, bench: Bench, analysis: str | None, local: Mapping[str, str], end: Span, writers: Mapping[type, Writer]
    ) -> None:
        self.bench = bench
        self.writers = writers
        self.analysis = analysis
        self.local = local
        self.end = end
        self.code: list[ir.Instruction] = []
        self.spans: list[ir.Span] = []
        self.places: list[Span] = []
        self.full = False
        self._statements = 0
        self._shown: dict[int, ir.Span] = {}

    # --- writing ----------------------------------------------------------------------------------------------

    def emit(self, instruction: ir.Instruction, node: syntax.Step | syntax.Steps, frame: Frame) -> int:
        """Add an instruction that comes from a statement; its index."""
        self._add(instruction, self._span(node), frame.place or node.span)
        return len(self.code) - 1

    def _add(self, instruction: ir.Instruction, span: ir.Span, place: Span) -> None:
        if len(self.code) >= ir.MAX_INSTRUCTIONS:
            self._too_long(place)
            return
        self.code.append(instruction)
        self.spans.append(span)
        self.places.append(place)

    def _too_long(self, place: Span) -> None:
        if not self.full:
            self.bench.findings.error(
                "RW303",
                f"the steps unroll to more than {ir.MAX_INSTRUCTIONS} instructions",
                place,
                help="take larger steps, or repeat less often",
            )
        self.full = True
        self.bench.spoilt = True

    def _span(self, node: syntax.Step | syntax.Steps) -> ir.Span:
        known = self._shown.get(id(node))
        if known is None:
            known = self._shown[id(node)] = shown_span(node.span, header_end(node))
        return known

    # --- reading ----------------------------------------------------------------------------------------------

    def steps(self, steps: tuple[syntax.Step, ...], frame: Frame) -> None:
        """The code of a list of statements."""
        frame = entered(steps, frame)
        for step in steps:
            self._statements += 1
            self.bench.findings.statements += 1
            if self._statements > _MOST_STATEMENTS or self.bench.findings.statements > _MOST_IN_ALL:
                self._too_long(frame.place or step.span)
            if self.full:
                return
            if isinstance(step, syntax.Let):
                frame = with_let(step, frame)
            else:
                self.writers[type(step)](self, step, frame)

    def judge(self, use: syntax.Use | None, frame: Frame) -> str | None:
        """The analysis that a statement runs under."""
        return use_analysis(use, frame, self.local) if use is not None else self.analysis

    def hold(
        self, amount: syntax.Amount | None, use: syntax.Use | None, step: syntax.Step, frame: Frame, least: int = 0
    ) -> None:
        """A hold of so long, or of so many checks; of `least` checks where nothing is said."""
        analysis = self.judge(use, frame)
        if amount is None and use is not None and not least:
            frame.findings.error(
                "RW306",
                "`with` says which analysis judges a hold, and nothing is held here",
                use.span,
                help="add `for 5m`, or leave `with` out",
            )
            self.bench.spoilt = True
        if amount is None and not least:
            return
        ms, checks = self._length(amount, frame) if amount is not None else (None, least)
        if analysis is None and checks is not None:
            ms, checks = checks * every_of(self.bench, None), None
        if ms is not None or checks is not None:
            self.emit(ir.HoldOp(ms, checks, analysis), step, frame)

    def _length(self, amount: syntax.Amount, frame: Frame) -> tuple[int | None, int | None]:
        if amount.checks:
            return None, whole(amount.value, frame, "the number of checks", low=1, high=100_000)
        return duration(amount.value, frame, "the time to hold"), None

    def finish(self) -> None:
        """The end of the steps: whoever gets here without a promotion goes back."""
        targets = {i.target for i in self.code if isinstance(i, ir.BranchOp)}
        if not self.code or not ends(self.code[-1]) or len(self.code) in targets:
            end = Span(self.end.source, max(self.end.end - 1, self.end.start), self.end.end)
            self._add(ir.RollbackOp("the steps end without `promote`"), shown_span(end), end)

    def result(self) -> Code:
        return Code(tuple(self.code), tuple(self.spans), tuple(self.places))


def ends(instruction: ir.Instruction) -> bool:
    return isinstance(instruction, ir.PromoteOp | ir.RollbackOp)


def header_end(node: syntax.Step | syntax.Steps) -> int:
    """Where the part of a statement ends that is shown for it: before the block, if it has one."""
    match node:
        case syntax.If():
            return _before_block(node.span, node.condition.span.end)
        case syntax.Repeat():
            return _before_block(node.span, node.times.span.end)
        case syntax.For():
            return _before_block(node.span, node.items.span.end)
        case _:
            return node.span.end


def _before_block(span: Span, after: int) -> int:
    """Where the last sign stands before the `{` that comes after a place."""
    opening = span.source.text.find("{", after, span.end)
    return after + len(span.source.text[after:opening].rstrip()) if opening >= 0 else after


def shown_span(span: Span, end: int | None = None) -> ir.Span:
    """A place as the Program keeps it."""
    tight = Span(span.source, span.start, end if end is not None else span.end)
    first, last = tight.begin, tight.finish
    return ir.Span(tight.source.name, first.line, first.column, last.line, last.column, " ".join(tight.text.split()))
