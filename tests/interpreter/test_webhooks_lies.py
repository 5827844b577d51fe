"""Whatever a webhook's server does, over real sockets: a call ends in time, in a reply that people can read and that
holds no more than they are shown, and takes little memory."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from dsl.ir import Webhook
from interpreter.addresses import ANY
from interpreter.webhooks import Caller, Reply
from tests.interpreter.providers.lies import CHUNKED, LARGE, QUICK, SLOW, Lie, endless, head, instead, raw
from tests.interpreter.providers.server import Server, serving

TRUE = b'{"message": 7}'
HANGS_S = 30
MOST_MB = 5
LONGEST = 500 + 200
"""What is shown of an answer, and the words around it."""


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with Caller(ANY, first_delay=0.01) as made:
        yield made


async def lied_to(caller: Caller, server: Server, lie: Lie, timeout_ms: int = 10_000) -> Reply:
    async def said(writer: asyncio.StreamWriter) -> None:
        await lie(TRUE, writer)

    server.answers = [said]
    async with asyncio.timeout(HANGS_S):
        reply = await caller.call(Webhook(f"{server.url}/hook", timeout_ms=timeout_ms), {}, "k")
    assert all(c.isprintable() for c in reply.detail)
    assert len(reply.detail) < LONGEST
    assert reply.tries == 1
    return reply


@pytest.mark.parametrize("name", sorted(QUICK))
async def test_the_status_alone_accepts_and_only_if_an_answer_came_whole(
    caller: Caller, server: Server, name: str
) -> None:
    reply = await lied_to(caller, server, QUICK[name])
    broken = any(word in name for word in ("cut off", "reset", "closed", "HTTP", "lengths", "a length", "a chunk"))
    fine = name == "cut off in JSON, and well framed" or "HTML" in name
    refused = any(word in name for word in ("500", "429", "401", "redirect", "no kind"))
    assert reply.accepted == (fine or not (broken or refused)), reply


@pytest.mark.parametrize("name", sorted(SLOW))
async def test_a_server_that_takes_its_time_is_left_in_time(caller: Caller, server: Server, name: str) -> None:
    reply = await lied_to(caller, server, SLOW[name], timeout_ms=300)
    assert reply.detail == f"no answer from {server.url}/hook within 0.3s"


async def test_a_body_that_drips_behind_a_quick_head_is_left_in_time(caller: Caller, server: Server) -> None:
    drip = endless(head(CHUNKED), b"1\r\nx\r\n", 0.01)
    reply = await lied_to(caller, server, drip, timeout_ms=300)
    assert reply.detail == f"no answer from {server.url}/hook within 0.3s"


@pytest.mark.parametrize("name", sorted(LARGE))
async def test_a_large_answer_is_not_taken_in(caller: Caller, server: Server, name: str) -> None:
    tracemalloc.start()
    try:
        made = tracemalloc.get_traced_memory()[0]
        reply = await lied_to(caller, server, LARGE[name])
        peak = (tracemalloc.get_traced_memory()[1] - made) / 1e6
    finally:
        tracemalloc.stop()
    assert peak < MOST_MB
    assert reply.accepted == ("a head" not in name and "a header" not in name and "refusal" not in name)


@pytest.mark.parametrize(
    ("lie", "shown"),
    [
        (instead(b"no\r\n\x1b[31mred\x1b[0m\x07\x00 \xe2\x80\xaeevil", status="403 X"), "no [31mred [0m evil"),
        (instead(bytes(range(256)), status="403 X"), None),
        (instead(b"junk", "Content-Encoding: gzip", status="403 X"), "(the answer cannot be unpacked)"),
        (instead(b"junk", "Content-Encoding: br", status="403 X"), "(the answer is packed in a way that was not asked"),
        (
            instead(b"", "Location: https://u:p@b.test/x?key=secret", status="302 X"),
            "it points to https://b.test/x?key=",
        ),
        (instead(b"", "Location: http://[", status="302 X"), "it points to what is no URL, and is not followed there"),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), None),
    ],
)
async def test_what_is_shown_can_be_seen_and_does_no_harm(
    caller: Caller, server: Server, lie: Lie, shown: str | None
) -> None:
    reply = await lied_to(caller, server, lie)
    assert not reply.accepted
    assert "secret" not in reply.detail
    if shown is not None:
        assert shown in reply.detail
