"""A remote Kayenta: begun once, waited for, read as it is meant; an analysis that failed is no score of 0."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from interpreter.providers.kayenta import Kayenta
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble, guarded
from tests.interpreter.providers.wire import Said, Wire, wired

PAIR = {"controlScope": {"scope": "primary", "start": "2026-01-01T00:00:00Z"}, "experimentScope": {"scope": "canary"}}
GIVEN = {"application": "shop", "canaryConfigId": "c-1", "metricsAccountName": "prom", "scopes": {"default": PAIR},
         "threshold": {"pass": 90, "marginal": 50}}  # fmt: skip
QUERY = RenderedQuery(json.dumps(GIVEN), at_ms=1_795_413_067_184, window_ms=60_000, secret={"token": "s3cret-token"})
RUNNING = Said({"complete": False, "status": "running"})


def ended(score: object, **more: object) -> Said:
    return Said(
        {"complete": True, "status": "succeeded", "result": {"judgeResult": {"score": {"score": score}}}, **more}
    )


@pytest.fixture
async def server() -> AsyncIterator[Wire]:
    async with wired() as made:
        made.by_path = {"/canary/c-1": Said({"canaryExecutionId": "x-1"})}
        yield made


@pytest.fixture
async def kayenta() -> AsyncIterator[Kayenta]:
    made = Kayenta(poll=0.001)
    yield made
    await made.close()


async def test_an_analysis_is_begun_and_its_score_is_the_value(server: Wire, kayenta: Kayenta) -> None:
    server.answers = [RUNNING, RUNNING, ended(92.5)]
    assert await kayenta.measure(QUERY._replace(server=server.url)) == Measurement((Sample({}, 92.5),))
    begun = server.asked[0]
    assert (begun.method, begun.query) == ("POST", {"application": "shop", "metricsAccountName": "prom"})
    assert begun.headers["authorization"] == "Bearer s3cret-token"
    scope = begun.json["scopes"]["default"]
    window = {"start": "2026-11-23T05:50:07.184Z", "end": "2026-11-23T05:51:07.184Z"}
    assert scope["experimentScope"] == {"scope": "canary", **window}
    assert scope["controlScope"] == {**window, **PAIR["controlScope"]}
    assert begun.json["thresholds"] == {"pass": 90, "marginal": 50}
    assert [asked.path for asked in server.asked[1:]] == ["/canary/x-1"] * 3


async def test_one_that_takes_long_is_waited_for_again_and_not_begun_anew(server: Wire, kayenta: Kayenta) -> None:
    server.answers = [RUNNING]
    query = QUERY._replace(server=server.url)
    with pytest.raises(ProviderError, match="gave no answer within"):
        await guarded(kayenta, query, timeout=0.2)
    server.answers = [ended(0)]
    assert await guarded(kayenta, query._replace(at_ms=query.at_ms + 60_000)) == Measurement((Sample({}, 0.0),))
    assert [asked.method for asked in server.asked].count("POST") == 1
    await guarded(kayenta, query)
    assert [asked.method for asked in server.asked].count("POST") == 2


async def test_an_old_analysis_is_no_answer(server: Wire, kayenta: Kayenta) -> None:
    server.answers = [RUNNING]
    query = QUERY._replace(server=server.url)
    with pytest.raises(ProviderError, match="gave no answer within"):
        await guarded(kayenta, query, timeout=0.1)
    server.answers = [ended(1)]
    await guarded(kayenta, query._replace(at_ms=query.at_ms + 120_001))
    assert [asked.method for asked in server.asked].count("POST") == 2


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (ended(None, exception={"details": "no data"}), Trouble.BAD_QUERY, "without a score"),
        (Said({"complete": True, "status": "terminal"}), Trouble.BAD_QUERY, "terminal"),
        (Said({"complete": False, "status": "canceled"}), Trouble.BAD_QUERY, "canceled"),
        (Said({"message": "gone s3cret-token"}, 404), Trouble.BAD_QUERY, "refused the query (404)"),
        (Said("<html>"), Trouble.BAD_QUERY, "JSON"),
        (Said([]), Trouble.BAD_QUERY, "another form"),
        (Said("", 502), Trouble.TRANSIENT, "answered 502"),
    ],
)
async def test_what_is_wrong_is_named(server: Wire, kayenta: Kayenta, answer: Said, kind: Trouble, words: str) -> None:
    server.answers = [answer]
    with pytest.raises(ProviderError) as caught:
        await guarded(kayenta, QUERY._replace(server=server.url), first_delay=0.001)
    assert caught.value.trouble is kind
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"canaryConfigId": "c", "scopes": {"a": {}}}'])
async def test_a_query_that_is_not_whole_is_refused_unasked(server: Wire, kayenta: Kayenta, text: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await kayenta.measure(QUERY._replace(text=text, server=server.url))
    assert caught.value.trouble is Trouble.BAD_QUERY
    assert not server.asked
