"""Reading the settings of a block into plain data, by the tables of `dsl/meaning/blocks.py`.

Plain data is what JSON can hold: durations inside options stay text (`15s`), in one spelling.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from dsl import syntax
from dsl.diagnostics import Label
from dsl.findings import listed, one_line
from dsl.meaning.blocks import (
    Anything,
    Bounds,
    Flag,
    Keys,
    Listed,
    OneOf,
    Percent,
    Shape,
    Slot,
    Slots,
    Text,
    Texts,
    Time,
    Whole,
)
from dsl.meaning.evaluate import bare_word, duration, mistyped, out_of_range, share, whole, word_or_value
from dsl.meaning.frames import Frame
from dsl.meaning.values import Type, Value, clean, duration_text, shifted, value_text
from dsl.source import Span
from dsl.suggest import closest

# --- reading a block --------------------------------------------------------------------------------------------


def read_fields(
    fields: Iterable[syntax.Field],
    slots: Slots,
    frame: Frame,
    what: str,
    at: Span | None = None,
    block: Span | None = None,
    beside: Collection[str] = (),
) -> dict[str, Any]:
    """The settings of a block as plain data, by name. `what` is the block in words; at `at`, missing ones are shown,
    unless the `block` has something in it that could not be read. What else could have been meant by a word that is no
    setting is in `beside`."""
    first: dict[str, syntax.Field] = {}
    meant: set[str] = set()
    data: dict[str, Any] = {}
    for field in fields:
        name = field.name.text
        before = first.setdefault(name, field)
        if name not in slots:
            _unknown(field.name, slots, what, frame, beside)
            meant.update(closest(name, slots))
        elif before is not field:
            twice(field.name.span, before.name.span, name, frame)
        else:
            value = _field(field, slots[name].shape, frame)
            if value is not None:
                data[name] = value
    if at is not None and (block is None or not _torn(block, frame)):
        for name, slot in slots.items():
            if slot.required and not {name, slot.spared_by} & {*first, *meant}:
                _missing(name, what, at, frame)
    return data


def _torn(block: Span, frame: Frame) -> bool:
    torn = frame.module.torn(block)
    frame.bench.spoilt = frame.bench.spoilt or torn
    return torn


def twice(span: Span, before: Span, name: str, frame: Frame) -> None:
    """Report a setting that stands twice; what could not be read right may have been meant as another one."""
    frame.bench.spoilt = True
    if frame.module.torn(before) or frame.module.torn(span):
        return
    frame.findings.error(
        "RW211",
        f"`{name}` is set twice",
        span,
        note="set again here",
        labels=[Label(before, "first set here")],
        help="keep one of them",
    )


def _unknown(name: syntax.Name, slots: Slots, what: str, frame: Frame, beside: Collection[str]) -> None:
    from dsl.capabilities import OPTIONS, PROVIDERS  # noqa: PLC0415 - needed for this message only

    frame.bench.spoilt = True
    takers = [f"traffic {p}" for p, row in PROVIDERS.items() if name.text in row.takes] if "traffic" in what else []
    if takers and name.text in OPTIONS:
        shown = takers if len(takers) <= 4 else [*takers[:4], "others"]
        other = f"{listed(shown)} {'has' if len(takers) == 1 else 'have'} it"
        frame.findings.error("RW210", f"{what} has no setting `{name.text}`", name.span, help=other)
        return
    other = f"its settings are {listed(slots)}" if slots else "it has no settings"
    known = [*slots, *beside]
    frame.findings.unknown("RW210", f"{what} has no setting `{name.text}`", name.text, name.span, known, other=other)


def _missing(name: str, what: str, at: Span, frame: Frame) -> None:
    frame.findings.error("RW212", f"{what} has no `{name}`", at, help=f"add a line `{name} …`")
    frame.bench.spoilt = True


def _field(field: syntax.Field, shape: Shape, frame: Frame) -> Any:
    name = field.name.text
    if field.value is None:
        if isinstance(shape, Flag):
            return True
        frame.findings.error(
            "RW212",
            f"`{name}` has no value",
            field.name.span,
            help=f"write {_wanted(shape)} behind it",
        )
        frame.bench.spoilt = True
        return None
    return read(field.value, shape, frame, f"`{name}`")


# --- reading a value --------------------------------------------------------------------------------------------


def read(expr: syntax.Expr, shape: Shape, frame: Frame, what: str) -> Any:
    """A value of some shape as plain data; None, reported, if it has another."""
    match shape:
        case Percent():
            return share(expr, frame, what)
        case Time():
            ms = duration(expr, frame, what)
            return duration_text(ms) if ms is not None and shape.as_text else ms
        case Whole(or_word=False):
            return whole(expr, frame, what, low=shape.low, high=shape.high)
        case OneOf():
            return _one_of(expr, shape, frame, what)
        case Listed():
            return _list(expr, shape, frame, what)
        case Keys():
            return _keys(expr, shape, frame, what)
        case _:
            return _converted(word_or_value(expr, frame), expr.span, shape, frame, what)


def _converted(value: Value, span: Span, shape: Shape, frame: Frame, what: str) -> Any:
    """A value that is at hand, in a shape."""
    if not value.known:
        return None
    match shape, value.type:
        case Text(bare=bare), Type.TEXT | Type.WORD if bare or value.type is Type.TEXT:
            return value.data
        case Flag(), Type.BOOL:
            return value.data
        case Whole(), Type.WORD | Type.TEXT:
            return value.data
        case Whole(), Type.NUMBER:
            return _bounded(value, span, shape, frame, what)
        case Bounds(), Type.RANGE:
            return _bounds(value, span, shape, frame, what)
        case Texts(), Type.MAP:
            return _texts(value, frame, what)
        case Anything(), _:
            return plain(value)
        case _:
            mistyped(value, _TYPES[type(shape)], span, frame, what=what)
            return None


_TYPES: Mapping[type, Type] = {
    Text: Type.TEXT,
    Flag: Type.BOOL,
    Whole: Type.NUMBER,
    Bounds: Type.RANGE,
    Texts: Type.MAP,
    Keys: Type.MAP,
    Listed: Type.LIST,
}


def _wanted(shape: Shape) -> str:
    match shape:
        case OneOf():
            return listed(shape.words, "or")
        case Percent():
            return Type.SHARE
        case Time():
            return Type.TIME
        case Anything():
            return "a value"
        case _:
            return _TYPES[type(shape)]


def _one_of(expr: syntax.Expr, shape: OneOf, frame: Frame, what: str) -> str | None:
    word = bare_word(expr)
    if word is None or (word not in shape.words and word in frame.bindings):
        value = word_or_value(expr, frame)
        if not value.known:
            return None
        word = str(value.data) if value.type in (Type.TEXT, Type.WORD) else None
    if word in shape.words:
        return word
    shown = one_line(expr.span.text)
    frame.findings.unknown(
        "RW213",
        f"`{shown}` is no value for {what}",
        word or "",
        expr.span,
        shape.words,
        other=f"write {listed(shape.words, 'or')}",
    )
    frame.bench.spoilt = True
    return None


def _bounded(value: Value, span: Span, shape: Whole, frame: Frame, what: str) -> int | None:
    if value.data == value.data // 1 and shape.low <= value.data and (shape.high is None or value.data <= shape.high):
        return int(value.data)
    bounds = f"a whole number from {shape.low}" + (f" to {shape.high}" if shape.high is not None else " up")
    out_of_range(value, span, frame, what=what, bounds=bounds + (", or a name" if shape.or_word else ""))
    return None


def _bounds(value: Value, span: Span, shape: Bounds, frame: Frame, what: str) -> tuple[int, int] | None:
    ends = value.data
    for end in ends:
        if end.type is not Type.NUMBER:
            if end.known:
                mistyped(end, Type.NUMBER, end.span, frame, what=f"an end of {what}")
            return None
        if end.data != end.data // 1 or end.data < shape.low:
            out_of_range(end, end.span, frame, what=f"an end of {what}", bounds=f"a whole number from {shape.low} up")
            return None
    low, high = (int(end.data) for end in ends)
    if low > high:
        bounds, mended = "a range from the lower to the higher", f"write `{high}..{low}`"
        out_of_range(value, span, frame, what=what, bounds=bounds, how="runs backwards", help_=mended)
        return None
    return low, high


def _list(expr: syntax.Expr, shape: Listed, frame: Frame, what: str) -> list[Any] | None:
    if isinstance(expr, syntax.ListOf):
        items = [read(item, shape.of, frame, f"an item of {what}") for item in expr.items]
        return [item for item in items if item is not None]
    value = word_or_value(expr, frame)
    if not value.known:
        return None
    if value.type is not Type.LIST:
        mistyped(value, Type.LIST, expr.span, frame, what=what)
        return None
    if isinstance(shape.of, Keys | Listed):
        return [plain(item) for item in value.data]
    found = [_converted(item, item.span, shape.of, frame, f"an item of {what}") for item in value.data]
    return [item for item in found if item is not None]


def _keys(expr: syntax.Expr, shape: Keys, frame: Frame, what: str) -> dict[str, Any] | None:
    if not isinstance(expr, syntax.MapOf):
        value = word_or_value(expr, frame)
        if value.known and value.type is not Type.MAP:
            mistyped(value, Type.MAP, expr.span, frame, what=what)
            return None
        return plain(value) if value.known else None
    fields = [syntax.Field(entry.key, entry.value, entry.span) for entry in expr.entries]
    return read_fields(fields, {name: Slot(inner) for name, inner in shape.keys.items()}, frame, what)


def _texts(value: Value, frame: Frame, what: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, item in value.data:
        if item.type in (Type.LIST, Type.MAP, Type.RANGE):
            mistyped(item, Type.TEXT, item.span, frame, what=f"`{key.text}` in {what}")
        elif item.known:
            texts[key.text] = item.data if item.type in (Type.TEXT, Type.WORD) else value_text(item)
    return texts


def plain(value: Value) -> Any:
    """Any value as JSON data."""
    match value.type:
        case Type.NUMBER:
            return int(value.data) if abs(value.data) < 1e15 and value.data == value.data // 1 else value.data
        case Type.LIST:
            return [plain(item) for item in value.data]
        case Type.MAP:
            return {key.text: plain(item) for key, item in value.data}
        case Type.TEXT | Type.WORD | Type.BOOL:
            return value.data
        case Type.UNKNOWN:
            return None
        case _:
            return value_text(value)


def scalar(value: Value) -> str | float | bool | None:
    """A value as an argument of a template: a share is a ratio, a duration and anything else its text."""
    match value.type:
        case Type.NUMBER | Type.TEXT | Type.WORD | Type.BOOL:
            found: str | float | bool = value.data
            return found
        case Type.SHARE:
            return shifted(clean(value.data), -2)
        case Type.UNKNOWN:
            return None
        case _:
            return value_text(value)
