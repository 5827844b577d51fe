"""Moments and spans of the past, as people write them.

A moment is `now`, a length of time ago (`90m`, `3d12h`, `2w`), a date, a date and a time, or seconds since 1970. One
without a zone is in UTC: a result that is passed on means the same everywhere.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from interpreter.desired import Instant
from interpreter.durations import duration

_UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}
_LENGTH = re.compile(r"(?:\d+[wdhms])+")
_SECONDS = re.compile(r"\d{9,10}(?:\.\d+)?")
LONGEST_MS = 366 * 86_400_000
EXAMPLES = "`2026-11-01T10:00Z`, `2026-11-01`, `now`, or a length of time ago such as `90m` or `2w`"


class SpanError(ValueError):
    """A span that cannot be looked at; the message says why, for people."""


class Span(NamedTuple):
    """From one moment to a later one, in milliseconds since 1970."""

    from_ms: Instant
    to_ms: Instant

    @property
    def length_ms(self) -> int:
        return self.to_ms - self.from_ms


def length(text: str) -> int:
    """A length of time in milliseconds. Raises `SpanError` for anything else, and for none."""
    plain = text.strip().lower()
    if not _LENGTH.fullmatch(plain):
        raise SpanError(f"`{text}` is no length of time; write one such as `30m`, `6h` or `2w`")
    found = sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([wdhms])", plain))
    if not 0 < found <= LONGEST_MS:
        raise SpanError(f"`{text}` is not between a second and a year")
    return found


def moment(text: str, now_ms: Instant) -> Instant:
    """A moment in milliseconds since 1970, in whole seconds. Raises `SpanError` for anything else."""
    plain = text.strip()
    if plain.lower() == "now":
        return now_ms // 1000 * 1000
    if _LENGTH.fullmatch(plain.lower()):
        return (now_ms - length(plain)) // 1000 * 1000
    if _SECONDS.fullmatch(plain):
        return int(float(plain)) * 1000
    try:
        read = datetime.fromisoformat(plain)
        return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()) * 1000
    except (ValueError, OverflowError) as error:
        raise SpanError(f"`{text}` is no moment; write {EXAMPLES}") from error


def span(since: str, until: str, now_ms: Instant) -> Span:
    """From one moment to another, both in the past. Raises `SpanError`."""
    found = Span(moment(since, now_ms), moment(until, now_ms))
    if found.from_ms > now_ms:
        raise SpanError(f"`{since}` is in the future, of which there is no history yet")
    if found.to_ms > now_ms:
        raise SpanError(f"`{until}` is in the future, of which there is no history yet")
    if found.length_ms <= 0:
        raise SpanError(f"the span ends ({written(found.to_ms)}) before it begins ({written(found.from_ms)})")
    if found.length_ms > LONGEST_MS:
        raise SpanError(f"the span is {duration(found.length_ms)} long, and a year is the most that is looked at")
    return found


def written(at_ms: Instant) -> str:
    """`2026-11-01 10:00:00 UTC`."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
