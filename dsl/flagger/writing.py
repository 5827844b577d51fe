"""Pieces of `.rollout` text: names, strings, quantities, maps and blocks, each in a form that reads back the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-+[A-Za-z0-9_]+)*")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_KEYS = frozenset({"true", "false"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_TAKEN = frozenset(
    {
        *(
            "min",
            "max",
            "abs",
            "true",
            "false",
            "and",
            "or",
            "not",
            "in",
            "of",
            "over",
            "canary",
            "primary",
            "baseline",
        ),
        *("no_regression", "no_slower", "meets", "certified", "not_worse", "kayenta"),
    }
)
"""Words that mean something where the name of a metric stands."""


def string(text: str) -> str:
    """A string in quotes."""
    signs = (_ESCAPES.get(sign, sign) if sign >= " " and sign != "\x7f" else _escaped(sign) for sign in text)
    return f'"{"".join(signs)}"'


def _escaped(sign: str) -> str:
    return _ESCAPES.get(sign) or f"\\u{ord(sign):04x}"


def raw(text: str) -> str:
    """A query: as it stands where it can, for it is read by people. What surrounds it is space, and may change."""
    body = text.strip("\n").rstrip()
    if '"""' in body or body.endswith('"') or "\r" in body or not _is_shown(body):
        return string(text.strip())
    return f'"""\n{body}\n"""' if "\n" in body else f'"""{body.strip()}"""'


def _is_shown(text: str) -> bool:
    """Whether nothing in a text needs an escape to be seen."""
    return all(sign.isprintable() or sign in "\n\t" for sign in text)


def name(text: str) -> str:
    """The name of an object of Kubernetes: bare where it can be."""
    return text if _BARE.fullmatch(text) and text not in {"in", *_NO_KEYS} else string(text)


def word(text: str) -> str:
    """A single word that is the value of a setting."""
    return text if _BARE.fullmatch(text) and text not in _NO_KEYS else string(text)


def duration(ms: int) -> str:
    """`1h30m`."""
    text = ""
    for unit, size in _UNITS:
        count, ms = divmod(ms, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def number(value: float) -> str:
    """Without an exponent."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(value: float) -> str:
    """`99.9%`."""
    return f"{number(value)}%"


def value(data: Any) -> str:
    """Any JSON as a value of the language."""
    match data:
        case Mapping():
            return mapping({key: value(item) for key, item in data.items()})
        case bool():
            return str(data).lower()
        case int() | float():
            return number(data)
        case list() | tuple():
            return f"[{', '.join(map(value, data))}]"
        case _:
            return string(str(data))


def mapping(entries: Mapping[str, str]) -> str:
    """A map whose values are written already."""
    inner = ", ".join(f"{_key(key)}: {item}" for key, item in entries.items())
    return f"{{ {inner} }}" if inner else "{}"


def _key(text: str) -> str:
    return text if _KEY.fullmatch(text) and text not in _NO_KEYS else string(text)


def block(head: str, lines: Iterable[str]) -> str:
    """A statement with a block, one statement of it a line."""
    inner = "\n".join(lines)
    return f"{head} {{\n{inner}\n}}"


def short(head: str, lines: Iterable[str]) -> str:
    """A block on one line, for the formatter to keep there if it fits."""
    return f"{head} {{ {'; '.join(lines)} }}"


class Declarations:
    """Declarations of one text, each under a name of its own; two that say the same are one."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken: dict[str, str] = dict.fromkeys((*_TAKEN, *taken), "")
        self.texts: list[str] = []

    def add(self, text: str, otherwise: str, written: Callable[[str], str]) -> str:
        """The name that something gets: `load-test` becomes `load_test`; `otherwise` is what it is called if nothing is
        left of its name. `written` gives the declaration under a name."""
        base = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60].strip("_") or otherwise
        base = f"{otherwise}_{base}" if base[0].isdigit() else base
        base = f"own_{base}" if self._taken.get(base) == "" else base
        name, count = base, 2
        while name in self._taken and self._taken[name] != written(name):
            name, count = f"{base}_{count}", count + 1
        if name not in self._taken:
            self._taken[name] = written(name)
            self.texts.append(self._taken[name])
        return name
