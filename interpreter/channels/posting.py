"""One request to a service, and what came of it. Nothing that goes wrong is raised, nothing secret is in the answer."""

from __future__ import annotations

import asyncio

import httpx

from interpreter.channels.line import Line
from interpreter.channels.request import Answer, Later, Refused, Request
from interpreter.durations import milliseconds
from interpreter.http_client import Clients, Manner, refused
from interpreter.masking import mask
from interpreter.retrying import retry_after
from interpreter.tls import TlsProblem, material

TIMEOUT_MS = 10_000
MOST_READ = 262_144
"""Of an answer; Google Chat and Slack say a message of 32 KB back, with more around it."""
SHOWN = 500


class Poster:
    """Posts for all channels."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def post(self, line: Line, request: Request) -> Answer | Later | Refused:
        """What the service answered, or why it did not."""
        timeout_s = (milliseconds(line.text("timeout")) if line.text("timeout") else TIMEOUT_MS) / 1000
        try:
            async with asyncio.timeout(timeout_s):
                return await self._answer(line, request)
        except (TimeoutError, httpx.TimeoutException):
            return Later(f"no answer from {_server(request)} within {timeout_s:g}s")
        except TlsProblem as problem:
            return Refused(str(problem))
        except httpx.LocalProtocolError:
            return Refused("a header or a credential has characters that no header can have")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as trouble:
            if (never := refused(trouble)) is not None:
                return Refused(f"{_server(request)} is not called: {never}")
            why = mask(str(trouble) or type(trouble).__name__, line.secrets)[:SHOWN]
            if isinstance(trouble, httpx.UnsupportedProtocol | httpx.InvalidURL) or not _server(request):
                return Refused(f"its address is none of a web server: {why}")
            return Later(f"{_server(request)} could not be called: {why}")

    async def _answer(self, line: Line, request: Request) -> Answer:
        verify = not line.settings.get("insecure_skip_verify", False)
        manner = Manner(material(line.tls, verify=verify), line.text("proxy"))
        basic = httpx.BasicAuth(line.user, line.password) if line.password else None
        headers = {"Accept-Encoding": "identity", **request.headers}
        async with (
            self._clients.client(manner) as client,
            client.stream("POST", request.url, content=request.body, headers=headers, auth=basic) as answer,
        ):
            body = await _beginning(answer)
        return Answer(answer.status_code, body, retry_after(answer.headers))


def shown(line: Line, text: str) -> str:
    """What a service said, as people may see it: one line, no secrets."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return mask(" ".join(printable.split()), line.secrets)[:SHOWN]


async def _beginning(answer: httpx.Response) -> str:
    read = bytearray()
    async for piece in answer.aiter_raw():
        read += piece
        if len(read) >= MOST_READ:
            break
    return bytes(read[:MOST_READ]).decode("utf-8", errors="replace")


def _server(request: Request) -> str:
    """What may be shown of an address: the rest of it may let in whoever knows it."""
    try:
        url = httpx.URL(request.url)
    except (httpx.InvalidURL, ValueError):
        return ""
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.host}{port}" if url.host else ""
