"""A webhook gets the JSON that its author has written a server for; what it answers, or fails to answer, is told to
people in full honesty and without secrets; and no server, however slow or large, can hold a call up."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from dsl.ir import Program, Service, Traffic, Webhook, WorkloadRef
from interpreter.actions import CallAction
from interpreter.addresses import ANY
from interpreter.local.processes import free_port
from interpreter.webhooks import MOST_READ, Caller, payload_of

PROGRAM = Program(
    name="checkout",
    namespace="shop",
    target=WorkloadRef("deployment", "checkout"),
    traffic=Traffic("kubernetes"),
    service=Service("checkout"),
    code=(),
)
ACTION = CallAction(
    key="shop/checkout/abc/1/2/smoke/0",
    webhook="smoke",
    phase="Progressing",
    revision="abc",
    weight=12.5,
    failed_checks=1,
    iterations=7,
)


class Server:
    """Says what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.answers: list[bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:]) if k}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.asked.append((head[0], headers, json.loads(body)))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if callable(answer):
                await answer(writer)
            else:
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def says(status: int, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body.encode())}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hook"
    async with asyncio.timeout(30):
        yield made
    listening.close()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with Caller(ANY, first_delay=0.01) as made:
        yield made


async def test_the_payload_has_every_field_that_is_promised(server: Server, caller: Caller) -> None:
    server.answers = [says(200, "fine")]
    hook = Webhook(server.url, headers={"X-Team": "shop"}, body={"cmd": "hey -z 1m"})
    reply = await caller.call(hook, payload_of(PROGRAM, hook, ACTION), ACTION.key)
    assert (reply.accepted, reply.status, reply.detail, reply.tries) == (True, 200, "fine", 1)
    line, headers, body = server.asked[0]
    assert line == "POST /hook HTTP/1.1"
    assert (headers["content-type"], headers["x-team"]) == ("application/json", "shop")
    assert headers["idempotency-key"] == ACTION.key
    assert body == {
        "name": "checkout",
        "namespace": "shop",
        "phase": "Progressing",
        "checksum": "abc",
        "metadata": {"cmd": "hey -z 1m"},
        "revision": "abc",
        "weight": 12.5,
        "failedChecks": 1,
        "iterations": 7,
        "idempotencyKey": ACTION.key,
    }


@pytest.mark.parametrize(("status", "accepted"), [(200, True), (204, True), (299, True), (302, False), (404, False)])
async def test_only_2xx_accepts(server: Server, caller: Caller, status: int, accepted: bool) -> None:
    server.answers = [says(status, "", "Location: /elsewhere")]
    reply = await caller.call(Webhook(server.url), {}, "k")
    assert (reply.accepted, reply.status, len(server.asked)) == (accepted, status, 1)


async def test_a_refusal_shows_the_beginning_of_what_was_said_without_secrets(server: Server, caller: Caller) -> None:
    said = "token=s3cr3t-in-body and my-own-key-1234 and Bearer abcdefgh12345678;\n  " + "x" * 2000
    server.answers = [says(403, said)]
    url = server.url.replace("http://", "http://ann:pa55word@") + "?token=query-secret"
    hook = Webhook(url, headers={"X-Api-Key": "my-own-key-1234"})
    reply = await caller.call(hook, {}, "k")
    assert reply.detail.startswith("it answered 403: token=*** and *** and Bearer ***; xxxx")
    assert len(reply.detail) <= 500 + len("it answered 403: ")
    for secret in ("s3cr3t", "my-own-key", "pa55word", "query-secret", "abcdefgh"):
        assert secret not in reply.detail


async def test_what_was_refused_is_tried_again_later_each_time_with_the_same_key(server: Server) -> None:
    moments: list[float] = []

    async def noting(writer: asyncio.StreamWriter) -> None:
        moments.append(time.monotonic())
        writer.write(says(500))

    server.answers = [noting, noting, noting, says(200)]
    async with Caller(ANY, first_delay=0.1) as caller:
        reply = await caller.call(Webhook(server.url, retries=3), {}, "the-key")
    assert (reply.accepted, reply.tries) == (True, 4)
    assert {headers["idempotency-key"] for _, headers, _ in server.asked} == {"the-key"}
    assert moments[1] - moments[0] >= 0.05
    assert moments[2] - moments[1] >= 0.1


async def test_retries_end(server: Server, caller: Caller) -> None:
    server.answers = [says(500, "no")]
    reply = await caller.call(Webhook(server.url, retries=2), {}, "k")
    assert (reply.accepted, reply.tries, reply.detail) == (False, 3, "it answered 500: no")
    assert len(server.asked) == 3


async def test_a_server_that_says_nothing_or_a_byte_now_and_then_is_left_in_time(
    server: Server, caller: Caller
) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(20)

    async def dripping(writer: asyncio.StreamWriter) -> None:
        for byte in says(200, "x" * 1000):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    for answer in (silent, dripping):
        server.answers = [answer]
        began = time.monotonic()
        reply = await caller.call(Webhook(server.url + "?key=hidden-key-1", timeout_ms=200), {}, "k")
        assert time.monotonic() - began < 5
        assert not reply.accepted
        assert re.fullmatch(r"no answer from http://127\.0\.0\.1:\d+/hook\?key=\*\*\* within 0\.2s", reply.detail)


async def test_no_more_is_read_than_is_shown(server: Server, caller: Caller) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            await writer.drain()
            sent += 0x1000

    server.answers = [endless]
    reply = await caller.call(Webhook(server.url), {}, "k")
    assert reply.accepted
    assert len(reply.detail) == 500
    assert sent < 10_000 * MOST_READ


async def test_a_server_that_is_not_there_is_a_refusal_that_says_so(caller: Caller) -> None:
    reply = await caller.call(Webhook(f"http://127.0.0.1:{free_port()}/"), {}, "k")
    assert not reply.accepted
    assert "could not be called" in reply.detail
    assert not (await caller.call(Webhook("not a url"), {}, "k")).accepted
    assert "secret `hook-token`" in (await caller.call(Webhook("http://a.test/", secret="hook-token"), {}, "k")).detail
