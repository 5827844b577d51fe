"""Connections to servers that somebody named: the name is looked up, its addresses are checked, and what was checked is
what is connected to. A name that has another address a moment later gains nothing by it.

Names are looked up in threads, for the system's resolver blocks, and cannot be called back. A name is looked up once
however many wait for it, so that one whose servers are silent takes one thread; not those of other work either.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, ip_address
from typing import Any

import httpcore

from interpreter.addresses import Address, Addresses, Refusal

MOST_LOOKUPS = 64
"""Names that are looked up at the same time."""
NEXT_ADDRESS_S = 3.0
"""How long an address may take to be connected to when there is another to try."""

Lookup = Callable[[str, int], list[str]]
"""The addresses of a name, best first. Blocks. Raises `OSError`."""


class AddressRefused(httpcore.ConnectError):
    """A server is where nothing is connected to. The message says where that is, why, and who may change it."""


def refused_address(host: str, address: Address, refusal: Refusal) -> AddressRefused:
    """The error of an address that is refused."""
    also = f", that is {refusal.address}" if refusal.address != address else ""
    where = f"{address}{also} is refused:" if host.strip("[]") == str(address) else f"{host} is {address}{also}, and"
    return AddressRefused(
        f"{where} nothing in {refusal.network} is connected to; whoever runs the controller can allow it, with "
        f"`--allow-addresses {refusal.address}`"
    )


def literal(host: str) -> Address | None:
    """The address that a host is, in any spelling that a resolver understands (`127.1`, `0x7f000001`, `localhost`);
    None for a name."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 §6.3
        return IPv4Address("127.0.0.1")
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def look_up(host: str, port: int) -> list[str]:
    """By the system's resolver, in the order that it would connect in (RFC 6724)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Resolver:
    """Looks names up. One for all that run on an event loop."""

    def __init__(self, lookup: Lookup = look_up, most: int = MOST_LOOKUPS) -> None:
        self._lookup = lookup
        self._places = asyncio.Semaphore(most)
        self._under_way: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str, port: int) -> list[str]:
        """Raises `OSError`."""
        key = (host, port)
        if key not in self._under_way:
            await self._places.acquire()
            if key in self._under_way:
                self._places.release()
            else:
                self._begin(key)
        return await asyncio.shield(self._under_way[key])

    def _begin(self, key: tuple[str, int]) -> None:
        """The place is given back when the resolver has ended, not when nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()
        self._under_way[key] = answer
        answer.add_done_callback(lambda done: self._end(key, done))

        def settle(found: list[str] | OSError) -> None:
            if isinstance(found, OSError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def ask() -> None:
            found: list[str] | OSError
            try:
                found = self._lookup(*key)
            except OSError as error:
                found = error
            except UnicodeError:
                found = OSError(f"{key[0][:80]} is no name of a server")
            with contextlib.suppress(RuntimeError):  # the loop has ended before the resolver did
                loop.call_soon_threadsafe(settle, found)

        threading.Thread(target=ask, name="lookup", daemon=True).start()

    def _end(self, key: tuple[str, int], answer: asyncio.Future[list[str]]) -> None:
        del self._under_way[key]
        self._places.release()
        if not answer.cancelled():
            answer.exception()  # whoever waited may have gone


class Checked(httpcore.AsyncNetworkBackend):
    """Connects to addresses that are not refused. Time limits are the caller's."""

    def __init__(self, addresses: Addresses, resolver: Resolver) -> None:
        self._addresses = addresses
        self._resolver = resolver
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """One address after the other. Raises `AddressRefused`, and httpcore's errors."""
        first, *others = await self._found(host, port)
        while others:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                made = await self._plain.connect_tcp(first, port, NEXT_ADDRESS_S, local_address, socket_options)
                return Stream(made)
            first, *others = others
        return Stream(await self._plain.connect_tcp(first, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _found(self, host: str, port: int) -> list[str]:
        """Where a host may be connected to: at least one address."""
        try:
            found = await self._resolver.addresses(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} has no address: {error.strerror or error}") from error
        if self._addresses.trusts(host, port):
            return found
        refused: AddressRefused | None = None
        fine = []
        for text in found:
            address = ip_address(text)
            refusal = self._addresses.refusing(address)
            if refusal is None:
                fine.append(text)
            else:
                refused = refused_address(host, address, refusal)
        if not fine:
            raise refused or httpcore.ConnectError(f"{host} has no address")
        return fine


class Stream(httpcore.AsyncNetworkStream):
    """A stream that is closed when its handshake does not end well: one that is given up included."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            return Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
