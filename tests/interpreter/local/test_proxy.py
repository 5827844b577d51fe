"""The proxy passes on what it is given, whole and unchanged; what goes wrong behind it is the error of the arm that was
asked, and of nobody else; a request under way survives any change of the routing."""

from __future__ import annotations

import asyncio
import gzip
import io

import aiohttp
import pytest
from aiohttp import web

from dsl.ir import StickySpec
from interpreter.desired import Routing
from interpreter.local.processes import free_port
from tests.interpreter.local.conftest import Stand


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    body = await request.read() if request.content_length is None or request.content_length < 900_000 else b"long"
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "headers": {key.lower(): value for key, value in request.headers.items()},
            "body": body.decode("latin1"),
        }
    )


async def hello(request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="hello")


async def test_method_path_query_headers_and_body_arrive_as_they_were_sent(stand: Stand) -> None:
    await stand.service("primary", echo)
    sent = {"X-Thing": "a, b", "Connection": "keep-alive, X-Private", "X-Private": "1", "Content-Type": "text/x"}
    async with stand.client.put(f"{stand.url}/a%2Fb/c?x=1&y=%20", data=b"\x00\xff!", headers=sent) as answer:
        seen = await answer.json()
    assert (seen["method"], seen["path"], seen["body"]) == ("PUT", "/a%2Fb/c?x=1&y=%20", "\x00\xff!")
    assert (seen["headers"]["x-thing"], seen["headers"]["content-type"]) == ("a, b", "text/x")
    assert seen["headers"]["host"] == stand.url.removeprefix("http://")
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert "x-private" not in seen["headers"]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("//elsewhere.test/x", "//elsewhere.test/x"),
        ("http://elsewhere.test/a?b=1", "/a?b=1"),
        ("/a/../b?q=[1]&r=%5B", "/a/../b?q=[1]&r=%5B"),
    ],
)
async def test_a_path_stays_a_path_whatever_it_looks_like(stand: Stand, target: str, path: str) -> None:
    async def telling(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.raw_path)

    await stand.service("primary", telling)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(stand.url.rpartition(":")[2]))
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 200")
    assert answer.rpartition("\r\n\r\n")[2] == path


async def test_status_headers_and_compressed_body_come_back_as_they_were_given(stand: Stand) -> None:
    packed = gzip.compress(b"text " * 1000)

    async def answering(request: web.BaseRequest) -> web.StreamResponse:
        response = web.Response(status=418, body=packed, headers={"Content-Encoding": "gzip", "X-A": "1"})
        response.headers.add("Set-Cookie", "a=1")
        response.headers.add("Set-Cookie", "b=2")
        return response

    await stand.service("primary", answering)
    async with stand.client.get(stand.url) as answer:
        assert (answer.status, answer.headers["X-A"], await answer.read()) == (418, "1", packed)
        assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert stand.counts("primary") == {418: 1}


async def test_redirects_and_answers_without_a_body_are_passed_on(stand: Stand) -> None:
    async def answering(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        if request.method == "HEAD":
            return web.Response(headers={"Content-Length": "12345"})
        return web.Response(status=204)

    await stand.service("primary", answering)
    async with stand.client.get(f"{stand.url}/moved", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/elsewhere")
    async with stand.client.head(stand.url) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, "12345")
    async with stand.client.delete(stand.url) as answer:
        assert (answer.status, await answer.read()) == (204, b"")


async def test_a_long_body_is_streamed_both_ways(stand: Stand) -> None:
    size = 3_000_000

    async def doubling(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in request.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response

    await stand.service("primary", doubling)
    async with stand.client.post(stand.url, data=io.BytesIO(b"x" * size)) as answer:
        assert len(await answer.read()) == size
    assert stand.counts("primary") == {200: 1}


async def test_a_stream_arrives_piece_by_piece(stand: Stand) -> None:
    more = asyncio.Event()

    async def ticking(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await more.wait()
        await response.write(b"data: 2\n\n")
        await response.write_eof()
        return response

    await stand.service("primary", ticking)
    async with stand.client.get(stand.url) as answer:
        assert await answer.content.readany() == b"data: 1\n\n"
        more.set()
        assert await answer.content.read() == b"data: 2\n\n"


async def test_weights_hold_over_real_requests(stand: Stand) -> None:
    await stand.service("primary", hello)
    await stand.service("canary", hello)
    stand.proxy.route(Routing(weight=20.0))
    for _ in range(100):
        async with stand.client.get(stand.url) as answer:
            await answer.read()
    assert abs(stand.counts("canary")[200] - 20) <= 1
    assert stand.counts("primary")[200] + stand.counts("canary")[200] == 100


async def test_a_process_that_is_gone_is_an_error_of_its_own_arm(stand: Stand) -> None:
    await stand.service("primary", hello)
    stand.at("canary", free_port())
    stand.proxy.route(Routing(weight=50.0))
    statuses = []
    for _ in range(10):
        async with stand.client.get(stand.url) as answer:
            statuses.append(answer.status)
    assert set(statuses) == {200, 502}
    assert stand.counts("primary") == {200: statuses.count(200)}
    assert stand.counts("canary") == {502: statuses.count(502)}


async def test_a_process_that_breaks_off_is_an_error_of_its_own_arm(stand: Stand) -> None:
    async def breaking(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"} if request.path == "/short" else {})
        await response.prepare(request)
        await response.write(b"part")
        assert request.transport is not None
        request.transport.abort()
        return response

    await stand.service("primary", breaking)
    async with stand.client.get(f"{stand.url}/short") as answer:
        assert answer.status == 502
    with pytest.raises(aiohttp.ClientPayloadError):
        async with stand.client.get(f"{stand.url}/stream") as answer:
            await answer.read()
    assert stand.counts("primary") == {502: 2}


async def test_without_a_ready_process_the_answer_says_so(stand: Stand) -> None:
    stand.upstreams.put("primary", "v1", ())
    async with stand.client.get(stand.url) as answer:
        assert (answer.status, await answer.text()) == (503, "no process of the primary is ready\n")
    assert stand.counts("primary") == {503: 1}


async def test_a_client_that_leaves_is_nobodys_error(stand: Stand) -> None:
    reached, leave = asyncio.Event(), asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        reached.set()
        await leave.wait()
        return web.Response(text="late")

    endpoint = await stand.service("primary", slow)
    request = asyncio.create_task(stand.client.get(stand.url))
    await reached.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    leave.set()
    await endpoint.drained(5)
    assert stand.metering.served().failed == 0


async def test_a_request_under_way_survives_a_change_of_the_routing(stand: Stand) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        reached.set()
        await go_on.wait()
        return web.Response(text="from the canary")

    await stand.service("primary", hello)
    canary = await stand.service("canary", slow)
    stand.proxy.route(Routing(weight=100.0))
    request = asyncio.create_task(stand.client.get(stand.url))
    await reached.wait()
    stand.proxy.route(Routing())
    assert not await canary.drained(0.05)
    stand.upstreams.put("canary", None, ())
    go_on.set()
    async with await request as answer:
        assert await answer.text() == "from the canary"
    assert await canary.drained(5)


async def test_a_client_is_bound_by_cookie_to_the_canary_that_answered_it(stand: Stand) -> None:
    await stand.service("primary", hello)
    await stand.service("canary", hello)
    stand.proxy.route(Routing(weight=100.0, sticky=StickySpec("who", 60_000)))
    async with stand.client.get(stand.url) as answer:
        assert answer.headers["Set-Cookie"].startswith("who=canary-revision; ")
    stand.proxy.route(Routing(weight=1.0, sticky=StickySpec("who", 60_000)))
    for _ in range(20):
        async with stand.client.get(stand.url, headers={"Cookie": "who=canary-revision"}) as answer:
            await answer.read()
    assert stand.counts("canary") == {200: 21}


async def test_mirrored_requests_reach_the_canary_and_its_failures_reach_nobody(stand: Stand) -> None:
    seen: list[bytes] = []

    async def failing(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(await request.read())
        return web.Response(status=500)

    await stand.service("primary", hello)
    canary = await stand.service("canary", failing)
    stand.proxy.route(Routing(mirror=50.0))
    for number in range(20):
        async with stand.client.post(stand.url, data=b"body %d" % number) as answer:
            assert (answer.status, await answer.text()) == (200, "hello")
    for _ in range(200):
        if stand.metering.mirrored == 10:
            break
        await asyncio.sleep(0.01)
    await canary.drained(5)
    assert (len(seen), stand.counts("canary"), stand.metering.served()) == (10, {500: 10}, (20, 0))


async def test_a_canary_that_hangs_does_not_hold_mirrored_requests_up(stand: Stand) -> None:
    async def hanging(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.Response()

    await stand.service("primary", hello)
    await stand.service("canary", hanging)
    stand.proxy.route(Routing(mirror=100.0))
    for _ in range(80):
        async with stand.client.get(stand.url) as answer:
            assert answer.status == 200
    assert stand.metering.mirror_dropped == 16
