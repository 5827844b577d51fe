"""Protects that what was checked is what is connected to, and that a resolver that is silent holds nobody else up. The
look-up of names is the test's own, for a test cannot have a server of names; what it finds is connected to for real."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpcore
import pytest

from interpreter.addresses import ANY, Addresses, addresses
from interpreter.connecting import MOST_LOOKUPS, AddressRefused, Checked, Resolver
from tests.interpreter.providers.server import serving

LIMIT_S = 30
HERE = addresses(allow="127.0.0.1/32")


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


class Names:
    """A resolver whose answers change from one question to the next; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def connect(names: Names, reach: Addresses, port: int, host: str = "web.test") -> str:
    """Where it was connected to."""
    stream = await Checked(reach, Resolver(names)).connect_tcp(host, port)
    address = stream.get_extra_info("server_addr")
    await stream.aclose()
    return str(address[0])


async def test_a_name_that_changes_its_address_gains_nothing() -> None:
    """The name is looked up once, and what was found is what is connected to: there is no second answer to be had."""
    async with serving() as server:
        names = Names(["127.0.0.1"], ["169.254.169.254"])
        assert await connect(names, HERE, port_of(server.url)) == "127.0.0.1"
        assert names.asked == ["web.test"]
        with pytest.raises(AddressRefused):
            await connect(names, HERE, port_of(server.url))


async def test_the_refused_addresses_of_a_name_are_passed_over() -> None:
    """Though somebody is there."""
    async with serving() as server:
        there = await asyncio.start_server(server.handle, "127.0.0.2", port_of(server.url))
        assert await connect(Names(["127.0.0.2", "127.0.0.1"]), ANY, port_of(server.url)) == "127.0.0.2"
        assert await connect(Names(["127.0.0.2", "127.0.0.1"]), HERE, port_of(server.url)) == "127.0.0.1"
        there.close()


async def test_a_refusal_says_where_why_and_who_can_change_it() -> None:
    with pytest.raises(AddressRefused) as caught:
        await connect(Names(["::ffff:169.254.169.254"]), HERE, 80)
    assert str(caught.value) == (
        "web.test is ::ffff:a9fe:a9fe, that is 169.254.169.254, and nothing in 169.254.0.0/16 is connected to; whoever "
        "runs the controller can allow it, with `--allow-addresses 169.254.169.254`"
    )
    with pytest.raises(AddressRefused) as caught:
        await connect(Names(["127.0.0.1"]), Addresses(), 80, "127.0.0.1")
    assert str(caught.value).startswith("127.0.0.1 is refused: nothing in 127.0.0.0/8 is connected to; whoever")


async def test_what_the_operator_names_may_be_anywhere() -> None:
    async with serving() as server:
        port = port_of(server.url)
        trusting = addresses(trusted=[("prometheus", port)])
        assert await connect(Names(["127.0.0.1"]), trusting, port, "prometheus") == "127.0.0.1"


async def test_another_address_is_tried_where_one_is_not_there() -> None:
    async with serving() as server:
        assert await connect(Names(["127.0.0.2", "127.0.0.1"]), ANY, port_of(server.url)) == "127.0.0.1"
        with pytest.raises(httpcore.ConnectError):
            await connect(Names(["127.0.0.2", "127.0.0.3"]), ANY, port_of(server.url))


async def test_a_name_that_has_no_address_is_named() -> None:
    def none(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(httpcore.ConnectError, match=r"nowhere\.test has no address: Name or service not known"):
        await Checked(ANY, Resolver(none)).connect_tcp("nowhere.test", 80)


class Silent:
    """A resolver that is silent about some names until the test ends."""

    def __init__(self) -> None:
        self.end = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host.startswith("silent"):
            self.end.wait(LIMIT_S)
        return ["127.0.0.1"]


@pytest.fixture
def silent() -> Iterator[Silent]:
    made = Silent()
    yield made
    made.end.set()


async def test_a_silent_resolver_holds_up_only_who_asks_for_that_name(silent: Silent) -> None:
    resolver = Resolver(silent)
    async with asyncio.timeout(LIMIT_S):
        for _ in range(MOST_LOOKUPS * 2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await resolver.addresses("silent.test", 80)
        assert silent.asked == ["silent.test"]
        assert await resolver.addresses("web.test", 80) == ["127.0.0.1"]
        assert await asyncio.to_thread(lambda: "free") == "free"


async def test_no_more_names_are_looked_up_than_there_are_places(silent: Silent) -> None:
    """Though whoever asked has given up: the threads of the resolver cannot be."""
    resolver = Resolver(silent, most=2)
    async with asyncio.timeout(LIMIT_S):
        for number in range(5):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await resolver.addresses(f"silent-{number}.test", 80)
        assert len(silent.asked) == 2
        silent.end.set()
        assert await resolver.addresses("web.test", 80) == ["127.0.0.1"]


async def test_a_handshake_that_is_given_up_leaves_no_connection() -> None:
    gone = asyncio.Event()

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        gone.set()
        writer.close()

    listening = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    gc.disable()  # what is left open must not be closed by chance
    try:
        async with asyncio.timeout(LIMIT_S):
            stream = await Checked(ANY, Resolver()).connect_tcp("127.0.0.1", port)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await stream.start_tls(ssl.create_default_context(), "127.0.0.1")
            await gone.wait()
    finally:
        gc.enable()
        listening.close()
