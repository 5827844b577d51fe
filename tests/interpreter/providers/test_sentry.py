"""Sentry's events and sessions, over the window; a part of the data is no number."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx
import pytest

from interpreter.providers.provider import RenderedQuery, Sample, Trouble
from interpreter.providers.sentry import Sentry
from interpreter.retrying import retry_after
from tests.interpreter.providers.server import Answer, Server, gives, refused, says

EVENTS = RenderedQuery(
    "acme/events?field=count()&field=environment&query=level:error release:web@1+5&project=42",
    at_ms=1_795_413_067_184,
    window_ms=60_000,
    secret={"sentry_auth_token": "sntrys_secret_token_1"},
)
SESSIONS = EVENTS._replace(text="acme/sessions?field=crash_free_rate(session)&project=42&statsPeriod=1h")


@pytest.fixture
async def sentry(server: Server) -> AsyncIterator[Sentry]:
    made = Sentry(server.url)
    yield made
    await made.close()


async def test_events_are_asked_as_documented(server: Server, sentry: Sentry) -> None:
    server.answers = [gives({"data": [{"count()": 12, "environment": "live"}], "meta": {"dataScanned": "full"}})]
    assert (await sentry.measure(EVENTS)).samples == (Sample({"environment": "live"}, 12.0),)
    method, path, asked = server.target()
    assert (method, path) == ("GET", "/api/0/organizations/acme/events/")
    assert asked == {
        "field": ["count()", "environment"],
        "query": ["level:error release:web@1+5"],
        "project": ["42"],
        "start": ["2026-11-23T05:50:07"],
        "end": ["2026-11-23T05:51:07"],
    }
    assert server.asked[0][1]["authorization"] == "Bearer sntrys_secret_token_1"


async def test_sessions_are_asked_as_documented(server: Server, sentry: Sentry) -> None:
    server.answers = [gives({"groups": [{"by": {}, "totals": {"crash_free_rate(session)": 0.99}}]})]
    assert (await sentry.measure(SESSIONS)).samples == (Sample({"field": "crash_free_rate(session)"}, 0.99),)
    assert server.target()[1] == "/api/0/organizations/acme/sessions/"
    asked = {"field": ["crash_free_rate(session)"], "project": ["42"], "statsPeriod": ["1h"], "includeSeries": ["0"]}
    assert server.target()[2] == asked


async def test_sessions_of_an_hour_are_no_number_of_a_minute(server: Server, sentry: Sentry) -> None:
    hour = {"start": "2026-11-23T05:00:00Z", "end": "2026-11-23T06:00:00Z"}
    rate = {"groups": [{"by": {}, "totals": {"crash_free_rate(session)": 0.99}}]}
    server.answers = [gives({**hour, **rate})]
    assert (await sentry.measure(SESSIONS)).samples[0].value == 0.99
    minute = SESSIONS._replace(text=SESSIONS.text.removesuffix("&statsPeriod=1h"))
    error = await refused(sentry, minute)
    assert error.trouble is Trouble.PARTIAL
    assert "about 60 minutes that are not the window: ask with statsPeriod=1h" in str(error)
    server.answers = [gives({"start": "2026-11-23T05:50:00Z", "end": "2026-11-23T05:52:00Z", **rate})]
    assert (await sentry.measure(minute)).samples[0].value == 0.99


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (EVENTS, {"data": []}),
        (EVENTS, {"data": [{"p95()": None}], "meta": {}}),
        (SESSIONS, {"groups": []}),
        (SESSIONS, {"groups": [{"by": {}, "totals": {"crash_free_rate(session)": None}}]}),
    ],
)
async def test_no_row_and_null_are_no_data(
    server: Server, sentry: Sentry, query: RenderedQuery, answer: object
) -> None:
    server.answers = [gives(answer)]
    assert (await sentry.measure(query)).samples == ()


@pytest.mark.parametrize(
    "text", ["field=count()", "acme/issues?field=count()", "acme/events?query=x", "a/b/events?field=x"]
)
async def test_what_is_no_query_is_not_sent(server: Server, sentry: Sentry, text: str) -> None:
    assert (await refused(sentry, EVENTS._replace(text=text))).trouble is Trouble.BAD_QUERY
    assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "trouble", "words"),
    [
        (gives({"detail": "Invalid query"}, status=400), Trouble.BAD_QUERY, "Invalid query"),
        (gives({"detail": "Invalid token"}, status=401), Trouble.AUTH, "Invalid token"),
        (gives({}, "X-Sentry-Rate-Limit-Reset: 1700000000", status=429), Trouble.TRANSIENT, "answered 429"),
        (gives({"data": [{"count()": 1}], "meta": {"dataScanned": "partial"}}), Trouble.PARTIAL, "not whole"),
        (says(200, "<html>"), Trouble.BAD_QUERY, "did not answer in JSON"),
        (gives({"groups": []}), Trouble.BAD_QUERY, "another form"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Server, sentry: Sentry, answer: Answer, trouble: Trouble, words: str
) -> None:
    server.answers = [answer]
    error = await refused(sentry, EVENTS)
    assert error.trouble is trouble
    assert words in str(error)


@pytest.mark.parametrize("unit", [1, 1000, 1_000_000])
@pytest.mark.parametrize("header", ["X-Sentry-Rate-Limit-Reset", "X-RateLimit-Reset"])
def test_a_limits_reset_may_be_a_moment(header: str, unit: int) -> None:
    wait = retry_after(httpx.Headers({header: str(int((time.time() + 100) * unit))}))
    assert wait is not None
    assert 90 < wait <= 100


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("-3", 0.0), ("nan", None), ("inf", None), ("soon", None)])
def test_a_wait_is_read_or_left(value: str, seconds: float | None) -> None:
    assert retry_after(httpx.Headers({"Retry-After": value})) == seconds
