"""Values that are known when a policy is compiled: literals, constants, parameters.

A value remembers where it was written, so that a share out of bounds is shown at the argument that is to blame and
not inside the strategy that it was given to. Shares are held in percent and durations in milliseconds, as written.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from dsl.source import Span


class Type(StrEnum):
    """The types, by the words that people read."""

    NUMBER = "a number"
    SHARE = "a percentage"
    TIME = "a duration"
    TEXT = "a string"
    BOOL = "true or false"
    LIST = "a list"
    MAP = "a map"
    WORD = "a word"
    WORKLOAD = "a workload"
    CLOCK = "a time of day"
    RANGE = "a range"
    UNKNOWN = "unknown"


class Value(NamedTuple):
    """`data` is a float (number; percent; milliseconds), a str, a bool, a tuple of Values, a tuple of (key, Value), a
    tuple of parts (workload), or minutes (time of day). UNKNOWN is what an error left behind, or a parameter that has
    neither argument nor default yet: nothing is said about it."""

    type: Type
    data: Any
    span: Span

    @property
    def known(self) -> bool:
        return self.type is not Type.UNKNOWN


def unknown(span: Span) -> Value:
    """A value that silences what would be said of it."""
    return Value(Type.UNKNOWN, None, span)


def shifted(value: float, digits: int) -> float:
    """`value * 10 ** digits`, without the noise of binary fractions: 99.9 percent is 0.999."""
    text = repr(value)
    return value * 10.0**digits if "e" in text or "n" in text else float(f"{text}e{digits}")


def clean(value: float) -> float:
    """A computed value without the noise of binary fractions: 0.1 + 0.2 is 0.3."""
    return float(f"{value:.12g}")


# --- as text ----------------------------------------------------------------------------------------------------

_SPANS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def number_text(value: float) -> str:
    """`3`, `0.99`."""
    return f"{value:.12g}"


def duration_text(ms: float) -> str:
    """A duration in the form of the language, `1m30s`; weeks and fractions only where nothing else says it."""
    if ms < 0:
        return f"-{duration_text(-ms)}"
    if ms != int(ms):
        return f"{number_text(ms)}ms"
    rest, text = int(ms), ""
    for unit, size in _SPANS[1:]:
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return text or "0s"


def value_text(value: Value) -> str:
    """A value as it could be written."""
    match value.type:
        case Type.NUMBER:
            return number_text(value.data)
        case Type.SHARE:
            return f"{number_text(value.data)}%"
        case Type.TIME:
            return duration_text(value.data)
        case Type.TEXT:
            return '"' + str(value.data).replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Type.BOOL:
            return "true" if value.data else "false"
        case Type.LIST:
            return f"[{', '.join(value_text(item) for item in value.data)}]"
        case Type.MAP:
            return f"{{ {', '.join(f'{key.text}: {value_text(item)}' for key, item in value.data)} }}"
        case Type.RANGE:
            return f"{value_text(value.data[0])}..{value_text(value.data[1])}"
        case Type.CLOCK:
            return f"{value.data // 60:02}:{value.data % 60:02}"
        case Type.WORKLOAD:
            return "/".join(value.data)
        case _:
            return str(value.data)
