"""Protects that a slow server holds up no other's calls, that a server which wants to be left alone is, that
connections are kept and that nothing is called which is refused, over real HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from aiohttp import web

from dsl.ir import Webhook
from interpreter import webhooks
from interpreter.addresses import ANY, Addresses, addresses
from interpreter.http_client import Clients, Manner
from interpreter.providers.http import Http
from interpreter.providers.provider import ProviderError, RenderedQuery, Trouble, guarded
from interpreter.providers.registry import Providers
from interpreter.webhooks import MOST_AT_ONE, Caller
from tests.interpreter.providers.lies import QUERIES
from tests.interpreter.providers.server import Server, says, serving
from tests.interpreter.providers.test_lies import NAMES, SECRET

LIMIT_S = 30
AT_MS = 1_795_413_067_184


class Keeping:
    """A server that keeps connections, answers when `go` is set, and counts."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.with_it = self.most = self.asked = 0
        self.connections: set[object] = set()
        self.status = 200
        self.wait = ""
        self.url = ""

    async def is_full(self) -> None:
        """Wait until it has as many calls as it is given."""
        while self.with_it < MOST_AT_ONE:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked += 1
        self.connections.add(request.transport)
        self.with_it += 1
        self.most = max(self.most, self.with_it)
        try:
            await self.go.wait()
        finally:
            self.with_it -= 1
        headers = {"Retry-After": self.wait} if self.wait else {}
        return web.Response(status=self.status, text="said", headers=headers)


@asynccontextmanager
async def keeping(*, slow: bool = False) -> AsyncIterator[Keeping]:
    made = Keeping()
    if not slow:
        made.go.set()
    runner = web.ServerRunner(web.Server(made.answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with asyncio.timeout(LIMIT_S):
            yield made
    finally:
        made.go.set()
        await runner.cleanup()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with Caller(ANY, first_delay=0.01) as made:
        yield made


async def test_connections_are_kept(caller: Caller) -> None:
    async with keeping() as server:
        for _ in range(20):
            assert (await caller.call(Webhook(server.url), {}, "k")).accepted
        assert len(server.connections) == 1


async def test_a_slow_server_has_so_many_calls_and_holds_up_no_other(caller: Caller) -> None:
    async with keeping(slow=True) as slow, keeping() as quick:
        many = [
            asyncio.create_task(caller.call(Webhook(slow.url), {}, "k", asker=f"shop/{number}"))
            for number in range(MOST_AT_ONE * 3)
        ]
        await slow.is_full()
        for _ in range(20):
            assert (await caller.call(Webhook(quick.url), {}, "k")).accepted
        assert slow.asked == slow.most == MOST_AT_ONE
        slow.go.set()
        assert all(reply.accepted for reply in await asyncio.gather(*many))
        assert slow.most == MOST_AT_ONE


async def test_to_wait_for_a_turn_takes_nothing_of_a_time_out(caller: Caller) -> None:
    async with keeping(slow=True) as server:
        hook = Webhook(server.url, timeout_ms=200)
        replies = await asyncio.gather(*(caller.call(hook, {}, "k") for _ in range(MOST_AT_ONE * 3)))
        assert {reply.detail for reply in replies} == {f"no answer from {server.url} within 0.2s"}
        assert server.asked > MOST_AT_ONE


async def test_whose_turn_does_not_come_is_told_so(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE_S", 0.1)
    async with keeping(slow=True) as server:
        many = [asyncio.create_task(caller.call(Webhook(server.url), {}, "k")) for _ in range(MOST_AT_ONE)]
        await server.is_full()
        reply = await caller.call(Webhook(server.url), {}, "k")
        assert reply.detail == f"{server.url} has had other calls before this one for 0.1s"
        server.go.set()
        await asyncio.gather(*many)


async def test_one_rollout_does_not_take_all_turns(caller: Caller) -> None:
    """Of two that wait, the one with a single call is not behind all calls of the other."""
    order: list[str] = []

    async def one(asker: str) -> None:
        await caller.call(Webhook(server.url), {}, "k", asker=asker)
        order.append(asker)

    async with keeping(slow=True) as server:
        tasks = [asyncio.create_task(one("greedy")) for _ in range(MOST_AT_ONE * 4)]
        await asyncio.sleep(0.01)
        tasks.append(asyncio.create_task(one("modest")))
        await server.is_full()
        server.go.set()
        await asyncio.gather(*tasks)
        assert order.index("modest") < MOST_AT_ONE * 3


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_names_a_moment_is_not_asked_before_it(caller: Caller, status: int) -> None:
    async with keeping() as server:
        server.status, server.wait = status, "1"
        hook = Webhook(server.url, retries=1)
        began = time.monotonic()
        reply = await caller.call(hook, {}, "k")
        assert (reply.tries, reply.detail) == (2, f"it answered {status}: said")
        server.status, server.wait = 200, ""
        assert (await caller.call(Webhook(server.url), {}, "another rollout's")).accepted
        assert time.monotonic() - began >= 2


@pytest.mark.parametrize("wait", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT", "1e8"])
async def test_who_wants_to_be_left_alone_for_long_is_not_waited_for(caller: Caller, wait: str) -> None:
    async with keeping() as server:
        server.status, server.wait = 429, wait
        reply = await caller.call(Webhook(server.url, retries=5), {}, "k")
        assert reply.tries == server.asked == 1
        assert "it wants to be left alone for " in reply.detail


@pytest.mark.parametrize("wait", ["nan", "-5", "soon", "Mon, 99 Foo 2026 99:99:99 GMT"])
async def test_a_moment_that_is_none_is_no_reason_to_wait(caller: Caller, wait: str) -> None:
    async with keeping() as server:
        server.status, server.wait = 503, wait
        reply = await caller.call(Webhook(server.url, retries=1), {}, "k")
        assert reply.tries == server.asked == 2


async def test_a_connection_that_the_server_gave_up_meanwhile_costs_no_try() -> None:
    """It closes what it has kept as the next call comes in: nobody could have known."""
    connections = ended = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, ended
        connections += 1
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")
        writer.close()
        ended += 1

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(LIMIT_S):
        async with Caller(ANY) as caller:
            for number in range(1, 4):
                reply = await caller.call(Webhook(url), {}, "k")
                assert (reply.accepted, reply.tries, connections) == (True, 1, number)
        while ended < connections:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
    listening.close()


# --- refused addresses ------------------------------------------------------------------------------------------------


async def test_this_machine_is_not_called_unless_it_is_allowed() -> None:
    async with serving() as server:
        server.answers = [says(200, "fine")]
        name = server.url.replace("127.0.0.1", "localhost")
        mapped = server.url.replace("127.0.0.1", "[::ffff:127.0.0.1]")
        async with Caller(Addresses(), first_delay=0.01) as caller:
            for url in (server.url, name, mapped, server.url.replace("127.0.0.1", "2130706433")):
                reply = await caller.call(Webhook(f"{url}/hook", retries=3), {}, "k")
                assert not reply.accepted
                assert reply.tries == 1
                assert f"{url}/hook is not called: " in reply.detail
                assert "whoever runs the controller can allow it, with `--allow-addresses " in reply.detail
        assert server.asked == []
        async with Caller(addresses(allow="127.0.0.0/8"), first_delay=0.01) as caller:
            assert (await caller.call(Webhook(name), {}, "k")).accepted


async def test_a_redirect_to_what_is_refused_is_not_followed() -> None:
    async with serving() as server:
        server.answers = [says(302, "", "Location: http://169.254.169.254/latest/meta-data?token=secret")]
        async with Caller(addresses(allow="127.0.0.0/8")) as caller:
            reply = await caller.call(Webhook(server.url), {}, "k")
        to = "http://169.254.169.254/latest/meta-data?token=***"
        assert reply.detail == f"it answered 302: it points to {to}, and is not followed there"


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    made = Providers(http=Http(Clients(Addresses())))
    yield made
    await made.close()


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"stackdriver"}))
async def test_every_metric_provider_is_held_to_it(providers: Providers, name: str) -> None:
    """A server is as much a user's word as a webhook is."""
    async with serving() as server:
        server.answers = [says(200, "{}")]
        query = RenderedQuery(QUERIES.get(name, "up"), AT_MS, 60_000, server.url, secret=SECRET)
        with pytest.raises(ProviderError) as caught:
            await guarded(providers[name], query, timeout=10)
        assert caught.value.trouble is Trouble.BAD_QUERY
        assert "nothing in 127.0.0.0/8 is connected to" in str(caught.value)
        assert server.asked == []


# --- proxies ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch  # type: ignore[return-value]


async def test_the_operators_proxy_may_be_anywhere_and_is_asked_for_no_address_that_is_refused(
    environment: pytest.MonkeyPatch,
) -> None:
    async with AsyncExitStack() as stack:
        proxy: Server = await stack.enter_async_context(serving())
        proxy.answers = [says(200, "by the proxy")]
        environment.setenv("http_proxy", proxy.url)
        caller = await stack.enter_async_context(Caller(Addresses()))
        assert (await caller.call(Webhook("http://web.shop/hook"), {}, "k")).detail == "by the proxy"
        assert proxy.asked[0][0] == "POST http://web.shop/hook HTTP/1.1"
        for host in ("169.254.169.254", "0xa9fea9fe", "[::ffff:169.254.169.254]", "a.localhost"):
            reply = await caller.call(Webhook(f"http://{host}/hook"), {}, "k")
            assert "is not called: " in reply.detail
        assert len(proxy.asked) == 1


async def test_a_users_proxy_is_where_a_server_may_be(environment: pytest.MonkeyPatch) -> None:
    async with serving() as proxy:
        proxy.answers = [says(200, "by the proxy")]
        for reach, fine in ((Addresses(), False), (addresses(allow="127.0.0.1/32"), True)):
            clients = Clients(reach)
            try:
                async with clients.client(Manner(proxy=proxy.url)) as client:
                    if fine:
                        assert (await client.post("http://web.shop/")).text == "by the proxy"
                        continue
                    with pytest.raises(Exception, match=r"nothing in 127\.0\.0\.0/8 is connected to"):
                        await client.post("http://web.shop/")
            finally:
                await clients.close()
        with pytest.raises(ValueError, match="begins with http"):
            async with Clients(ANY).client(Manner(proxy="socks5://proxy:1")):
                pass
