"""Reading untyped data by a table of shapes, with every mistake as a `Problem` that names its field.

Shapes nest. `null` is the same as absent, as it is in Kubernetes. A field that the table does not know is a warning,
for an API server drops such fields in silence and a later Flagger may have more of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from dsl.findings import listed
from dsl.flagger.problems import Problems
from dsl.suggest import closest, question

_GO_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_GO_UNIT_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
_LONGEST_MS = 365 * 86_400_000
_DEEPEST = 32


class Text(NamedTuple):
    """A string; one of `words`, if there are any; not empty unless `empty`."""

    words: tuple[str, ...] = ()
    empty: bool = True


class Whole(NamedTuple):
    """A whole number."""

    low: int | None = None
    high: int | None = None


class Number(NamedTuple):
    """A finite number."""


class Flag(NamedTuple):
    """`true` or `false`."""


class Time(NamedTuple):
    """A duration as Go writes it (`1m30s`), read into milliseconds."""


class Port(NamedTuple):
    """The number or the name of a port."""


class Texts(NamedTuple):
    """A map from strings to strings."""


class Listed(NamedTuple):
    """A list of one shape."""

    of: Shape


class Anything(NamedTuple):
    """JSON that is handed on as it is."""


class Keys(NamedTuple):
    """An object with these fields, some of which are required."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()


Shape = Text | Whole | Number | Flag | Time | Port | Texts | Listed | Anything | Keys


def read(value: object, shape: Shape, path: str, problems: Problems, depth: int = 0) -> Any:
    """The value in its shape; None, with a problem, if it has another."""
    match shape:
        case Keys():
            return _keys(value, shape, path, problems)
        case Listed():
            return _list(value, shape, path, problems)
        case Texts():
            return _texts(value, path, problems)
        case Text():
            return _text(value, shape, path, problems)
        case Whole():
            return _whole(value, shape, path, problems)
        case Number():
            return _number(value, path, problems)
        case Flag():
            if not isinstance(value, bool):
                _not_a(value, "true or false", path, problems)
                return None
            return value
        case Time():
            return _time(value, path, problems)
        case Port():
            return _port(value, path, problems)
        case Anything():
            return anything(value, path, problems, depth)


# --- objects and lists ------------------------------------------------------------------------------------------


def _keys(value: object, shape: Keys, path: str, problems: Problems) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        _not_a(value, "an object", path, problems)
        return None
    found: dict[str, Any] = {}
    for name, item in value.items():
        inner = f"{path}.{name}" if path else str(name)
        if name not in shape.fields:
            _unknown(str(name), shape, inner, problems)
        elif item is not None:
            read_item = read(item, shape.fields[name], inner, problems)
            if read_item is not None:
                found[name] = read_item
    for name in shape.required:
        if value.get(name) is None:
            problems.error(f"{path}.{name}" if path else name, "is required, and is not there")
    return found


def _unknown(name: str, shape: Keys, path: str, problems: Problems) -> None:
    near = closest(name, shape.fields)
    help = question(near) or f"the fields here are {listed(sorted(shape.fields))}"
    problems.warn(path, "is no field that Flagger has, and nothing comes of it", help)


def _list(value: object, shape: Listed, path: str, problems: Problems) -> list[Any] | None:
    if not isinstance(value, list | tuple):
        _not_a(value, "a list", path, problems)
        return None
    items = [read(item, shape.of, f"{path}[{index}]", problems) for index, item in enumerate(value)]
    return [item for item in items if item is not None]


def _texts(value: object, path: str, problems: Problems) -> dict[str, str] | None:
    if not isinstance(value, Mapping):
        _not_a(value, "an object", path, problems)
        return None
    found: dict[str, str] = {}
    for name, item in value.items():
        text = _text(item, Text(), f"{path}.{name}", problems)
        if text is not None:
            found[str(name)] = text
    return found


def anything(value: object, path: str, problems: Problems, depth: int = 0) -> Any:
    """JSON without its nulls, for they mean absence."""
    if depth > _DEEPEST:
        problems.error(path, "is nested too deeply", f"{_DEEPEST} levels are the most")
        return None
    match value:
        case Mapping():
            found = {
                str(name): anything(item, f"{path}.{name}", problems, depth + 1)
                for name, item in value.items()
                if item is not None
            }
            return {name: item for name, item in found.items() if item is not None}
        case list() | tuple():
            items = [anything(item, f"{path}[{index}]", problems, depth + 1) for index, item in enumerate(value)]
            return [item for item in items if item is not None]
        case str():
            return _text(value, Text(), path, problems)
        case bool() | int():
            return value
        case float():
            return _number(value, path, problems)
        case _:
            _not_a(value, "JSON", path, problems)
            return None


# --- single values ----------------------------------------------------------------------------------------------


def _not_a(value: object, wanted: str, path: str, problems: Problems, help: str = "") -> None:
    problems.error(path, f"is {_shown(value)}, and {wanted} is needed", help)


def _shown(value: object) -> str:
    match value:
        case None:
            return "empty"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case bool():
            return f"`{str(value).lower()}`"
        case str() if not value:
            return "empty"
        case _:
            text = " ".join(str(value).split())
            return f"`{text[:60]}{'…' if len(text) > 60 else ''}`"


def _text(value: object, shape: Text, path: str, problems: Problems) -> str | None:
    if not isinstance(value, str):
        quotes = "put it in quotes" if isinstance(value, bool | int | float) else ""
        _not_a(value, "text", path, problems, quotes)
        return None
    if any(0xD800 <= ord(sign) <= 0xDFFF for sign in value):
        problems.error(path, "is not text that UTF-8 can hold")
        return None
    if not value and not shape.empty:
        problems.error(path, "is empty")
        return None
    if shape.words and value not in shape.words:
        words = [word for word in shape.words if word]
        problems.error(path, f"is {_shown(value)}", question(closest(value, words)) or f"it is {listed(words, 'or')}")
        return None
    return value


def _whole(value: object, shape: Whole, path: str, problems: Problems) -> int | None:
    whole = isinstance(value, int) if not isinstance(value, float) else value.is_integer()
    if isinstance(value, bool) or not isinstance(value, int | float) or not whole:
        _not_a(value, "a whole number", path, problems)
        return None
    if abs(value) >= 10**15:
        _not_a(value, "a number of fifteen digits at most", path, problems)
        return None
    number = int(value)
    if shape.low is not None and number < shape.low:
        problems.error(path, f"is {number}, and {shape.low} is the least")
        return None
    if shape.high is not None and number > shape.high:
        problems.error(path, f"is {number}, and {shape.high} is the most")
        return None
    return number


def _number(value: object, path: str, problems: Problems) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _not_a(value, "a number", path, problems)
        return None
    if value != value or abs(value) >= 10**15 or 0 < abs(value) < 1e-12:
        _not_a(value, "a number of fifteen digits at most", path, problems)
        return None
    return float(value)


def _time(value: object, path: str, problems: Problems) -> int | None:
    if not isinstance(value, str):
        _not_a(value, "a duration such as `1m`", path, problems)
        return None
    ms = go_duration(value)
    if ms is None:
        problems.error(path, f"is {_shown(value)}, which is no duration", "write one such as `30s` or `1m`")
    elif ms > _LONGEST_MS:
        problems.error(path, f"is {_shown(value)}", "a year is the most")
        return None
    return ms


def go_duration(text: str) -> int | None:
    """A duration in Go's form (`time.ParseDuration`) in milliseconds, part of one rounded up; None if it is none."""
    if text == "0":
        return 0
    parts = _GO_PART.findall(text)
    if not parts or "".join(map("".join, parts)) != text or len(text) > 40:
        return None
    return math.ceil(sum(Decimal(amount) * Decimal(str(_GO_UNIT_MS[unit])) for amount, unit in parts))


def _port(value: object, path: str, problems: Problems) -> int | str | None:
    if isinstance(value, str):
        if value.isdecimal():
            return _whole(int(value[:9]), Whole(1, 65535), path, problems)
        return _text(value, Text(empty=False), path, problems)
    return _whole(value, Whole(1, 65535), path, problems)
