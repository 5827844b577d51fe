"""What is known when a policy is compiled: literals, constants, parameters, and what is worked out from them.

`value_of` gives the value of an expression. The functions below it give a value of one type to whoever needs one, or
say, at the place where the value was written, why it will not do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dsl import syntax
from dsl.diagnostics import Label
from dsl.findings import one_line, replacing
from dsl.meaning.frames import Frame
from dsl.meaning.scope import FUNCTIONS, TESTS, Declared, Space
from dsl.meaning.types import readings
from dsl.meaning.values import Type, Value, clean, duration_text, number_text, shifted, unknown, value_text
from dsl.source import Span

_LONGEST = 1000 * 86_400_000
"""A thousand days, in milliseconds."""


class Resolved(NamedTuple):
    """What a reference stands for: a value, a declaration, or a function of the language; else it was reported.

    `args` are the arguments behind the name itself, `parts` the segments behind those.
    """

    value: Value | None = None
    declared: Declared | None = None
    function: str = ""
    args: tuple[syntax.Arg, ...] | None = None
    parts: tuple[syntax.Segment, ...] = ()
    name_span: Span | None = None


def resolve_ref(ref: syntax.Ref, frame: Frame) -> Resolved:
    """What the name of a reference stands for, its parts left alone."""
    head, *rest = ref.segments
    name = head.name
    bound = frame.bindings.get(name.text)
    if bound is not None:
        return Resolved(value=bound, args=head.args, parts=tuple(rest), name_span=name.span)
    path: tuple[syntax.Name, ...] = (name,)
    if rest and name.text in frame.module.aliases:
        head = rest.pop(0)
        path = (name, head.name)
    elif name.text in FUNCTIONS or name.text in TESTS:
        return Resolved(function=name.text, args=head.args, parts=tuple(rest), name_span=name.span)
    elif rest and head.args is None and not frame.module.find(Space.VALUE, name.text):
        path = (name, rest[0].name)  # an alias that is not there
    span = path[0].span.to(path[-1].span)
    declared = frame.find(Space.VALUE, path)
    if declared is None:
        return Resolved(name_span=span)
    if isinstance(declared.node, syntax.Let):
        return Resolved(value=_constant(declared, frame, span), args=head.args, parts=tuple(rest), name_span=span)
    return Resolved(declared=declared, args=head.args, parts=tuple(rest), name_span=span)


def _constant(declared: Declared, frame: Frame, span: Span) -> Value:
    constants = frame.findings.constants
    known = constants.get(id(declared.node))
    if known is None:
        inner = frame.enter(declared, span, {})
        known = value_of(declared.of(syntax.Let).value, inner) if inner is not None else unknown(span)
        constants[id(declared.node)] = known
    frame.bench.spoilt = frame.bench.spoilt or not known.known
    return known


def plain_value(ref: syntax.Ref, value: Value, resolved: Resolved, frame: Frame) -> Value:
    """The value that a reference to a constant or a parameter stands for; it has no parts and takes no arguments."""
    name = ref.segments[0].name.text
    if value.known and (resolved.parts or resolved.args is not None or ref.arm is not None):
        what = "parts" if resolved.parts else "arguments" if resolved.args is not None else "arms"
        frame.findings.error(
            "RW208",
            f"`{name}` is {value.type}, it has no {what}",
            ref.span,
            labels=[Label(value.span, "its value")] if value.span != ref.span else (),
            help=f"write `{name}` alone",
            fixes=[replacing(ref.span, name)],
        )
        return frame.bench.poison(ref.span)
    return value


# --- values -----------------------------------------------------------------------------------------------------


def value_of(expr: syntax.Expr, frame: Frame) -> Value:
    """The value of an expression that must be known now."""
    read = _READERS.get(type(expr))
    return read(expr, frame) if read is not None else _computed(expr, frame)


def _literal(type_: Type, attribute: str) -> Callable[[Any, Frame], Value]:
    return lambda node, _frame: Value(type_, getattr(node, attribute), node.span)


def _duration(node: syntax.Duration, _frame: Frame) -> Value:
    return Value(Type.TIME, float(min(node.ms, _LONGEST * 10)), node.span)


def _list(node: syntax.ListOf, frame: Frame) -> Value:
    return Value(Type.LIST, tuple(value_of(item, frame) for item in node.items), node.span)


def _map(node: syntax.MapOf, frame: Frame) -> Value:
    first: dict[str, syntax.Name] = {}
    for entry in node.entries:
        before = first.setdefault(entry.key.text, entry.key)
        if before is not entry.key:
            frame.findings.error(
                "RW211",
                f"`{entry.key.text}` stands twice in this map",
                entry.key.span,
                labels=[Label(before.span, "first here")],
                help="keep one of them",
            )
            frame.bench.spoilt = True
    return Value(Type.MAP, tuple((entry.key, word_or_value(entry.value, frame)) for entry in node.entries), node.span)


def _workload(node: syntax.Workload, _frame: Frame) -> Value:
    return Value(Type.WORKLOAD, tuple(part.text for part in node.parts), node.span)


def _range(node: syntax.Range, frame: Frame) -> Value:
    ends = value_of(node.low, frame), value_of(node.high, frame)
    if not all(end.known for end in ends):
        return unknown(node.span)
    return Value(Type.RANGE, ends, node.span)


def _bad(node: syntax.BadExpr, frame: Frame) -> Value:
    return frame.bench.poison(node.span)


def _reference(node: syntax.Ref, frame: Frame) -> Value:
    head = node.segments[0]
    if head.name.text in FUNCTIONS and head.name.text not in frame.bindings:
        return _computed(node, frame)
    resolved = resolve_ref(node, frame)
    if resolved.value is not None:
        return plain_value(node, resolved.value, resolved, frame)
    if resolved.declared is not None or resolved.function:
        _not_constant(node, frame)
    return frame.bench.poison(node.span)


def _not_constant(node: syntax.Expr, frame: Frame) -> None:
    frame.findings.error(
        "RW201",
        f"`{one_line(node.span.text)}` is not known before the rollout runs",
        node.span,
        note="a metric",
        help="a value that is known now has to stand here: a literal, a constant or a parameter",
    )


def _computed(node: syntax.Expr, frame: Frame) -> Value:
    from dsl.lower.conditions import constant_condition  # noqa: PLC0415 - conditions are made of values
    from dsl.lower.quantities import constant_quantity  # noqa: PLC0415 - and so are quantities

    if isinstance(node, syntax.Compare | syntax.Within | syntax.Not | syntax.And | syntax.Or | syntax.Over):
        return constant_condition(node, frame)
    return constant_quantity(node, frame)


_READERS: dict[type, Callable[[Any, Frame], Value]] = {
    syntax.Number: _literal(Type.NUMBER, "value"),
    syntax.Percent: _literal(Type.SHARE, "value"),
    syntax.Duration: _duration,
    syntax.String: _literal(Type.TEXT, "value"),
    syntax.Bool: _literal(Type.BOOL, "value"),
    syntax.Word: _literal(Type.WORD, "text"),
    syntax.Clock: _literal(Type.CLOCK, "minutes"),
    syntax.ListOf: _list,
    syntax.MapOf: _map,
    syntax.Workload: _workload,
    syntax.Range: _range,
    syntax.Ref: _reference,
    syntax.BadExpr: _bad,
}


def word_or_value(expr: syntax.Expr, frame: Frame) -> Value:
    """A value where a bare word may stand for itself: a name that is a constant here is that, any other is a word."""
    word = bare_word(expr)
    if word is None:
        return value_of(expr, frame)
    if word in frame.bindings:
        return frame.bindings[word]
    found = frame.module.find(Space.VALUE, word)
    if len(found) == 1 and isinstance(found[0][0].node, syntax.Let):
        return value_of(expr, frame)
    return Value(Type.WORD, word, expr.span)


def bare_word(expr: syntax.Expr) -> str | None:
    """The word, if the expression is nothing but one."""
    match expr:
        case syntax.Word():
            return expr.text
        case syntax.Ref(segments=(syntax.Segment(name=name, args=None),), arm=None):
            return name.text
        case _:
            return None


# --- values of one type -----------------------------------------------------------------------------------------


def mistyped(value: Value, wanted: Type, span: Span, frame: Frame, *, what: str, slow: bool = False) -> None:
    """Say that a value is of another type than is needed at `span`, at the place where the value stands."""
    frame.bench.spoilt = True
    labels = [Label(span, f"{what} stands here")] if value.span != span else []
    shown = one_line(value_text(value))
    if value.type is Type.NUMBER and wanted in (Type.SHARE, Type.TIME):
        meant = readings(value.data, wanted, slow=slow)
        frame.findings.error(
            "RW202",
            f"`{shown}` has no unit, and {what} is {wanted}",
            value.span,
            labels=labels,
            help="write " + " or ".join(f"`{text}`" for text in meant) if meant else f"write {wanted}",
            fixes=[replacing(value.span, text) for text in meant],
        )
        return
    frame.findings.error(
        "RW201",
        f"`{shown}` is {value.type}, and {what} is {wanted}",
        value.span,
        labels=labels,
        help=f"write {wanted}" + _EXAMPLES.get(wanted, ""),
    )


_EXAMPLES = {
    Type.SHARE: ", such as `5%`",
    Type.TIME: ", such as `30s`",
    Type.TEXT: " in quotes",
    Type.NUMBER: " without a unit",
    Type.BOOL: "",
    Type.LIST: ", such as `[…]`",
    Type.MAP: ", such as `{ key: value }`",
}


def out_of_range(
    value: Value, span: Span, frame: Frame, *, what: str, bounds: str, how: str = "is out of range", help_: str = ""
) -> None:
    """Say that a value is not within bounds, at the place where the value stands."""
    frame.bench.spoilt = True
    frame.findings.error(
        "RW205",
        f"`{one_line(value_text(value))}` {how}: {what} is {bounds}",
        value.span,
        labels=[Label(span, f"{what} stands here")] if value.span != span else (),
        help=help_ or f"write {bounds}",
    )


def typed(expr: syntax.Expr, wanted: Type, frame: Frame, what: str, *, slow: bool = False) -> Value | None:
    """A value of one type, or None, reported."""
    value = value_of(expr, frame)
    if value.type is wanted:
        return value
    if value.known:
        mistyped(value, wanted, expr.span, frame, what=what, slow=slow)
    return None


def share(expr: syntax.Expr, frame: Frame, what: str, *, low: float = 0, high: float = 100) -> float | None:
    """A share in percent, from `low` to `high`."""
    value = typed(expr, Type.SHARE, frame, what)
    if value is None:
        return None
    if not low <= value.data <= high:
        bounds = f"a percentage from {number_text(low)}% to {number_text(high)}%"
        out_of_range(value, expr.span, frame, what=what, bounds=bounds)
        return None
    return clean(value.data)


def inner_share(expr: syntax.Expr, frame: Frame, what: str) -> float | None:
    """A share that is neither nothing nor everything, as a ratio; a plain number below 1 will do."""
    value = value_of(expr, frame)
    if value.type is Type.NUMBER and 0 < value.data < 1:
        return float(value.data)
    if value.type is Type.NUMBER:
        _not_inner(value, expr.span, frame, what)
        return None
    if value.type is not Type.SHARE:
        if value.known:
            mistyped(value, Type.SHARE, expr.span, frame, what=what)
        return None
    if not 0 < value.data < 100:
        out_of_range(value, expr.span, frame, what=what, bounds="a percentage above 0% and below 100%")
        return None
    return ratio(value)


def _not_inner(value: Value, span: Span, frame: Frame, what: str) -> None:
    meant = [number_text(value.data / 100), f"{number_text(value.data)}%"] if 1 < value.data < 100 else []
    frame.bench.spoilt = True
    frame.findings.error(
        "RW205",
        f"`{value_text(value)}` is out of range: {what} is between 0 and 1",
        value.span,
        labels=[Label(span, f"{what} stands here")] if value.span != span else (),
        help="write " + " or ".join(f"`{text}`" for text in meant) if meant else "write a number between 0 and 1",
        fixes=[replacing(value.span, text) for text in meant],
    )


def ratio(value: Value) -> float:
    """A share as a ratio."""
    return shifted(clean(value.data), -2)


def duration(expr: syntax.Expr, frame: Frame, what: str, *, zero: bool = False) -> int | None:
    """A duration in whole milliseconds; `zero` allows none at all."""
    value = typed(expr, Type.TIME, frame, what, slow=True)
    if value is None:
        return None
    if not (0 if zero else 1) <= value.data <= _LONGEST:
        bounds = f"a duration from {'0s' if zero else '1ms'} to {duration_text(_LONGEST)}"
        out_of_range(value, expr.span, frame, what=what, bounds=bounds)
        return None
    milliseconds: int = round(value.data)
    return milliseconds


def whole(expr: syntax.Expr, frame: Frame, what: str, *, low: int = 0, high: int | None = None) -> int | None:
    """A whole number, from `low` up."""
    value = typed(expr, Type.NUMBER, frame, what)
    if value is None:
        return None
    if value.data != value.data // 1 or value.data < low or (high is not None and value.data > high):
        bounds = f"a whole number from {low}" + (f" to {high}" if high is not None else " up")
        out_of_range(value, expr.span, frame, what=what, bounds=bounds)
        return None
    return int(value.data)


def string(expr: syntax.Expr, frame: Frame, what: str) -> str | None:
    """A string."""
    value = typed(expr, Type.TEXT, frame, what)
    return value.data if value is not None else None
