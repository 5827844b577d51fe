"""Every Program against the guardrails that bind it, over the shortest time it can take and every path it can go.

What is shown is the statement that breaks the rule, with the rule beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dsl import ir, syntax
from dsl.compilation import CompiledRollout
from dsl.diagnostics import Diagnostic, Label
from dsl.flow import compare, earliest_ms, exposures, successors
from dsl.rules.constants import duration_text, share_text
from dsl.rules.context import Context
from dsl.rules.severities import finding
from dsl.source import Span

_CODES = {"traffic": "RW801", "step": "RW802", "mirror": "RW807"}


def check(context: Context) -> Iterator[Diagnostic]:
    for compiled, program in context.rollouts:
        for name, guardrail in program.guardrails.items():
            node = context.find(syntax.Guardrail, name)
            rules: tuple[Any, ...] = node.rules if node is not None else ()
            yield from _Bound(context, compiled, program, name, guardrail, rules).findings()


class _Bound:
    """One rollout under one guardrail."""

    def __init__(
        self,
        context: Context,
        compiled: CompiledRollout,
        program: ir.Program,
        name: str,
        guardrail: ir.Guardrail,
        rules: tuple[Any, ...],
    ) -> None:
        self.context, self.compiled, self.program = context, compiled, program
        self.name, self.guardrail, self.rules = name, guardrail, rules

    def findings(self) -> Iterator[Diagnostic]:
        yield from self._limits()
        yield from self._before_promotion()
        yield from self._metrics()
        yield from self._every()
        yield from self._skipping()

    def _broken(self, code: str, message: str, span: Span, rule: Any, help_text: str, note: str = "") -> Diagnostic:
        labels = [Label(rule.span, f"guardrail `{self.name}`")] if rule is not None else []
        notes = () if rule is not None else (f"the rule is in guardrail `{self.name}`",)
        return finding(code, message, span, note=note, labels=labels, help=help_text, notes=notes)

    def _rule(self, kind: type, position: int = 0) -> Any:
        found = [rule for rule in self.rules if isinstance(rule, kind)]
        return found[position] if position < len(found) else None

    # --- traffic ------------------------------------------------------------------------------------------------

    def _limits(self) -> Iterator[Diagnostic]:
        if not self.guardrail.limits:
            return
        times, moves = earliest_ms(self.program), exposures(self.program)
        said: set[tuple[Span, int]] = set()
        for index, instruction in enumerate(self.program.code):
            pair, begins = moves[index], times[index]
            if pair is None or begins is None or not isinstance(instruction, ir.RouteOp):
                continue
            before, after = pair
            values = {
                "traffic": after.weight.high if instruction.weight is not None else 0.0,
                "step": (instruction.weight or 0.0) - before.weight.low if instruction.weight is not None else 0.0,
                "mirror": instruction.mirror or 0.0,
            }
            for position, limit in enumerate(self.guardrail.limits):
                place = self.context.place(self.compiled, index)
                if self._over(limit, values[limit.subject], begins) and (place, position) not in said:
                    said.add((place, position))
                    yield self._limit(limit, position, values[limit.subject], begins, place)

    @staticmethod
    def _over(limit: ir.Limit, value: float, begins: int) -> bool:
        early = limit.within_ms is None or begins < limit.within_ms
        return early and value > 0 and compare(limit.cmp, value, limit.value)

    def _limit(self, limit: ir.Limit, position: int, value: float, begins: int, place: Span) -> Diagnostic:
        shown, words = share_text(value), {"traffic": "traffic", "step": "a step", "mirror": "mirrored traffic"}
        bound = f"{limit.cmp} {share_text(limit.value)}"
        if limit.within_ms is None:
            message = f"{shown} is too much at once: {words[limit.subject]} {bound} is forbidden"
            help_text = (
                "take smaller steps" if limit.subject == "step" else f"stay at {share_text(limit.value)} or below"
            )
        else:
            within = duration_text(limit.within_ms)
            message = f"{shown} after {duration_text(begins)} is too early: {words[limit.subject]} {bound} is forbidden"
            message += f" within {within}"
            help_text = f"stay at {share_text(limit.value)} or below until {within} have passed"
        return self._broken(_CODES[limit.subject], message, place, self._rule(syntax.Forbid, position), help_text)

    # --- the promotion ------------------------------------------------------------------------------------------

    def _before_promotion(self) -> Iterator[Diagnostic]:
        if self.guardrail.approval_before_promote:
            for index in self._promotions_without(None):
                place = self.context.place(self.compiled, index)
                rule = self._rule(syntax.RequireApproval)
                message = "the new revision can be promoted here without an approval"
                yield self._broken("RW803", message, place, rule, "put `wait for approval` before it")
        for position, gate in enumerate(self.guardrail.gates_before_promote):
            for index in self._promotions_without(gate):
                place = self.context.place(self.compiled, index)
                rule = self._rule(syntax.RequireGate, position)
                message = f"the new revision can be promoted here before the gate `{gate}` has opened"
                yield self._broken("RW808", message, place, rule, f"put `wait for gate {gate}` before it")

    def _promotions_without(self, gate: str | None) -> list[int]:
        """The promotions that a path leads to on which nobody has approved (or that gate has not opened)."""
        code = self.program.code
        missing = [False] * (len(code) + 1)
        missing[0] = True
        found = []
        for index, instruction in enumerate(code):
            if not missing[index]:
                continue
            if isinstance(instruction, ir.PromoteOp):
                found.append(index)
            if isinstance(instruction, ir.WaitOp) and instruction.gate == gate and instruction.otherwise == "rollback":
                continue
            for following in successors(self.program, index):
                missing[following] = True
        return found

    # --- the analysis -------------------------------------------------------------------------------------------

    def _metrics(self) -> Iterator[Diagnostic]:
        used = judged_metrics(self.program)
        for position, metric in enumerate(self.guardrail.metrics):
            if metric not in used and not any(_same(metric, each) for each in used):
                message = f"`{self.program.name}` is promoted without a look at `{metric}`"
                rule = self._rule(syntax.RequireMetric, position)
                help_text = f"add a check of `{metric}` to its analysis"
                yield self._broken("RW804", message, self.compiled.node.name.span, rule, help_text)

    def _every(self) -> Iterator[Diagnostic]:
        for name in self._analyses_in_use():
            every = self.program.analyses[name].every_ms
            for position, (cmp, bound) in enumerate(self.guardrail.analysis_every):
                if not compare(cmp, every, bound):
                    wanted = f"an analysis every {cmp} {duration_text(bound)}"
                    message = f"checks come every {duration_text(every)}: {wanted} is required"
                    rule = self._rule(syntax.RequireAnalysis, position)
                    help_text = f"write `every {duration_text(bound)}`"
                    yield self._broken("RW805", message, self._every_span(every), rule, help_text)

    def _analyses_in_use(self) -> list[str]:
        used = {op.analysis for op in self.program.code if isinstance(op, ir.HoldOp) and op.analysis is not None}
        return sorted(name for name in used if name in self.program.analyses)

    def _every_span(self, every: int) -> Span:
        """The `every` that says so in the rollout, else in one of the analyses, else the rollout's name."""
        inside = self.compiled.node.span
        settings = [s for s in self.context.every(syntax.Setting) if s.name.text == "every"]
        same = [s for s in settings if isinstance(s.value, syntax.Duration) and s.value.ms == every]
        own = [s for s in same if s.span.source is inside.source and inside.start <= s.span.start < inside.end]
        return (own or same)[0].span if own or same else self.compiled.node.name.span

    def _skipping(self) -> Iterator[Diagnostic]:
        skip = self.context.item(self.compiled.node, syntax.SkipAnalysis)
        if self.guardrail.no_skip_analysis and skip is not None:
            message = "the analysis may not be skipped"
            yield self._broken("RW806", message, skip.span, self._rule(syntax.ForbidSkip), "take this out")


def _same(metric: str, other: str) -> bool:
    """Whether two names are of one metric, whatever its arguments and the alias it came in by."""
    return metric.partition("(")[0].rpartition(".")[2] == other.partition("(")[0].rpartition(".")[2]


def judged_metrics(program: ir.Program) -> set[str]:
    """The metrics that checks in use can stop the rollout by, and those that they are made of."""
    names = [op.analysis for op in program.code if isinstance(op, ir.HoldOp) and op.analysis is not None]
    todo: list[ir.Condition | ir.Expr] = [
        check.condition
        for name in dict.fromkeys(names)
        if name in program.analyses
        for check in program.analyses[name].checks
        if isinstance(check, ir.Check) and check.kind != "observe"
    ]
    used: set[str] = set()
    while todo:
        for node in ir.walk(todo.pop()):
            if isinstance(node, ir.Measure | ir.Statistical) and node.metric not in used:
                used.add(node.metric)
                metric = program.metrics.get(node.metric)
                todo += [metric.expr] if metric is not None and metric.expr is not None else []
    return used
