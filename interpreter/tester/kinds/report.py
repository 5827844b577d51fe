"""The report for people that hey and ghz print at their end, which looks the same, read back. Pure.

Counts stand under "Status code distribution" and "Error distribution", times under "Latency distribution". Of few
requests the higher percentiles are left out (hey prints them as 0): then the slowest request stands for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from interpreter.tester.plan import Summary

_UNITS = {"s": 1000.0, "secs": 1000.0, "ms": 1.0, "us": 0.001, "µs": 0.001, "ns": 0.000001, "m": 60_000.0}
_UNIT = r"(secs|ms|us|µs|ns|s|m)"
_PERCENTILE = re.compile(rf"^\s*(\d+)\s?%+ in ([\d.]+) {_UNIT}\s*$", re.MULTILINE)
_TOTAL = re.compile(rf"^\s*Total:\s+([\d.]+) {_UNIT}\s*$", re.MULTILINE)
_SLOWEST = re.compile(rf"^\s*Slowest:\s+([\d.]+) {_UNIT}\s*$", re.MULTILINE)
_STATUS = re.compile(r"^\s*\[(\w+)\]\s+(\d+) responses\s*$", re.MULTILINE)
_ERROR = re.compile(r"^\s*\[(\d+)\]\s+\S", re.MULTILINE)


def summary(text: str, good: Callable[[str], bool], *, errors_have_status: bool) -> Summary | None:
    """What the report says; None if there is none. `good` says which statuses are no errors. The errors that are
    listed are requests without a status, unless `errors_have_status`."""
    begins = text.rfind("Summary:")
    if begins < 0:
        return None
    report = text[begins:]
    statuses, _, errors = report.partition("Error distribution:")
    counted = [(name, int(count)) for name, count in _STATUS.findall(statuses)]
    answered = sum(count for _, count in counted)
    failed = sum(count for name, count in counted if not good(name))
    if not errors_have_status:
        unanswered = sum(int(count) for count in _ERROR.findall(errors))
        answered, failed = answered + unanswered, failed + unanswered
    times = {int(share): _ms(value, unit) for share, value, unit in _PERCENTILE.findall(report) if int(share)}
    slowest, total = _time(_SLOWEST, report), _time(_TOTAL, report)
    return Summary(
        requests=answered,
        errors=failed,
        seconds=total / 1000 if total else None,
        p50_ms=times.get(50) or slowest or None,
        p95_ms=times.get(95) or slowest or None,
        p99_ms=times.get(99) or slowest or None,
    )


def _time(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return _ms(found[1], found[2]) if found else None


def _ms(value: str, unit: str) -> float:
    return round(float(value) * _UNITS[unit], 6)
