"""When a window of the week is open. Pure but for the tz database, which Python reads once."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from dsl.ir import Window
from interpreter.desired import Instant

_LOOK_AHEAD_DAYS = 8


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _stretches(window: Window, day: datetime) -> tuple[datetime, datetime]:
    """The opening that begins on this (local) day: its start and its end, which may be past midnight."""
    begin = day + timedelta(minutes=window.start)
    length = (window.stop - window.start) % 1440 or 1440
    return begin, begin + timedelta(minutes=length)


def is_open(window: Window, now: Instant) -> bool:
    """Whether the window is open at this moment."""
    local = datetime.fromtimestamp(now / 1000, _zone(window.zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (midnight - timedelta(days=1), midnight):
        begin, end = _stretches(window, day)
        if day.weekday() in window.days and begin <= local < end:
            return True
    return False


def opens_at(window: Window, now: Instant) -> Instant | None:
    """When it opens next, `now` if it is open; None for a window without days."""
    if is_open(window, now):
        return now
    local = datetime.fromtimestamp(now / 1000, _zone(window.zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    for ahead in range(_LOOK_AHEAD_DAYS):
        day = midnight + timedelta(days=ahead)
        begin, _ = _stretches(window, day)
        if day.weekday() in window.days and begin > local:
            return int(begin.timestamp() * 1000)
    return None
