"""Reading a task's metadata: texts into numbers, durations and headers, with an answer for each that is none. Pure.

What a field may be is bounded here, and every value is written anew from what was understood, so that none reaches a
command line as something else than it was meant to be (an address that begins with a dash, a header with a new line).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from interpreter.tester.payload import BadRequest

_OTHERS = frozenset({"type", "eventMessage", "eventType", "timestamp"})
"""Keys that are no kind's own: the kind itself, and what an event hook adds."""
_TRUE, _FALSE = ("1", "t", "true", "True", "TRUE", "T"), ("0", "f", "false", "False", "FALSE", "F", "")
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
MOST_BODY = 64 * 1024


class Fields:
    """Metadata, read field by field; `done` says that these were all."""

    def __init__(self, kind: str, metadata: Mapping[str, str]) -> None:
        self._kind = kind
        self._given = metadata
        self._known: set[str] = set(_OTHERS)

    def text(self, key: str, default: str = "") -> str:
        """As it is, without blanks around it."""
        self._known.add(key)
        return self._given.get(key, default).strip()

    def needed(self, key: str) -> str:
        """Raises `BadRequest` if it is missing."""
        value = self.text(key)
        if not value:
            raise BadRequest(f"`{key}` is missing from the metadata, and a task of type `{self._kind}` needs it")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """`true` or `false`, as Go reads them."""
        value = self.text(key, "true" if default else "false")
        if value not in (*_TRUE, *_FALSE):
            raise self._bad(key, "`true` or `false`")
        return value in _TRUE

    def count(self, key: str, default: int | None = None, most: int = 1_000_000_000) -> int | None:
        """A whole number from 1 on."""
        value = self.text(key)
        if not value:
            return default
        if not re.fullmatch(r"\d{1,12}", value) or not 1 <= int(value) <= most:
            raise self._bad(key, f"a number from 1 to {most}")
        return int(value)

    def number(self, key: str) -> float | None:
        """A number above 0."""
        value = self.text(key)
        if not value:
            return None
        if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value) or float(value) <= 0:
            raise self._bad(key, "a number above 0, such as `50`")
        return float(value)

    def share(self, key: str) -> float | None:
        """`1%`, as 0.01."""
        value = self.text(key)
        if not value:
            return None
        if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?%", value) or float(value[:-1]) > 100:
            raise self._bad(key, "a percentage, such as `1%`")
        return float(value[:-1]) / 100

    def seconds(self, key: str) -> float | None:
        """`1m30s`, as 90.0."""
        value = self.text(key)
        if not value:
            return None
        pieces = _PIECE.findall(value)
        total = sum(float(number) * _UNITS[unit] for number, unit in pieces)
        if "".join(number + unit for number, unit in pieces) != value or not 0 < total <= 86_400:
            raise self._bad(key, "a duration of a day at most, such as `30s`, `1m30s` or `500ms`")
        return total

    def word(self, key: str, pattern: str, what: str, default: str = "") -> str:
        """A text that has this form, or the default."""
        value = self.text(key) or default
        if value and not re.fullmatch(pattern, value):
            raise self._bad(key, what)
        return value

    def url(self, key: str) -> str:
        """An address of HTTP, or "" if there is none."""
        value = self.text(key)
        if not value:
            return ""
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            good = False
        if not good or not value.isascii() or not value.isprintable() or " " in value:
            raise self._bad(key, "an address, such as `http://podinfo-canary.test/`")
        return value

    def body(self, key: str) -> str:
        """What is sent with each request, as it stands."""
        self._known.add(key)
        value = self._given.get(key, "")
        if len(value) > MOST_BODY:
            raise self._bad(key, f"a text of {MOST_BODY} characters at most")
        return value

    def pairs(self, prefix: str) -> dict[str, str]:
        """All of `PREFIX.NAME: VALUE`, by NAME; both are fit for a header."""
        found = {}
        for key, value in self._given.items():
            if key.startswith(f"{prefix}."):
                self._known.add(key)
                name = key[len(prefix) + 1 :]
                if not _TOKEN.fullmatch(name) or not value.isprintable():
                    raise BadRequest(f"`{key}` must be the name of a header, and its value one line")
                found[name] = value.strip()
        return found

    def done(self) -> None:
        """Raises `BadRequest` if there is a field that nobody has asked for."""
        for key in self._given:
            if key not in self._known:
                near = difflib.get_close_matches(key, sorted(self._known - _OTHERS), 1)
                hint = f", did you mean `{near[0]}`?" if near else ""
                raise BadRequest(f"a task of type `{self._kind}` knows no `{key}` in its metadata{hint}")

    def _bad(self, key: str, what: str) -> BadRequest:
        return BadRequest(f"`{key}` in the metadata must be {what}")
