"""Metrics where they are asked for: `latency(0.99) of primary`, `requests.rate`, `duration.quantile(0.5)`."""

from __future__ import annotations

from typing import Any, NamedTuple

from dsl import ir, syntax
from dsl.diagnostics import Label
from dsl.findings import listed, replacing
from dsl.meaning.arguments import Placed, bind, default_of, shown
from dsl.meaning.evaluate import Resolved, inner_share
from dsl.meaning.frames import Frame, Wanted
from dsl.meaning.quantities import Quantity, nothing
from dsl.meaning.scope import Declared, Space
from dsl.meaning.types import OF_UNIT, PARTS
from dsl.source import Span


class MetricUse(NamedTuple):
    """A metric of the Program, as it was asked for."""

    key: str
    unit: ir.Unit
    name: str


def use_metric(ref: syntax.Ref, declared: Declared, resolved: Resolved, frame: Frame) -> MetricUse | None:
    """The metric that a reference names, its arguments bound; it will be worked out later."""
    params = declared.of(syntax.Metric).params
    bound = bind(declared, params, resolved.args or (), frame, resolved.name_span or ref.span)
    unit = unit_of(declared)
    if bound is None or unit is None:
        frame.bench.spoilt = True
        return None
    usual = {param.name.text: default_of(param, declared, frame) for param in params}
    key = frame.bench.key(Space.VALUE, declared, declared.name + shown(bound, usual))
    inner = frame.enter(declared, ref.span, bound)
    if inner is None:
        return None
    frame.bench.wanted.append(Wanted(key, declared, bound, inner, frame.asked or ref.span))
    return MetricUse(key, unit, declared.name)


def unit_of(declared: Declared) -> ir.Unit | None:
    """What a metric returns, None for a word that is no unit."""
    text = declared.of(syntax.Metric).unit.text
    return ir.Unit(text) if text in _UNITS else None


_UNITS = frozenset(ir.Unit)


def measured(ref: syntax.Ref, declared: Declared, resolved: Resolved, frame: Frame) -> Quantity:
    arm = arm_of(ref, frame)
    use = use_metric(ref, declared, resolved, frame)
    if use is None:
        return nothing(ref.span)
    parts = PARTS.get(use.unit)
    if parts is None:
        if resolved.parts:
            _no_part(ref, use, resolved.parts[0], frame)
            return nothing(ref.span)
        measure = ir.Measure(use.key, arm, frame.window)
        return Quantity(OF_UNIT[use.unit], measure, ref.span, ratio=use.unit is ir.Unit.RATIO)
    if not resolved.parts:
        _whole(ref, use, frame)
        return nothing(ref.span)
    part = resolved.parts[0]
    if part.name.text not in parts or len(resolved.parts) > 1:
        _no_part(ref, use, part if len(resolved.parts) == 1 else resolved.parts[1], frame)
        return nothing(ref.span)
    q = _quantile(part, frame)
    dim = parts[part.name.text]
    if q is None and part.name.text == "quantile":
        return nothing(ref.span)
    picked: Any = part.name.text
    return Quantity(dim, ir.Measure(use.key, arm, frame.window, picked, q), ref.span)


def _quantile(part: syntax.Segment, frame: Frame) -> float | None:
    """The argument of `.quantile(q)`; the other parts take none."""
    names = ["q"] if part.name.text == "quantile" else []
    placed = Placed(f"`.{part.name.text}`", part.args or (), names, frame.findings, None)
    if names and placed.fine and not placed.given:
        placed.missing("q", part.span)
    if not placed.fine:
        frame.bench.spoilt = True
        return None
    arg = placed.given.get("q")
    return inner_share(arg.value, frame, "a quantile") if arg is not None else None


def arm_of(ref: syntax.Ref, frame: Frame) -> ir.Arm:
    """Whom a reference asks about."""
    if ref.arm is None:
        return ir.Arm.CANARY
    word = ref.arm.text
    if word not in set(ir.Arm):
        message = f"there is no `{word}` to ask about"
        other = "a check may ask about the `canary`, the `primary` and the `baseline`"
        frame.findings.unknown("RW213", message, word, ref.arm.span, list(ir.Arm), other=other)
        frame.bench.spoilt = True
        return ir.Arm.CANARY
    if word == ir.Arm.BASELINE and frame.bench.baseline is False:
        _no_baseline(ref.arm, frame)
    return ir.Arm(word)


def _no_baseline(arm: syntax.Name, frame: Frame) -> None:
    rollout = frame.bench.rollout
    labels = [Label(rollout.name.span, "this rollout has no `baseline`")] if rollout is not None else []
    frame.findings.error(
        "RW216",
        "there is no baseline to ask about",
        arm.span,
        labels=labels,
        help="add the statement `baseline` to the rollout, or ask `of primary`",
        fixes=[replacing(arm.span, "primary")],
    )
    frame.bench.spoilt = True


def _whole(ref: syntax.Ref, use: MetricUse, frame: Frame) -> None:
    parts = [".quantile(0.99)"] if use.unit is ir.Unit.HISTOGRAM else [".rate", ".total", ".bad"]
    what = "is a histogram" if use.unit is ir.Unit.HISTOGRAM else "counts events"
    end = ref.segments[-1].span.end
    at = Span(ref.span.source, ref.span.start, end)
    frame.findings.error(
        "RW207",
        f"`{use.name}` {what}, it is no number",
        at,
        help="pick a number out of it: " + " or ".join(f"`{at.text}{part}`" for part in parts),
        fixes=[replacing(at, at.text + part) for part in parts],
    )
    frame.bench.spoilt = True


def _no_part(ref: syntax.Ref, use: MetricUse, part: syntax.Segment, frame: Frame) -> None:
    known = list(PARTS.get(use.unit, ()))
    message = f"`{use.name}` has no `.{part.name.text}`"
    if len(ref.segments) and part.name.text in known:
        message = f"nothing follows `.{ref.segments[-2].name.text}`"
    other = f"its parts are {listed(known)}" if known else f"it returns {use.unit.value}, a number without parts"
    frame.findings.unknown("RW208", message, part.name.text, part.name.span, known, other=other)
    frame.bench.spoilt = True
