"""Steps: from statements to the flat list of instructions. `ramp` is unrolled into shifts and holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsl import ir, syntax
from dsl.diagnostics import Label
from dsl.lower.analysis import every_of, use_analysis
from dsl.lower.blocks import use_channel, use_gate, use_webhook, use_window
from dsl.lower.flow import FLOW
from dsl.meaning.blocks import STICKY
from dsl.meaning.coder import Coder, Writer
from dsl.meaning.evaluate import duration, mistyped, out_of_range, share, string, value_of, whole
from dsl.meaning.fields import read_fields
from dsl.meaning.frames import Frame
from dsl.meaning.values import Type, clean, number_text
from dsl.meaning.words import one_of

_STICKY_MS = 86_400_000


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
        out_of_range(value, step.step.span, frame, what="the step of a ramp", bounds="a percentage above 0%")
        return
    low, high = (f"{number_text(weight)}%" for weight in (stop, start))
    at = step.start.span.to(step.stop.span)
    labels = [Label(at, "this ramp")] if frame.place is not None else []
    for expr, says in ((step.start, f"it starts at {high}"), (step.stop, f"it ends at {low}")):
        written = value_of(expr, frame).span
        labels += [Label(written, says)] if written != expr.span else []
    frame.findings.error(
        "RW304",
        f"the ramp ends at {low}, below its start at {high}",
        frame.place or at,
        labels=labels,
        help=f"let it go from {low} to {high}; to lower the traffic at once, write `shift to {low}`",
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
        what, value_ = f"the name of a {test.kind.text}", value_of(test.key, frame)
        bounds, how = "not empty", "does not fit"
        out_of_range(value_, test.key.span, frame, what=what, bounds=bounds, how=how, help_="give it a name")
    op: Any = test.op
    return ir.MatchTest(kind, key or "", op, value or "")


def _sticky(coder: Coder, step: syntax.Sticky, frame: Frame) -> None:
    cookie = string(step.cookie, frame, "the name of a cookie")
    ms = duration(step.duration, frame, "the life of a cookie") if step.duration is not None else _STICKY_MS
    if cookie is not None and not _is_cookie(cookie):
        value = value_of(step.cookie, frame)
        bounds = "made of letters, digits, `-`, `_` and `.`"
        what, how, mend = "the name of a cookie", "does not fit", "leave out all other signs"
        out_of_range(value, step.cookie.span, frame, what=what, bounds=bounds, how=how, help_=mend)
    attributes = read_fields(step.fields, STICKY, frame, "`sticky`")
    coder.emit(ir.RouteOp(sticky=ir.StickySpec(cookie or "", ms or _STICKY_MS, attributes)), step, frame)


def _is_cookie(name: str) -> bool:
    return bool(name) and all(sign.isascii() and (sign.isalnum() or sign in "-_.") for sign in name)


def _scale(coder: Coder, step: syntax.Scale, frame: Frame) -> None:
    if step.to is None:
        coder.emit(ir.ScaleOp(match_traffic=True), step, frame)
        return
    value = value_of(step.to, frame)
    what = "the size of the canary"
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


# --- the end ----------------------------------------------------------------------------------------------------


def _promote(coder: Coder, step: syntax.Promote, frame: Frame) -> None:
    by = share(step.step, frame, "the step of a promotion") if step.step is not None else None
    if by == 0 and step.step is not None:
        value = value_of(step.step, frame)
        out_of_range(value, step.step.span, frame, what="the step of a promotion", bounds="a percentage above 0%")
    every = duration(step.every, frame, "the time between two steps") if step.every is not None else None
    if by is not None and every is None:
        every = every_of(coder.bench, coder.analysis)
    coder.emit(ir.PromoteOp(by, every), step, frame)


def _rollback(coder: Coder, step: syntax.Rollback, frame: Frame) -> None:
    reason = string(step.reason, frame, "the reason") if step.reason is not None else ""
    coder.emit(ir.RollbackOp(reason or ""), step, frame)


WRITERS: Mapping[type, Writer] = {
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
    **FLOW,
    syntax.Promote: _promote,
    syntax.Rollback: _rollback,
}
