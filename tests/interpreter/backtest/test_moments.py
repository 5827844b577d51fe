"""Moments of the past: what can be written, and what cannot be looked at."""

from __future__ import annotations

import pytest

from interpreter.backtest.moments import Span, SpanError, length, moment, span, written

NOW = 1_793_534_400_500  # 2026-11-01T12:00:00.5Z
NOON = 1_793_534_400_000
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("now", NOON), ("2h", NOON - 2 * HOUR), ("1d12h", NOON - 36 * HOUR), ("2w", NOON - 14 * 24 * HOUR),
        ("2026-11-01T10:00Z", NOON - 2 * HOUR), ("2026-11-01T10:00", NOON - 2 * HOUR),
        ("2026-11-01T11:00+01:00", NOON - 2 * HOUR), ("2026-11-01", NOON - 12 * HOUR), ("1793534400", NOON),
        (" 2026-11-01 10:00:30Z ", NOON - 2 * HOUR + 30_000),
    ],
)  # fmt: skip
def test_moments_as_people_write_them(text: str, at_ms: int) -> None:
    assert moment(text, NOW) == at_ms


@pytest.mark.parametrize("text", ["", "yesterday", "10:00", "-2h", "2026-13-01", "12", "99999999999999", "2 w", "1e9"])
def test_what_is_no_moment_is_shown_one(text: str) -> None:
    with pytest.raises(SpanError, match="2026-11-01T10:00Z"):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("since", "until", "why"),
    [
        ("2026-12-01", "now", "`2026-12-01` is in the future"),
        ("2h", "2026-11-02", "`2026-11-02` is in the future"),
        ("1h", "2h", r"ends \(2026-11-01 10:00:00 UTC\) before it begins"),
        ("1h", "1h", "before it begins"),
        ("2020-01-01", "now", "a year is the most"),
    ],
)
def test_spans_that_cannot_be_looked_at(since: str, until: str, why: str) -> None:
    with pytest.raises(SpanError, match=why):
        span(since, until, NOW)


def test_a_span_has_its_ends() -> None:
    assert span("2h", "2026-11-01T11:00Z", NOW) == Span(NOON - 2 * HOUR, NOON - HOUR)
    assert written(NOON) == "2026-11-01 12:00:00 UTC"


@pytest.mark.parametrize("text", ["6", "h", "0s", "6 hours", "-1h", "9999w"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(SpanError):
        length(text)
