"""When a server wants to be asked again: what it says in its headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_WAITS = ("retry-after", "x-ratelimit-reset", "x-sentry-rate-limit-reset")
_MOMENT = 1_000_000_000  # in 2001: as so many seconds from now it is no wait that anybody means


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, given as a number or as a date (RFC 9110 §10.2.3), or until a rate limit's reset: seconds (Datadog), or
    a moment in seconds (Sentry) or microseconds (Dynatrace) since 1970. The names of `headers` are in small letters."""
    value = next((headers[name] for name in _WAITS if name in headers), None)
    if value is None:
        return None
    now = datetime.now(UTC)
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        if not math.isfinite(seconds):
            return None
        for unit in (1_000_000, 1000, 1):
            if seconds >= _MOMENT * unit:
                seconds = seconds / unit - now.timestamp()
        return max(0.0, seconds)
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
