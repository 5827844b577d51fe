"""Texts that fit, and that nobody is called by. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from interpreter.desired import Instant

ELLIPSIS = "…"
_MARKDOWN = re.compile(r"([\\`*_~|>\[\]()#{}<])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what follows them."""


def plain(text: str) -> str:
    """Without what cannot be seen."""
    return _CONTROL.sub("", text)


def cut(text: str, most: int) -> str:
    """No more than so many characters, of which the last says that there was more."""
    return text if len(text) <= most else text[: max(0, most - 1)] + ELLIPSIS


def cut_escaped(text: str, most: int, escape: Callable[[str], str]) -> str:
    """The same of what is escaped: cut before, so that no escape is cut in two."""
    text = plain(text)
    low, high = 0, min(len(text), most)
    if high == len(text) and len(whole := escape(text)) <= most:
        return whole
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        if len(escape(text[:middle])) + 1 <= most:
            low = middle
        else:
            high = middle - 1
    return escape(text[:low]) + ELLIPSIS


def markdown(text: str) -> str:
    """Text that Markdown shows as it is: no links, no emphasis."""
    return _MARKDOWN.sub(r"\\\1", text)


def unlinked(text: str) -> str:
    """Without a link, for those whose Markdown has no escapes: a character that is not seen stands in each."""
    return text.replace("](", "]\u200b(").replace("<", "<\u200b")


def uncalled(text: str) -> str:
    """Without a mention: a character that is not seen stands behind each @."""
    return text.replace("@", "@\u200b")


def packed(data: object) -> bytes:
    """JSON as it is sent."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def fitting(make: Callable[[int], object], most_bytes: int, most: int) -> object:
    """`make(n)`, with n characters of text at most, that comes to no more than so many bytes as JSON."""
    while len(packed(made := make(most))) > most_bytes and most > 1:
        most //= 2
    return made


def moment(at_ms: Instant) -> str:
    """RFC 3339, in UTC, with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
