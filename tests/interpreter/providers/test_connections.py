"""Connections: kept for reuse, never so that an answer comes to the wrong question; certificates that change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import ProviderError, RenderedQuery, Trouble, guarded
from tests.interpreter.providers.authority import Authority, Secure
from tests.interpreter.providers.server import Server, number

AT_MS = 1_795_413_067_184
Answering = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


class Kept:
    """A server that keeps its connections, and answers as it is told; `connections` counts them."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.connections = 0
        self.asked: list[str] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
                text = parse_qs((await reader.readexactly(length)).decode())["query"][0]
                self.asked.append(text)
                await self._answering(text, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def keeping(answering: Answering) -> AsyncIterator[Kept]:
    made = Kept(answering)
    listening = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        async with asyncio.timeout(30):
            yield made
    finally:
        listening.close()


@pytest.fixture
async def prometheus() -> AsyncIterator[Prometheus]:
    made = Prometheus()
    yield made
    await made.close()


def kept(value: str) -> bytes:
    """An answer after which the connection stays."""
    return number(value).replace(b"Connection: close\r\n", b"")


def query(server: str, text: str, secret: dict[str, str] | None = None) -> RenderedQuery:
    return RenderedQuery(text, AT_MS, 60_000, server, secret=secret or {})


async def value(prometheus: Prometheus, asked: RenderedQuery, limit: float = 10) -> float:
    (sample,) = (await guarded(prometheus, asked, timeout=limit, first_delay=0.01)).samples
    return sample.value


async def test_a_connection_serves_many_questions(prometheus: Prometheus) -> None:
    async def answering(text: str, writer: asyncio.StreamWriter) -> None:
        writer.write(kept(text))

    async with keeping(answering) as server:
        assert [await value(prometheus, query(server.url, str(n))) for n in range(50)] == list(range(50))
        assert server.connections == 1


@pytest.mark.parametrize("pause", [0, 0.01])
async def test_a_second_answer_is_not_taken_for_the_next_questions(prometheus: Prometheus, pause: float) -> None:
    async def twice(text: str, writer: asyncio.StreamWriter) -> None:
        writer.write(kept(text) + (b"" if pause else kept("666")))
        await writer.drain()
        if pause:
            await asyncio.sleep(pause)
            writer.write(kept("666"))

    async with keeping(twice) as server:
        for n in range(5):
            assert await value(prometheus, query(server.url, str(n))) == n
            await asyncio.sleep(5 * pause)


async def test_half_of_a_second_answer_is_not_taken_either(prometheus: Prometheus) -> None:
    async def more(text: str, writer: asyncio.StreamWriter) -> None:
        writer.write(kept(text) + kept("666")[:30])

    async with keeping(more) as server:
        assert [await value(prometheus, query(server.url, str(n))) for n in range(5)] == list(range(5))


async def test_a_late_answer_is_not_taken_for_a_later_question(prometheus: Prometheus) -> None:
    late = asyncio.Event()

    async def answering(text: str, writer: asyncio.StreamWriter) -> None:
        if text == "1":
            await late.wait()
        writer.write(kept(text))

    async with keeping(answering) as server:
        assert await value(prometheus, query(server.url, "0")) == 0
        with pytest.raises(ProviderError, match=r"gave no answer within 0\.1s"):
            await value(prometheus, query(server.url, "1"), limit=0.1)
        late.set()
        assert [await value(prometheus, query(server.url, str(n))) for n in (2, 3)] == [2, 3]
        assert server.asked == ["0", "1", "2", "3"]


async def test_a_server_that_closes_what_was_kept_is_asked_again(prometheus: Prometheus) -> None:
    async def once(text: str, writer: asyncio.StreamWriter) -> None:
        writer.write(kept(text))
        await writer.drain()
        writer.transport.abort()

    async with keeping(once) as server:
        assert [await value(prometheus, query(server.url, str(n))) for n in range(5)] == list(range(5))


@pytest.fixture
async def secure(server: Server) -> AsyncIterator[Secure]:
    made = Secure(server)
    yield made
    await made.end()


async def test_a_certificate_that_is_renewed_goes_on(
    prometheus: Prometheus, secure: Secure, server: Server, tmp_path: Path
) -> None:
    ours = Authority("ours")
    server.answers = [number("1"), number("2")]
    for expected in (1.0, 2.0):
        await secure.begin(ours.server(tmp_path))
        assert await value(prometheus, query(secure.url, "up", {"ca.crt": ours.certificate})) == expected


@pytest.mark.parametrize(
    ("signed", "life", "why"),
    [
        ("theirs", 1, "unable to get local issuer certificate; if its authority is one of your own"),
        ("ours", -1, "certificate has expired"),
    ],
)
async def test_a_certificate_that_is_not_trusted_any_more_is_named(
    prometheus: Prometheus, secure: Secure, server: Server, tmp_path: Path, signed: str, life: int, why: str
) -> None:
    authorities = {name: Authority(name) for name in ("ours", "theirs")}
    secret = {"ca.crt": authorities["ours"].certificate, "token": "never-sent-to-them"}
    server.answers = [number("1")]
    await secure.begin(authorities["ours"].server(tmp_path))
    assert await value(prometheus, query(secure.url, "up", secret)) == 1
    await secure.begin(authorities[signed].server(tmp_path, life=timedelta(hours=life)))
    with pytest.raises(ProviderError) as caught:
        await value(prometheus, query(secure.url, "up", secret))
    assert caught.value.trouble is Trouble.AUTH
    assert f"the certificate of {secure.url}/api/v1/query is not trusted: {why}" in str(caught.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize("server_url", ["http://no-such-host.invalid:9090", "http://127.0.0.1:1"])
async def test_a_server_that_is_not_there_is_named(prometheus: Prometheus, server_url: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await value(prometheus, query(server_url, "up"))
    assert caught.value.trouble is Trouble.TRANSIENT
    assert f"prometheus: {server_url}/api/v1/query could not be asked: " in str(caught.value)
