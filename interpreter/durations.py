"""Durations in words, as the language writes them."""

from __future__ import annotations

import re

_LENGTHS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def duration(milliseconds: int) -> str:
    """The largest unit first, each once, no spaces; `0s` for none."""
    rest, parts = abs(milliseconds), []
    for name, length in _LENGTHS:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count}{name}")
    return ("-" if milliseconds < 0 else "") + ("".join(parts) or "0s")


def milliseconds(text: str) -> int:
    """The contrary: what `1m30s` comes to."""
    lengths = dict(_LENGTHS)
    return sum(int(count) * lengths[name] for count, name in re.findall(r"(\d+)(ms|[dhms])", text))
