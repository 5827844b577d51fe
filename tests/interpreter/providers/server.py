"""A metric server that says what a test tells it to, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from interpreter.providers.provider import Provider, ProviderError, RenderedQuery, guarded

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """`answers` are given in order; the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.by_query: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.bodies: list[str] = []
        self.url = ""

    def target(self, number: int = -1) -> tuple[str, str, dict[str, list[str]]]:
        """Method, path and the query's parameters of one request."""
        method, url, _ = self.asked[number][0].split()
        return method, urlsplit(url).path, parse_qs(urlsplit(url).query)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:]) if k}
            body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
            form = {key: values[0] for key, values in parse_qs(body).items()}
            self.bodies.append(body)
            self.asked.append((head[0], headers, form))
            await self._answer(writer, form.get("query", ""))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, query: str) -> None:
        answer = self.by_query.get(query)
        if answer is None:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
        else:
            await answer(writer)


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        async with asyncio.timeout(30):
            yield made
    finally:
        listening.close()


def says(status: int, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body.encode())}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def gives(answer: object, *headers: str, status: int = 200) -> bytes:
    """An answer in JSON."""
    return says(status, json.dumps(answer), *headers)


async def refused(provider: Provider, query: RenderedQuery) -> ProviderError:
    """The error, with nothing asked twice for long."""
    try:
        got = await guarded(provider, query, timeout=5, first_delay=0.01)
    except ProviderError as error:
        return error
    raise AssertionError(f"{got} is a measurement, and an error was expected")


def vector(*rows: tuple[str, str], warnings: str = "") -> bytes:
    """A Prometheus answer: rows of labels (as JSON) and value."""
    result = ",".join(f'{{"metric":{labels},"value":[1795413067.184,"{value}"]}}' for labels, value in rows)
    more = f',"warnings":{warnings}' if warnings else ""
    return says(200, f'{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}{more}}}')


def number(value: str) -> bytes:
    return vector(("{}", value))
