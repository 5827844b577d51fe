"""Prometheus's answers are read as they are meant, no data is never taken for a number, several series never for one,
and whatever goes wrong is named, within a bounded time and without secrets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from interpreter.local.processes import free_port
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble, guarded
from tests.interpreter.providers.server import Server, number, says, serving, vector

QUERY = RenderedQuery("up", at_ms=1_795_413_067_184, window_ms=60_000)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@pytest.fixture
async def prometheus(server: Server) -> AsyncIterator[Prometheus]:
    made = Prometheus(server.url + "/", headers={"Authorization": "Bearer very-secret-token"})
    yield made
    await made.close()


async def refused(prometheus: Prometheus, query: RenderedQuery = QUERY) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await guarded(prometheus, query, first_delay=0.01)
    return caught.value


async def test_the_query_is_asked_as_of_its_moment_with_the_headers(server: Server, prometheus: Prometheus) -> None:
    server.answers = [number("1")]
    assert await prometheus.measure(QUERY) == Measurement((Sample({}, 1.0),))
    line, headers, form = server.asked[0]
    assert line == "POST /api/v1/query HTTP/1.1"
    assert headers["authorization"] == "Bearer very-secret-token"
    assert form == {"query": "up", "time": "1795413067.184"}


async def test_every_shape_that_is_one_number_or_several(server: Server, prometheus: Prometheus) -> None:
    scalar = says(200, '{"status":"success","data":{"resultType":"scalar","result":[1,"2.5"]}}')
    server.answers = [scalar, vector(), vector(('{"le":"0.1"}', "3"), ('{"le":"+Inf"}', "+Inf"))]
    assert await prometheus.measure(QUERY) == Measurement((Sample({}, 2.5),))
    assert await prometheus.measure(QUERY) == Measurement(())
    got = await prometheus.measure(QUERY)
    assert got.samples == (Sample({"le": "0.1"}, 3.0), Sample({"le": "+Inf"}, float("inf")))


@pytest.mark.parametrize(
    ("answer", "trouble", "words"),
    [
        (
            says(400, '{"status":"error","errorType":"bad_data","error":"parse error"}'),
            Trouble.BAD_QUERY,
            "parse error",
        ),
        (says(422, '{"status":"error","errorType":"execution","error":"many"}'), Trouble.BAD_QUERY, "execution: many"),
        (says(401, "Unauthorized"), Trouble.AUTH, "does not let us in (401): Unauthorized"),
        (
            says(503, '{"status":"error","errorType":"timeout","error":"slow"}'),
            Trouble.TRANSIENT,
            "answered 503: timeout",
        ),
        (says(200, "<html>"), Trouble.BAD_QUERY, "is not Prometheus's"),
        (says(200, "[]"), Trouble.BAD_QUERY, "is not Prometheus's"),
        (says(200, '{"data":{"resultType":"matrix","result":[]}}'), Trouble.BAD_QUERY, "gives a matrix"),
        (says(200, '{"data":{"resultType":"vector","result":[{"metric":{}}]}}'), Trouble.BAD_QUERY, "not a number"),
        (vector(("{}", "1"), warnings='["one store is down"]'), Trouble.PARTIAL, "not whole: one store is down"),
        (
            vector(("{}", "1"), warnings='["PromQL warning: no quantile 2", "one store is down"]'),
            Trouble.PARTIAL,
            "not whole: PromQL warning: no quantile 2; one store is down",
        ),
        (
            vector(("{}", "1"), warnings='["PromQL warning: no quantile 2"]'),
            Trouble.BAD_QUERY,
            "warns of the query: PromQL warning: no quantile 2",
        ),
        (
            says(200, '{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}'),
            Trouble.PARTIAL,
            "a part of the cluster's storage did not answer",
        ),
        (says(302, "", "Location: http://elsewhere.test/"), Trouble.BAD_QUERY, "refused the query (302)"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Server, prometheus: Prometheus, answer: bytes, trouble: Trouble, words: str
) -> None:
    server.answers = [answer]
    error = await refused(prometheus)
    assert error.trouble is trouble
    assert words in str(error)
    assert len(server.asked) == (3 if trouble is Trouble.TRANSIENT else 1)


async def test_a_blip_is_tried_again(server: Server, prometheus: Prometheus) -> None:
    server.answers = [says(503, ""), says(500, ""), number("7")]
    got = await guarded(prometheus, QUERY, first_delay=0.01)
    assert got.samples[0].value == 7.0


async def test_the_wait_that_a_server_asks_for_is_kept_but_not_beyond_the_limit(
    server: Server, prometheus: Prometheus
) -> None:
    server.answers = [says(429, "", "Retry-After: 0.3"), number("7")]
    began = time.monotonic()
    await guarded(prometheus, QUERY, first_delay=0.001)
    assert time.monotonic() - began >= 0.3
    server.answers = [says(429, "", "Retry-After: 3600")]
    with pytest.raises(ProviderError, match=r"answered 429; it wants to be left alone until .* UTC, which is longer"):
        await guarded(prometheus, QUERY, timeout=0.2)


async def test_a_server_that_hangs_or_drips_is_left_in_time(server: Server, prometheus: Prometheus) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(20)

    async def dripping(writer: asyncio.StreamWriter) -> None:
        for byte in number("1"):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    for answer in (silent, dripping):
        server.answers = [answer]
        began = time.monotonic()
        with pytest.raises(ProviderError, match="gave no answer within"):
            await guarded(prometheus, QUERY, timeout=0.2)
        assert time.monotonic() - began < 5


async def test_an_endless_answer_is_not_read_to_its_end(server: Server, prometheus: Prometheus) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    server.answers = [endless]
    assert "too long" in str(await refused(prometheus))


async def test_nothing_secret_is_in_a_message(server: Server) -> None:
    url = server.url.replace("http://", "http://ann:pa55word@")
    prometheus = Prometheus(url, headers={"X-Scope-Token": "very-secret-token"})
    server.answers = [says(401, "no access for very-secret-token, api_key=abc123def")]
    words = str(await refused(prometheus))
    await prometheus.close()
    for secret in ("very-secret", "pa55word", "abc123"):
        assert secret not in words
    gone = Prometheus(f"http://ann:pa55word@127.0.0.1:{free_port()}/?token=hidden-token")
    error = await refused(gone)
    await gone.close()
    assert error.trouble is Trouble.TRANSIENT
    assert "could not be asked" in str(error)
    assert "pa55word" not in str(error)
    assert "hidden-token" not in str(error)


async def test_credentials_of_one_server_are_not_sent_to_another(server: Server) -> None:
    server.answers = [number("1")]
    prometheus = Prometheus("http://first.test", headers={"Authorization": "Bearer very-secret-token"})
    await prometheus.measure(QUERY._replace(server=server.url))
    await prometheus.close()
    assert "authorization" not in server.asked[0][1]


async def test_without_a_server_the_reader_is_told_how_to_give_one() -> None:
    assert "--prometheus URL" in str(await refused(Prometheus()))
