"""Steps: from statements to the flat list of instructions.

`ramp`, `repeat` and `for` are unrolled, strategies are put in where they are followed, and of an `if` that is decided
now only the taken arm gets into the code; the other one is still read, so that what is wrong in it is said. Jumps go
forward only. A list that would be longer than a Program may be is given up early, whatever it was unrolled from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from dsl import ir, syntax
from dsl.arguments import bind
from dsl.evaluate import (
    duration,
    mistyped,
    out_of_range,
    share,
    string,
    value_of,
    whole,
)
from dsl.frames import Bench, Frame
from dsl.lower_analysis import every_of, use_analysis
from dsl.lower_blocks import use_channel, use_gate, use_webhook, use_window
from dsl.lower_conditions import condition_of
from dsl.scope import Space
from dsl.show import condition_text
from dsl.source import Span
from dsl.values import Type, clean, number_text, unknown
from dsl.words import one_of

_STICKY_MS = 86_400_000
_MOST_STATEMENTS = 20_000
_MOST_REPEATS = 1000


class Code(NamedTuple):
    """Instructions, and for each where it stands in the text: innermost, and in the policy itself."""

    code: tuple[ir.Instruction, ...]
    spans: tuple[ir.Span, ...]
    places: tuple[Span, ...]


class Coder:
    """Writes the code of one rollout. `analysis` is the rollout's own, `local` names those that stand in it."""

    def __init__(self, bench: Bench, analysis: str | None, local: Mapping[str, str], end: Span) -> None:
        self.bench = bench
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
        for step in steps:
            self._statements += 1
            if self._statements > _MOST_STATEMENTS:
                self._too_long(frame.place or step.span)
            if self.full:
                return
            _WRITERS[type(step)](self, step, frame)

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
        if not self.code or not _ends(self.code[-1]) or len(self.code) in targets:
            end = Span(self.end.source, max(self.end.end - 1, self.end.start), self.end.end)
            self._add(ir.RollbackOp("the steps end without `promote`"), shown_span(end), end)

    def result(self) -> Code:
        return Code(tuple(self.code), tuple(self.spans), tuple(self.places))


def _ends(instruction: ir.Instruction) -> bool:
    return isinstance(instruction, ir.PromoteOp | ir.RollbackOp)


def header_end(node: syntax.Step | syntax.Steps) -> int:
    """Where the part of a statement ends that is shown for it: before the block, if it has one."""
    match node:
        case syntax.If():
            return node.condition.span.end
        case syntax.Repeat():
            return node.times.span.end
        case syntax.For():
            return node.items.span.end
        case _:
            return node.span.end


def shown_span(span: Span, end: int | None = None) -> ir.Span:
    """A place as the Program keeps it."""
    tight = Span(span.source, span.start, end if end is not None else span.end)
    first, last = tight.begin, tight.finish
    return ir.Span(tight.source.name, first.line, first.column, last.line, last.column, " ".join(tight.text.split()))


# --- traffic ----------------------------------------------------------------------------------------------------


def _weight(expr: syntax.Expr, frame: Frame, what: str = "the share of traffic") -> float | None:
    return share(expr, frame, what)


def _shift(coder: Coder, step: syntax.Shift, frame: Frame) -> None:
    coder.emit(ir.RouteOp(weight=_weight(step.to, frame) or 0.0), step, frame)
    coder.hold(step.hold, step.analysis, step, frame)


def _hold(coder: Coder, step: syntax.Hold, frame: Frame) -> None:
    coder.hold(step.amount, step.analysis, step, frame)


def _pause(coder: Coder, step: syntax.Pause, frame: Frame) -> None:
    coder.emit(ir.PauseOp(duration_ms=duration(step.duration, frame, "the time to pause") or 1), step, frame)


def _ramp(coder: Coder, step: syntax.Ramp, frame: Frame) -> None:
    start, stop = _weight(step.start, frame), _weight(step.stop, frame)
    by = share(step.step, frame, "the step of a ramp")
    if start is None or stop is None or by is None:
        coder.hold(step.every, step.analysis, step, frame, least=1)
        return
    if by <= 0 or start > stop:
        _no_ramp(step, start, stop, by, frame)
        return
    count, weight = 0, start
    while not coder.full:
        coder.emit(ir.RouteOp(weight=weight), step, frame)
        coder.hold(step.every, step.analysis, step, frame, least=1)
        if weight >= stop:
            return
        count += 1
        weight = min(clean(start + count * by), stop)


def _no_ramp(step: syntax.Ramp, start: float, stop: float, by: float, frame: Frame) -> None:
    frame.bench.spoilt = True
    if by <= 0:
        value = value_of(step.step, frame)
        out_of_range(value, step.step.span, frame, what="the step of a ramp", bounds="more than 0%")
        return
    low, high = (f"{number_text(weight)}%" for weight in (stop, start))
    frame.findings.error(
        "RW304",
        f"the ramp ends at {low}, below its start at {high}",
        step.start.span.to(step.stop.span) if step.start.span.source is step.stop.span.source else step.span,
        help=f"write `ramp {low} to {high} …`; to lower the traffic at once, write `shift to {low}`",
    )


def _mirror(coder: Coder, step: syntax.Mirror, frame: Frame) -> None:
    mirrored = 0.0 if step.share is None else _weight(step.share, frame, "the share of mirrored requests")
    coder.emit(ir.RouteOp(mirror=mirrored or 0.0), step, frame)
    coder.hold(step.hold, step.analysis, step, frame)


def _route(coder: Coder, step: syntax.Route, frame: Frame) -> None:
    matches = tuple(tuple(_test(test, frame) for test in one.tests) for one in step.alternatives)
    coder.emit(ir.RouteOp(matches=matches), step, frame)


def _test(test: syntax.MatchTest, frame: Frame) -> ir.MatchTest:
    kind: Any = one_of(test.kind, ("header", "cookie", "query"), "part of a request", frame) or "header"
    key = string(test.key, frame, f"the name of a {test.kind.text}")
    value = string(test.value, frame, f"the value of a {test.kind.text}") if test.value is not None else ""
    if key == "":
        value_ = value_of(test.key, frame)
        out_of_range(value_, test.key.span, frame, what=f"the name of a {test.kind.text}", bounds="not empty")
    op: Any = test.op
    return ir.MatchTest(kind, key or "", op, value or "")


def _sticky(coder: Coder, step: syntax.Sticky, frame: Frame) -> None:
    cookie = string(step.cookie, frame, "the name of a cookie")
    ms = duration(step.duration, frame, "the life of a cookie") if step.duration is not None else _STICKY_MS
    if cookie is not None and not _is_cookie(cookie):
        value = value_of(step.cookie, frame)
        bounds = "letters, digits and - _ . only"
        out_of_range(value, step.cookie.span, frame, what="the name of a cookie", bounds=bounds)
    coder.emit(ir.RouteOp(sticky=ir.StickySpec(cookie or "", ms or _STICKY_MS)), step, frame)


def _is_cookie(name: str) -> bool:
    return bool(name) and all(sign.isascii() and (sign.isalnum() or sign in "-_.") for sign in name)


def _scale(coder: Coder, step: syntax.Scale, frame: Frame) -> None:
    if step.to is None:
        coder.emit(ir.ScaleOp(match_traffic=True), step, frame)
        return
    value = value_of(step.to, frame)
    what = "the canary's replicas"
    if value.type is Type.NUMBER:
        number = whole(step.to, frame, what, high=100_000)
        coder.emit(ir.ScaleOp(replicas=number), step, frame)
    elif value.type is Type.SHARE:
        coder.emit(ir.ScaleOp(share=share(step.to, frame, what, high=1000)), step, frame)
    elif value.known:
        mistyped(value, Type.SHARE, step.to.span, frame, what=what)


# --- people and webhooks ----------------------------------------------------------------------------------------


def _run(coder: Coder, step: syntax.Run, frame: Frame) -> None:
    every = every_of(coder.bench, coder.analysis)
    coder.emit(ir.CallOp(use_webhook(step.webhook, frame), every, coder.analysis), step, frame)


def _wait_approval(coder: Coder, step: syntax.WaitApproval, frame: Frame) -> None:
    who = string(step.who, frame, "who approves") if step.who is not None else ""
    within, otherwise = _within(step, frame)
    coder.emit(ir.WaitOp(None, who or "", within, otherwise), step, frame)


def _wait_gate(coder: Coder, step: syntax.WaitGate, frame: Frame) -> None:
    within, otherwise = _within(step, frame)
    coder.emit(ir.WaitOp(use_gate(step.gate, frame), "", within, otherwise), step, frame)


def _within(step: syntax.WaitApproval | syntax.WaitGate, frame: Frame) -> tuple[int | None, Any]:
    within = duration(step.within, frame, "the time to wait") if step.within is not None else None
    word = step.otherwise
    return within, (one_of(word, ("rollback", "continue"), "way on", frame) if word is not None else None) or "rollback"


def _wait_window(coder: Coder, step: syntax.WaitWindow, frame: Frame) -> None:
    coder.emit(ir.PauseOp(window=use_window(step.window, frame)), step, frame)


def _notify(coder: Coder, step: syntax.Notify, frame: Frame) -> None:
    message = string(step.message, frame, "the message") if step.message is not None else ""
    coder.emit(ir.NotifyOp(use_channel(step.channel, frame), message or ""), step, frame)


def _analyse(coder: Coder, step: syntax.Analyse, frame: Frame) -> None:
    analysis = use_analysis(step.analysis, frame, coder.local)
    coder.emit(ir.HoldOp(checks=1, analysis=analysis, at_once=True), step, frame)


# --- flow -------------------------------------------------------------------------------------------------------


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
    if step.otherwise and not (len(coder.code) > at + 1 and _ends(coder.code[-1])):
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
    reader = Coder(aside, coder.analysis, coder.local, coder.end)
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
        coder.steps(step.steps, frame._replace(bindings={**frame.bindings, name: item}))


def follow(coder: Coder, use: syntax.Use, frame: Frame) -> None:
    """The steps of a strategy, in the place where it is followed."""
    declared = frame.find(Space.STRATEGY, use.path)
    if declared is None:
        return
    assert isinstance(declared.node, syntax.Strategy)
    bound = bind(declared, declared.node.params, use.args, frame, use.span)
    inner = frame.enter(declared, use.span, bound) if bound is not None else None
    if inner is not None:
        coder.steps(declared.node.steps, inner)


def _follow(coder: Coder, step: syntax.Follow, frame: Frame) -> None:
    follow(coder, step.strategy, frame)


# --- the end ----------------------------------------------------------------------------------------------------


def _promote(coder: Coder, step: syntax.Promote, frame: Frame) -> None:
    by = share(step.step, frame, "the step of a promotion") if step.step is not None else None
    if by == 0 and step.step is not None:
        value = value_of(step.step, frame)
        out_of_range(value, step.step.span, frame, what="the step of a promotion", bounds="more than 0%")
    every = duration(step.every, frame, "the time between two steps") if step.every is not None else None
    if by is not None and every is None:
        every = every_of(coder.bench, coder.analysis)
    coder.emit(ir.PromoteOp(by, every), step, frame)


def _rollback(coder: Coder, step: syntax.Rollback, frame: Frame) -> None:
    reason = string(step.reason, frame, "the reason") if step.reason is not None else ""
    coder.emit(ir.RollbackOp(reason or ""), step, frame)


_WRITERS: Mapping[type, Callable[[Coder, Any, Frame], None]] = {
    syntax.Run: _run,
    syntax.Shift: _shift,
    syntax.Hold: _hold,
    syntax.Pause: _pause,
    syntax.Ramp: _ramp,
    syntax.Mirror: _mirror,
    syntax.Route: _route,
    syntax.Sticky: _sticky,
    syntax.Scale: _scale,
    syntax.WaitApproval: _wait_approval,
    syntax.WaitGate: _wait_gate,
    syntax.WaitWindow: _wait_window,
    syntax.Notify: _notify,
    syntax.Analyse: _analyse,
    syntax.If: _if,
    syntax.Repeat: _repeat,
    syntax.For: _for,
    syntax.Follow: _follow,
    syntax.Promote: _promote,
    syntax.Rollback: _rollback,
}
