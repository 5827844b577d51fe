"""A SignalFlow stream is read to its end; one that is cut off, stopped or limited is no number."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from interpreter.providers.provider import RenderedQuery, Sample, Trouble
from interpreter.providers.splunk import Splunk, stream_address
from tests.interpreter.providers.server import Answer, Server, gives, refused, says

QUERY = RenderedQuery(
    "data('errors').sum().publish()",
    at_ms=1_795_413_067_184,
    window_ms=60_000,
    secret={"sf_token_key": "sf-secret-token-01"},
)


def event(kind: str, indent: int | None = None, **message: object) -> str:
    data = "".join(f"data: {line}\n" for line in json.dumps(message, indent=indent).splitlines())
    return f"event: {kind}\n{data}\n"


def data(**values: object) -> str:
    points = [{"tsId": tsid, "value": value} for tsid, value in values.items()]
    return event("data", 1, logicalTimestampMs=1, maxDelayMs=0, data=points)


START = event("control-message", event="STREAM_START", timestampMs=1)
END = event("control-message", event="END_OF_CHANNEL", timestampMs=2)


def stream(*events: str) -> bytes:
    return says(200, "".join([START, *events]), "Content-Type: text/event-stream")


@pytest.fixture
async def splunk(server: Server) -> AsyncIterator[Splunk]:
    made = Splunk(server.url)
    yield made
    await made.close()


async def test_it_is_asked_as_documented(server: Server, splunk: Splunk) -> None:
    meta = event("metadata", 1, tsId="A", properties={"sf_streamLabel": "x"})
    server.answers = [stream(": ping\n\n", meta, data(A=1), data(A=2.5), data(A=None), data(), END)]
    assert (await splunk.measure(QUERY)).samples == (Sample({"tsid": "A"}, 2.5),)
    span = {"start": ["1795412467184"], "stop": ["1795413067184"], "immediate": ["true"]}
    assert server.target() == ("POST", "/v2/signalflow/execute", span)
    assert server.bodies == [QUERY.text]
    headers = server.asked[0][1]
    assert (headers["x-sf-token"], headers["content-type"]) == ("sf-secret-token-01", "text/plain")


async def test_nothing_is_no_data_and_several_series_stay_several(server: Server, splunk: Splunk) -> None:
    server.answers = [stream(END), stream(data(A=None), END), stream(data(A=1, B="NaN"), END)]
    assert [len((await splunk.measure(QUERY)).samples) for _ in range(3)] == [0, 0, 2]


async def test_a_connection_that_stays_open_is_left_at_the_end_of_the_stream(server: Server, splunk: Splunk) -> None:
    gone = asyncio.Event()

    async def open_ended(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\n\r\n" + (START + data(A=7)).encode())
        for byte in END.encode():
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await gone.wait()

    server.answers = [open_ended]
    async with asyncio.timeout(10):
        assert (await splunk.measure(QUERY)).samples == (Sample({"tsid": "A"}, 7.0),)
    gone.set()


LIMITED = event("message", message={"messageCode": "FIND_LIMITED_RESULT_SET", "matchedSize": 9, "limitSize": 5})
ABORTED = event("control-message", event="CHANNEL_ABORT", abortInfo={"sf_job_abortReason": "too long"})


@pytest.mark.parametrize(
    ("answer", "trouble", "words"),
    [
        (stream(data(A=1)), Trouble.TRANSIENT, "broke off"),
        (stream(data(A=1), ABORTED), Trouble.TRANSIENT, "too long"),
        (stream(LIMITED, data(A=1), END), Trouble.PARTIAL, "too many series"),
        (stream(event("error", errors=[{"code": "ANALYTICS_SYNTAX"}])), Trouble.BAD_QUERY, "ANALYTICS_SYNTAX"),
        (stream(data(A="fast"), END), Trouble.BAD_QUERY, "is `fast`"),
        (stream("event: data\ndata: {\n\n", END), Trouble.BAD_QUERY, "another form"),
        (gives({"message": "Unauthorized"}, status=401), Trouble.AUTH, "Unauthorized"),
        (gives({"message": "slow down"}, "Retry-After: 0", status=429), Trouble.TRANSIENT, "slow down"),
        (says(200, "<html>"), Trouble.BAD_QUERY, "no stream of SignalFlow"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Server, splunk: Splunk, answer: Answer, trouble: Trouble, words: str
) -> None:
    server.answers = [answer]
    error = await refused(splunk, QUERY)
    assert error.trouble is trouble
    assert words in str(error)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://api.us1.signalfx.com", "https://stream.us1.signalfx.com"),
        ("wss://stream.us1.signalfx.com", "https://stream.us1.signalfx.com"),
        ("http://proxy.test:8080/api.x", "http://proxy.test:8080/api.x"),
    ],
)
def test_flaggers_addresses_lead_to_the_stream(address: str, expected: str) -> None:
    assert stream_address(address) == expected
