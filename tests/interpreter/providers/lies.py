"""What servers do instead of answering, as a table; and for each provider a true answer to bend.

A lie is made from a true answer, and is said over a bare socket: HTTP libraries of servers would not say most of them.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

Lie = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]

AT_MS = 1_795_413_067_184
_ROW = {"metric": {}, "value": [1795413067.184, "7"]}
_VECTOR = {"status": "success", "data": {"resultType": "vector", "result": [_ROW]}}
_POINT = {"values": [{"doubleValue": 7.0}], "timeInterval": {"endTime": "2026-11-23T05:51:07Z"}}
_STREAM = (
    'event: metadata\ndata: {"tsId": "a"}\n\nevent: data\ndata: {"data": [{"tsId": "a", "value": 7}]}\n\n'
    'event: control-message\ndata: {"event": "END_OF_CHANNEL"}\n\n'
)
_RESULT = {"Id": "m", "Label": "l", "Timestamps": [1_795_412_000], "Values": [7.0], "StatusCode": "Complete"}
_ELASTIC = {"_shards": {"failed": 0, "total": 1}, "hits": {"total": {"value": 7, "relation": "eq"}}}
_HONEYCOMB = {"id": "q", "complete": True, "data": {"results": [{"data": {"COUNT": 7}}]}}
_SCORED = {"canaryExecutionId": "x", "complete": True, "result": {"judgeResult": {"score": {"score": 7}}}}
_DATADOG = {"status": "ok", "series": [{"pointlist": [[1_795_413_000_000, 7.0]], "scope": "*", "interval": 60}]}
_TRUE: dict[str, Any] = {
    "cloudwatch": {"MetricDataResults": [_RESULT]},
    "datadog": _DATADOG,
    "dynatrace": {"result": [{"data": [{"values": [7]}]}]},
    "elasticsearch": _ELASTIC,
    "externalmetrics": {"items": [{"metricLabels": {}, "value": "7"}]},
    "graphite": [{"target": "a", "datapoints": [[7.0, 1795413060]]}],
    "honeycomb": _HONEYCOMB,
    "influxdb": {"results": [{"series": [{"columns": ["time", "mean"], "values": [[1, 7]]}]}]},
    "kayenta": _SCORED,
    "loki": _VECTOR,
    "newrelic": {"data": {"actor": {"account": {"nrql": {"results": [{"count": 7}]}}}}},
    "prometheus": _VECTOR,
    "sentry": {"data": [{"count()": 7}], "meta": {}},
    "splunk": _STREAM,
    "stackdriver": {"timeSeriesData": [{"pointData": [_POINT]}]},
    "web": {"value": 7},
}
TRUE: dict[str, bytes] = {
    name: said.encode() if isinstance(said, str) else json.dumps(said).encode() for name, said in _TRUE.items()
}
"""To every provider's question of `QUERIES`; the number is 7."""

_PAIR = '{"controlScope": {"scope": "a"}, "experimentScope": {"scope": "b"}}'
QUERIES = {
    "cloudwatch": '[{"Id": "m", "Expression": "x"}]',
    "elasticsearch": "web/_search",
    "externalmetrics": "shop/latency",
    "honeycomb": '{"calculations": [{"op": "COUNT"}]}',
    "influxdb": "select mean(x) from y",
    "kayenta": f'{{"canaryConfigId": "c", "scopes": {{"default": {_PAIR}}}}}',
    "sentry": "acme/events?field=count()",
    "stackdriver": "fetch x",
    "web": "GET /x\n$.value",
}


def head(*lines: str, status: str = "200 OK") -> bytes:
    return ("\r\n".join((f"HTTP/1.1 {status}", *lines)) + "\r\n\r\n").encode()


def whole(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    return head(f"Content-Length: {len(body)}", "Connection: close", *lines, status=status) + body


async def truth(true: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(whole(true, "Content-Type: application/json"))
    await writer.drain()


def instead(body: bytes | Callable[[bytes], bytes], *lines: str, status: str = "200 OK") -> Lie:
    """A whole answer of another body."""

    async def lie(true: bytes, writer: asyncio.StreamWriter) -> None:
        said = body if isinstance(body, bytes) else body(true)
        writer.write(whole(said, *lines, status=status))
        await writer.drain()

    return lie


def raw(said: bytes) -> Lie:
    """These bytes, and the end of the connection."""

    async def lie(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    return lie


def endless(first: bytes, again: bytes, pause: float = 0.0) -> Lie:
    """No end of it."""

    async def lie(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)

    return lie


async def cut_off(true: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(head(f"Content-Length: {len(true)}") + true[: len(true) // 2])
    await writer.drain()


async def reset(true: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(head(f"Content-Length: {len(true)}") + true[:4])
    await writer.drain()
    writer.transport.abort()


async def silent(_: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def drip(true: bytes, writer: asyncio.StreamWriter) -> None:
    for at in range(len(true)):
        writer.write(head(f"Content-Length: {len(true)}") if not at else true[at : at + 1])
        await writer.drain()
        await asyncio.sleep(0.1)


def with_number(other: bytes) -> Callable[[bytes], bytes]:
    """The true answer with another number in it."""

    def made(true: bytes) -> bytes:
        for seven in (b'"7"', b"7.0", b" 7,", b" 7}", b" 7]"):
            if seven in true:
                start, end = seven[:1].strip(b'7"'), seven[-1:].strip(b'7"0')
                return true.replace(seven, start + other + end)
        raise AssertionError(true)

    return made


def said_twice(true: bytes) -> bytes:
    """Every name of every object twice, first with null, then with what is true."""

    def doubled(value: Any) -> str:
        if isinstance(value, dict):
            pairs = (f'"{key}": null, "{key}": {doubled(inner)}' for key, inner in value.items())
            return "{" + ", ".join(pairs) + "}"
        return "[" + ", ".join(map(doubled, value)) + "]" if isinstance(value, list) else json.dumps(value)

    if true.startswith(b"event:"):
        return b"\n".join(
            b"data: " + said_twice(line[6:]) if line.startswith(b"data: ") else line for line in true.split(b"\n")
        )
    return doubled(json.loads(true)).encode()


def bomb(layers: int) -> bytes:
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join([*(packed.compress(b" " * 1_000_000) for _ in range(300)), packed.flush()])
    for _ in range(layers - 1):
        body = gzip.compress(body)
    return body


HTML = b"<!DOCTYPE html><html><title>Sign in</title><p>7</html>"
JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
QUICK: dict[str, Lie] = {
    "HTML with 200": instead(HTML, "Content-Type: text/html"),
    "HTML that says it is JSON": instead(HTML, JSON),
    "nothing": instead(b""),
    "204": raw(head(status="204 No Content")),
    "null": instead(b"null"),
    "a number": instead(b"7"),
    "a list": instead(b"[7]"),
    "an empty object": instead(b"{}"),
    "not UTF-8": instead(b'{"value": "\xff\xfe"}', JSON),
    "NUL": instead(b"\0" * 100),
    "its error with 200": instead(b'{"status": "error", "error": "no", "errors": [{"message": "no"}]}'),
    "cut off": cut_off,
    "cut off in JSON, and well framed": instead(lambda true: true[: len(true) // 2]),
    "cut off in a chunk": raw(head(CHUNKED) + b"ff\r\n{"),
    "reset": reset,
    "closed": raw(b""),
    "not HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "HTTP of its own": raw(b"HTTP/1.1 abc\r\n\r\n"),
    "lengths that differ": raw(head("Content-Length: 1", "Content-Length: 2") + b"{}"),
    "a length below zero": raw(head("Content-Length: -1") + b"{}"),
    "a chunk of another length": raw(head(CHUNKED) + b"zz\r\n{}\r\n0\r\n\r\n"),
    "redirect elsewhere": instead(b"7", "Location: http://127.0.0.1:1/x", status="302 Found"),
    "redirect to itself": instead(b"7", "Location: /", status="307 Temporary Redirect"),
    "redirect to a file": instead(b"7", "Location: file:///etc/passwd", status="301 Moved Permanently"),
    "500": instead(b"7", status="500 X"),
    "429 for ever": instead(b"7", "Retry-After: 1e18", status="429 X"),
    "429 until a day that is none": instead(b"", "Retry-After: Mon, 99 Foo 2026 99:99:99 GMT", status="429 X"),
    "429 until NaN": instead(b"", "Retry-After: nan", status="429 X"),
    "401": instead(b"7", status="401 X"),
    "a status of no kind": instead(b"7", status="799 X"),
    "NaN as text": instead(with_number(b'"NaN"'), JSON),
    "NaN": instead(with_number(b"NaN"), JSON),
    "infinity": instead(with_number(b'"Infinity"'), JSON),
    "more than a float": instead(with_number(b"1e999"), JSON),
    "a number of Python's": instead(with_number(b'"1_0"'), JSON),
    "digits of elsewhere": instead(with_number('"٧"'.encode()), JSON),
    "a word": instead(with_number(b'"seven"'), JSON),
    "true": instead(with_number(b"true"), JSON),
    "an object": instead(with_number(b'{"a": 7}'), JSON),
    "lists in lists": instead(with_number(b"[[7]]"), JSON),
    "a number of a hundred thousand digits": instead(with_number(b"7" * 100_000), JSON),
    "every name twice": instead(said_twice, JSON),
    "gzip that is none": instead(lambda true: true, "Content-Encoding: gzip"),
    "packed as nobody knows": instead(lambda true: true, "Content-Encoding: br"),
    "packed twice": instead(lambda true: gzip.compress(gzip.compress(true)), "Content-Encoding: gzip, gzip"),
}
SLOW: dict[str, Lie] = {
    "silent": silent,
    "a byte now and then": drip,
    "a head without end": endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.1),
    "continue for ever": endless(b"", head(status="100 Continue"), 0.01),
}
LARGE: dict[str, Lie] = {
    "10 GB": endless(head("Content-Length: 10737418240"), b" " * 65_536),
    "chunks without end": endless(head(CHUNKED), b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "a head without end, at once": endless(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 8_000 + b"\r\n"),
    "a header without end": endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 65_536),
    "a gzip bomb": instead(bomb(1), "Content-Encoding: gzip"),
    "a gzip bomb in gzip": instead(bomb(2), "Content-Encoding: gzip, gzip"),
    "a refusal of 10 GB": endless(head("Content-Length: 10737418240", status="400 X"), b" " * 65_536),
    "very deep": instead(b"[" * 2_000_000, JSON),
    "very deep, and closed": instead(b'{"a":' * 200_000 + b"7" + b"}" * 200_000, JSON),
    "very wide": instead(b"[" + b"{}," * 1_300_000 + b"{}]", JSON),
}
