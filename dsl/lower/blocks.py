"""Webhooks, gates, channels and windows: named blocks that steps and checks refer to, each once in the Program."""

from __future__ import annotations

from typing import Any

from dsl import ir, syntax
from dsl.diagnostics import Label
from dsl.findings import listed
from dsl.meaning.blocks import CHANNEL, GATE, WEBHOOK, Slot, Text
from dsl.meaning.fields import read_fields, twice
from dsl.meaning.frames import Frame
from dsl.meaning.scope import Declared, Space
from dsl.meaning.words import CHANNEL_KINDS, DAYS, SEVERITIES, one_of


def _declared(use: syntax.Use, space: Space, frame: Frame) -> tuple[Declared, str] | None:
    """What a use names, and its name in the Program; None, reported, if it names nothing or gives it arguments."""
    declared = frame.find(space, use.path)
    if declared is None:
        return None
    if use.args:
        frame.findings.error(
            "RW122",
            f"the {declared.word} `{declared.name}` takes no arguments",
            use.args[0].span.to(use.args[-1].span),
            labels=[Label(declared.name_span, "declared here")],
            help=f"write `{declared.name}` alone",
        )
        frame.bench.spoilt = True
        return None
    return declared, frame.bench.key(space, declared, declared.name)


def _inside(declared: Declared, frame: Frame) -> Frame:
    return Frame(frame.bench, declared.module)


# --- webhooks and gates -----------------------------------------------------------------------------------------


def use_webhook(use: syntax.Use, frame: Frame) -> str:
    """The name in the Program of a webhook that is used."""
    return _use_call(use, Space.WEBHOOK, frame.bench.webhooks, frame)


def use_gate(use: syntax.Use, frame: Frame) -> str:
    """The name in the Program of a gate that is used."""
    return _use_call(use, Space.GATE, frame.bench.gates, frame)


def _use_call(use: syntax.Use, space: Space, into: dict[str, ir.Webhook], frame: Frame) -> str:
    found = _declared(use, space, frame)
    if found is None:
        return ""
    declared, key = found
    if key not in into:
        node = declared.of(syntax.Webhook) if space is Space.WEBHOOK else declared.of(syntax.Gate)
        into[key] = webhook_of(node, _inside(declared, frame))
    return key


def webhook_of(node: syntax.Webhook | syntax.Gate, frame: Frame) -> ir.Webhook:
    """A webhook or a gate."""
    word = "webhook" if isinstance(node, syntax.Webhook) else "gate"
    slots = WEBHOOK if word == "webhook" else GATE
    data = read_fields(node.fields, slots, frame, f"the {word} `{node.name.text}`", node.name.span, node.span)
    return ir.Webhook(
        url=data.get("url", ""),
        timeout_ms=data.get("timeout", 10_000),
        retries=data.get("retries", 0),
        headers=data.get("headers", {}),
        body=data.get("body", {}),
        secret=data.get("secret"),
        insecure_skip_verify=data.get("insecure_skip_verify", False),
        mute=data.get("mute", False),
    )


# --- channels ---------------------------------------------------------------------------------------------------

_CHANNEL = {**CHANNEL, **{kind: Slot(Text()) for kind in CHANNEL_KINDS}}


def use_channel(use: syntax.Use, frame: Frame) -> str:
    """The name in the Program of a channel that is used."""
    found = _declared(use, Space.CHANNEL, frame)
    if found is None:
        return ""
    declared, key = found
    if key not in frame.bench.channels:
        frame.bench.channels[key] = channel_of(declared.of(syntax.Channel), _inside(declared, frame))
    return key


def channel_of(node: syntax.Channel, frame: Frame) -> ir.Channel:
    """A channel: one of its settings says what kind it is."""
    fields = [item for item in node.items if isinstance(item, syntax.Field)]
    data = read_fields(fields, _CHANNEL, frame, f"the channel `{node.name.text}`")
    kinds = [field for field in fields if field.name.text in CHANNEL_KINDS]
    if not kinds and frame.module.torn(node.span):
        frame.bench.spoilt = True
        return ir.Channel("slack", "")
    if not kinds:
        frame.findings.error(
            "RW212",
            f"the channel `{node.name.text}` does not say what it is",
            node.name.span,
            help=f"add one of {listed(CHANNEL_KINDS, 'or')} with a channel or an address behind it",
        )
        frame.bench.spoilt = True
        return ir.Channel("slack", "")
    if len({field.name.text for field in kinds}) > 1:
        frame.findings.error(
            "RW211",
            f"the channel `{node.name.text}` is of two kinds",
            kinds[1].name.span,
            labels=[Label(kinds[0].name.span, "its first kind")],
            help="make two channels of it",
        )
        frame.bench.spoilt = True
    kind = kinds[0].name.text
    rest = {name: value for name, value in data.items() if name not in (*CHANNEL_KINDS, "secret")}
    return ir.Channel(kind, data.get(kind, ""), data.get("secret"), _severities(node, frame), rest)


def _severities(node: syntax.Channel, frame: Frame) -> tuple[Any, ...]:
    lines = [item for item in node.items if isinstance(item, syntax.At)]
    if not lines:
        return SEVERITIES
    if len(lines) > 1:
        twice(lines[1].span, lines[0].span, "at", frame)
    named = {one_of(name, SEVERITIES, "severity", frame) for name in lines[0].severities}
    return tuple(word for word in SEVERITIES if word in named)


# --- windows ----------------------------------------------------------------------------------------------------


def use_window(use: syntax.Use, frame: Frame) -> str:
    """The name in the Program of a window that is used."""
    found = _declared(use, Space.WINDOW, frame)
    if found is None:
        return ""
    declared, key = found
    if key not in frame.bench.windows:
        frame.bench.windows[key] = window_of(declared.of(syntax.Window), _inside(declared, frame))
    return key


def window_of(node: syntax.Window, frame: Frame) -> ir.Window:
    """A window: days, hours and a zone, each of which may be left out."""
    first: dict[type, syntax.Days | syntax.Hours | syntax.Zone] = {}
    window = ir.Window()
    days, start, stop, zone = window.days, window.start, window.stop, window.zone
    for item in node.items:
        before = first.setdefault(type(item), item)
        if before is not item:
            twice(item.span, before.span, type(item).__name__.lower(), frame)
            continue
        match item:
            case syntax.Days():
                days = _days(item, frame)
            case syntax.Hours():
                start, stop = _minutes(item.start, frame), _minutes(item.stop, frame)
            case syntax.Zone():
                zone = _zone(item.name, frame)
    return ir.Window(days, start, stop, zone)


def _days(item: syntax.Days, frame: Frame) -> tuple[int, ...]:
    found: set[int] = set()
    for first, last in item.ranges:
        names = [one_of(name, DAYS, "day", frame) for name in ((first,) if first is last else (first, last))]
        numbers = [DAYS.index(name) for name in names if name is not None]
        if len(numbers) == len(names):
            low, high = numbers[0], numbers[-1]
            found.update((low + i) % 7 for i in range((high - low) % 7 + 1))
    return tuple(sorted(found)) or tuple(range(7))


def _minutes(clock: syntax.Clock, frame: Frame) -> int:
    if not 0 <= clock.minutes <= 1440:
        frame.findings.error(
            "RW205", f"`{clock.span.text}` is no time of day", clock.span, help="write one from 00:00 to 24:00"
        )
        frame.bench.spoilt = True
    return clock.minutes


def _zone(name: syntax.String, frame: Frame) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones  # noqa: PLC0415 - costs 10 ms

    try:
        ZoneInfo(name.value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        frame.findings.unknown(
            "RW213",
            f"`{name.value}` is no time zone",
            f'"{name.value}"',
            name.span,
            [f'"{zone}"' for zone in available_timezones()],
            other='write a name of the tz database, such as `"Europe/Berlin"`',
        )
        frame.bench.spoilt = True
    return name.value


def check_block(node: syntax.Webhook | syntax.Gate | syntax.Channel | syntax.Window, frame: Frame) -> None:
    """Look at a block that stands alone."""
    match node:
        case syntax.Webhook() | syntax.Gate():
            webhook_of(node, frame)
        case syntax.Channel():
            channel_of(node, frame)
        case syntax.Window():
            window_of(node, frame)
