"""The weighted HTTP proxy: a small reverse proxy on aiohttp, in front of the revisions' processes.

One request: ask the routing who answers (`choice`), take an endpoint of that arm in turn, forward, count. Connections
to the processes are kept open and pooled. Bodies are streamed both ways; small ones are passed on whole, which is
quicker. A request that is under way is not touched by a change of the routing.

What goes wrong behind the proxy is an error of the arm that was asked: 502 if its process cannot be reached or breaks
off, 503 if it has none, 504 if it stays silent. Nothing is tried twice: a retry would hide from the analysis what the
revision does. A copy that is mirrored to the canary is sent on the side, a bounded number at a time; whatever comes
of it, the client never notices.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from interpreter.desired import Routing
from interpreter.local.choice import Choice
from interpreter.local.metering import Metering, Subject
from interpreter.local.upstreams import Endpoint, Upstreams

SMALL = 64 * 1024
MIRRORED_BODY = 1024 * 1024
MOST_MIRRORS = 64
SILENCE_S = 60.0
CONNECT_S = 5.0

_HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade", "expect"),
    )
)
_NO_EXTRAS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class _Facts:
    """A request as the rules see it; nothing is parsed that no rule asks for."""

    __slots__ = ("_request",)

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request

    def header(self, name: str) -> Iterable[str]:
        return self._request.headers.getall(name, ())

    def cookie(self, name: str) -> Iterable[str]:
        value = self._request.cookies.get(name)
        return () if value is None else (value,)

    def query(self, name: str) -> Iterable[str]:
        return self._request.query.getall(name, ())


class Proxy:
    """Forwards requests by the routing in force, and counts what came of them. Make it within a running loop."""

    def __init__(self, upstreams: Upstreams, metering: Metering) -> None:
        self.upstreams = upstreams
        self.metering = metering
        self._choice = Choice(Routing(), None)
        self._session = _pool()
        self._runner: web.ServerRunner | None = None
        self._mirrors: set[asyncio.Task[None]] = set()

    @property
    def routing(self) -> Routing:
        return self._choice.routing

    def route(self, routing: Routing) -> None:
        """Apply this routing to every request from now on."""
        canary = self.upstreams.revisions.get("canary")
        self._choice = Choice(routing, canary, baseline="baseline" in self.upstreams.revisions)

    def refresh(self) -> None:
        """Apply the routing anew after a change of the arms."""
        self.route(self.routing)

    async def serve(self, taken: socket.socket) -> None:
        """Listen on a socket that has its port."""
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, keepalive_timeout=75.0), shutdown_timeout=5.0
        )
        await self._runner.setup()
        await web.SockSite(self._runner, taken, backlog=1024).start()

    async def close(self) -> None:
        """Finish what is under way, then stop."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        for task in tuple(self._mirrors):
            task.cancel()
        await asyncio.gather(*self._mirrors, return_exceptions=True)
        await self._session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        began = time.perf_counter()
        choice = self._choice
        role = choice.role(_Facts(request))
        body = await self._body(request, MIRRORED_BODY if choice.routing.mirror else SMALL)
        if choice.mirrored(role):
            self._copy(request, body)
        endpoint = self.upstreams.pick(role)
        if endpoint is None:
            self.metering.record(self.upstreams.absent(role), 503, time.perf_counter() - began)
            return web.Response(status=503, text=f"no process of the {role} is ready\n")
        return await self._forward(request, endpoint, body, choice.cookie(role), began)

    async def _forward(
        self, request: web.BaseRequest, endpoint: Endpoint, body: bytes | None, cookie: str | None, began: float
    ) -> web.StreamResponse:
        endpoint.enter()
        status = GONE
        try:
            answer = await self._send(request, endpoint, body)
            async with answer:
                status = answer.status
                return await _relay(request, answer, cookie)
        except _Broken as trouble:
            status = GONE if _client_left(request) else trouble.status
            if trouble.begun and request.transport is not None:
                request.transport.abort()
            return web.Response(status=trouble.status, text=f"the {endpoint.role} {trouble}\n")
        finally:
            endpoint.leave()
            if status != GONE:
                self.metering.record(Subject(endpoint.role, endpoint.revision), status, time.perf_counter() - began)

    async def _send(self, request: web.BaseRequest, endpoint: Endpoint, body: bytes | None) -> aiohttp.ClientResponse:
        url = URL(f"http://{endpoint.host}:{endpoint.port}{_path(request)}", encoded=True)
        data = request.content if body is None else body or None
        try:
            return await self._session.request(
                request.method, url, headers=_forwarded(request), data=data, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError) as trouble:
            raise _Broken(trouble) from trouble

    async def _body(self, request: web.BaseRequest, most: int) -> bytes | None:
        """The body, if it is short and its length is known; None if it is to be streamed."""
        if not request.can_read_body:
            return b""
        if "Expect" in request.headers and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = request.content_length
        return await request.content.read(-1) if length is not None and length <= most else None

    def _copy(self, request: web.BaseRequest, body: bytes | None) -> None:
        """Send a copy to the canary, on the side."""
        endpoint = self.upstreams.pick("canary")
        if endpoint is None or body is None or len(self._mirrors) >= MOST_MIRRORS:
            self.metering.mirror_dropped += 1
            return
        task = asyncio.create_task(self._mirror(request, endpoint, body))
        self._mirrors.add(task)
        task.add_done_callback(self._mirrors.discard)

    async def _mirror(self, request: web.BaseRequest, endpoint: Endpoint, body: bytes) -> None:
        began = time.perf_counter()
        endpoint.enter()
        status = 502
        try:
            async with await self._send(request, endpoint, body) as answer:
                async for _chunk in answer.content.iter_any():
                    pass
                status = answer.status
        except (_Broken, aiohttp.ClientError, OSError):
            pass
        finally:
            endpoint.leave()
            subject = Subject(endpoint.role, endpoint.revision)
            self.metering.record(subject, status, time.perf_counter() - began, mirror=True)


GONE = 499
"""The client left before there was an answer: nobody's error, and not counted."""


class _Broken(Exception):
    """The process behind did not answer, or broke off; `begun` if the client already has a part of the answer."""

    def __init__(self, cause: BaseException, *, begun: bool = False) -> None:
        self.status = 504 if isinstance(cause, TimeoutError) else 502
        self.begun = begun
        super().__init__("did not answer in time" if self.status == 504 else "could not be reached or broke off")


def _pool() -> aiohttp.ClientSession:
    """Connections to the processes: as many as there are requests, kept for less long than any server would."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4.0),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_NO_EXTRAS,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
    )


def _client_left(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _path(request: web.BaseRequest) -> str:
    """What is asked for, as the client wrote it, and never whom: `//elsewhere` is a path too."""
    target = request.raw_path
    if target.startswith("/"):
        return target
    rest = request.rel_url.raw_path_qs
    return rest if rest.startswith("/") else "/"


def _forwarded(request: web.BaseRequest) -> CIMultiDict[str]:
    headers = _end_to_end(request.headers)
    before = headers.get("X-Forwarded-For")
    client = request.remote or "unknown"
    headers["X-Forwarded-For"] = f"{before}, {client}" if before else client
    headers.setdefault("X-Forwarded-Proto", "http")
    headers.setdefault("X-Forwarded-Host", request.host)
    return headers


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers without those that are about this one connection."""
    named = {token.strip().lower() for value in headers.getall("Connection", ()) for token in value.split(",")}
    dropped = _HOP_BY_HOP | named if named else _HOP_BY_HOP
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


async def _relay(request: web.BaseRequest, answer: aiohttp.ClientResponse, cookie: str | None) -> web.StreamResponse:
    headers = _end_to_end(answer.headers)
    if cookie is not None:
        headers.add("Set-Cookie", cookie)
    length = answer.content_length
    if request.method == "HEAD" or answer.status in (204, 304):
        return await _finish(request, web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers))
    if length is not None and length <= SMALL:
        try:
            body = await answer.read()
        except (aiohttp.ClientError, OSError) as trouble:
            raise _Broken(trouble) from trouble
        headers.popall("Content-Length", None)
        return web.Response(status=answer.status, reason=answer.reason, headers=headers, body=body)
    return await _stream(request, answer, headers)


async def _finish(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    await response.prepare(request)
    await response.write_eof()
    return response


async def _stream(
    request: web.BaseRequest, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]
) -> web.StreamResponse:
    """Pass the body on piece by piece, as it comes."""
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    await response.prepare(request)
    pieces = answer.content.iter_any().__aiter__()
    while True:
        try:
            piece = await anext(pieces)
        except StopAsyncIteration:
            break
        except (aiohttp.ClientError, OSError) as trouble:
            raise _Broken(trouble, begun=True) from trouble
        await response.write(piece)
    await response.write_eof()
    return response
