"""Tests: what is given and what is expected, in terms of the Program that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsl import ir, syntax
from dsl.findings import Findings
from dsl.lower.blocks import use_gate, use_webhook
from dsl.lower.measures import use_metric
from dsl.lower.metrics import work_out
from dsl.lower.quantities import quantity_of
from dsl.lower.rollout import Lowered
from dsl.meaning.coder import shown_span
from dsl.meaning.evaluate import duration, resolve_ref, share, whole
from dsl.meaning.frames import Bench, Frame
from dsl.meaning.quantities import compared, nothing
from dsl.meaning.scope import Module, Space
from dsl.meaning.words import one_of

_EVENTS = {"webhook refuses": use_webhook, "gate opens": use_gate}


def lower_test(
    node: syntax.Test, module: Module, lowered: Mapping[int, Lowered], findings: Findings
) -> ir.TestCase | None:
    """One test; None if it, or the rollout it is about, has an error."""
    found = _rollout(node, module, findings)
    if found is None or id(found) not in lowered:
        return None
    program, _, bench = lowered[id(found)]
    bench.findings, bench.spoilt = findings, False
    case = _Case(node, Frame(bench, module), bench)
    givens = tuple(given for item in node.items if (given := case.given(item)) is not None)
    expectations = tuple(e for item in node.items if (e := case.expectation(item)) is not None)
    work_out(bench)
    if bench.spoilt or program is None:
        return None
    extra = {name: metric for name, metric in bench.metrics.items() if name not in program.metrics}
    span = shown_span(node.span, node.title.span.end)
    return ir.TestCase(node.title.value, program.name, givens, expectations, span, metrics=extra)


def _rollout(node: syntax.Test, module: Module, findings: Findings) -> syntax.Rollout | None:
    name = node.rollout
    found = module.rollouts(name.text)
    if len(found) > 1:
        findings.error(
            "RW104",
            f"there are {len(found)} rollouts called `{name.text}`, in different namespaces",
            name.span,
            help="give them different names, or test them in files of their own",
        )
        return None
    if not found:
        known = [d.name for d in module.names[Space.ROLLOUT].values()]
        if name.text not in module.damaged:
            message = f"there is no rollout `{name.text}` in this file"
            other = "a test stands in the file of the rollout that it is about"
            findings.unknown("RW101", message, name.text, name.span, known, other=other)
        return None
    return found[0].of(syntax.Rollout)


class _Case:
    def __init__(self, node: syntax.Test, frame: Frame, bench: Bench) -> None:
        self.node = node
        self.frame = frame
        self.bench = bench

    def given(self, item: object) -> ir.GivenMetric | ir.GivenEvent | None:
        match item:
            case syntax.GivenMetric():
                return self.metric(item)
            case syntax.GivenEvent():
                return self.event(item)
            case _:
                return None

    def times(self, item: syntax.GivenMetric | syntax.GivenEvent) -> tuple[int, int | None]:
        after = duration(item.after, self.frame, "the time before", zero=True) if item.after is not None else 0
        lasting = duration(item.lasting, self.frame, "how long it lasts") if item.lasting is not None else None
        return after or 0, lasting

    def metric(self, item: syntax.GivenMetric) -> ir.GivenMetric | None:
        after, lasting = self.times(item)
        measure = self.whole(item.metric) if item.value is None else None
        value: float | None = None
        if item.value is not None:
            left = quantity_of(item.metric, self.frame)
            pair = compared(left, quantity_of(item.value, self.frame), self.frame)
            if pair is None:
                return None
            value, measure = pair[1].constant, pair[0].expr if isinstance(pair[0].expr, ir.Measure) else None
            if value is None or measure is None:
                self.unfit(item, known=value is not None)
                return None
        return ir.GivenMetric(measure, value, after, lasting) if measure is not None else None

    def unfit(self, item: syntax.GivenMetric, *, known: bool) -> None:
        at = item.metric if known or item.value is None else item.value
        span, what = at.span, "is no metric" if known else "is not known"
        self.frame.findings.error(
            "RW201", f"`{span.text}` {what}", span, help="write a metric, `=`, and a value, as in `success_rate = 80%`"
        )
        self.bench.spoilt = True

    def whole(self, ref: syntax.Ref) -> ir.Measure | None:
        """A metric that has no data: any metric, as a whole too."""
        resolved = resolve_ref(ref, self.frame)
        if resolved.declared is None or resolved.parts:
            found = quantity_of(ref, self.frame) if resolved.declared is not None else nothing(ref.span)
            return found.expr if isinstance(found.expr, ir.Measure) else None
        use = use_metric(ref, resolved.declared, resolved, self.frame)
        arm = ir.Arm(ref.arm.text) if ref.arm is not None and ref.arm.text in set(ir.Arm) else ir.Arm.CANARY
        return ir.Measure(use.key, arm, 0) if use is not None else None

    def event(self, item: syntax.GivenEvent) -> ir.GivenEvent:
        after, lasting = self.times(item)
        subject: str | None = None
        if item.subject is not None:
            user = _EVENTS.get(item.what)
            subject = user(item.subject, self.frame) if user is not None else item.subject.path[-1].text
        return ir.GivenEvent(item.what, subject, after, lasting)

    def expectation(self, item: object) -> ir.ExpectOutcome | ir.ExpectBound | None:
        match item:
            case syntax.ExpectOutcome():
                words = ("promoted", "rolled_back", "waiting")
                outcome: Any = one_of(item.outcome, words, "outcome", self.frame) or "promoted"
                within = duration(item.within, self.frame, "the time to wait") if item.within is not None else None
                span = shown_span(item.span)
                return ir.ExpectOutcome(outcome, within, span.text, span)
            case syntax.ExpectBound():
                return self.bound(item)
            case _:
                return None

    def bound(self, item: syntax.ExpectBound) -> ir.ExpectBound:
        words = ("traffic", "mirror", "failed_checks")
        subject: Any = one_of(item.subject, words, "thing to expect", self.frame) or "traffic"
        value: float | None
        if subject == "failed_checks":
            value = whole(item.value, self.frame, "the number of failed checks")
        else:
            value = share(item.value, self.frame, f"the share of {item.subject.text}")
        op: Any = item.op
        span = shown_span(item.span)
        return ir.ExpectBound(subject, op, float(value or 0), span.text, span)
