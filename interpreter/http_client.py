"""How the interpreter speaks HTTP to servers that it does not know: webhooks, metric servers, channels.

Connections are kept for reuse, together with those that are secured alike. One on which a server has said more than it
was asked is not used again: what it said would be taken for the answer to the next question. httpcore notices what
comes in later, on a connection at rest, and not what came in together with the answer; that is looked for here.

What is connected to is checked (`connecting.py`). A proxy connects for us, and looks the names up itself: the
environment's proxies are the operator's own and are not checked, one that a user names is, and what is asked of either
is refused where the URL names an address that would be. What a name means to a proxy only the proxy knows.

httpcore asks a library, sniffio, which kind of event loop there is, at each of its locks, and does without where it is
not installed. That it is not is found out once here: Python would look through its whole path a dozen times a request.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import httpcore
import httpx

from interpreter.addresses import Addresses
from interpreter.connecting import AddressRefused, Checked, Resolver, literal, refused_address
from interpreter.tls import USUAL, Material, context

if "sniffio" not in sys.modules and find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # to Python: there is no such module

_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")
_PORTS = {"http": 80, "https": 443}
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=128, keepalive_expiry=30.0)
"""How many there are at a time is not for a queue to say in which a slow server's requests stand before others'."""
MOST_CLIENTS = 32
IDLE_S = 300.0


class Manner(NamedTuple):
    """How servers are spoken to; what is spoken to alike shares connections. `proxy` is a user's own, by its URL."""

    tls: Material = USUAL
    proxy: str = ""


class Clients:
    """Clients by manner. Of `MOST_CLIENTS` the one that was not used for longest is let go, and whatever was not used
    for `IDLE_S` seconds: certificates rotate. None is closed while it is used."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        resolver: Resolver | None = None,
        idle: float = IDLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses = addresses
        self._resolver = Resolver() if resolver is None else resolver
        self._idle = idle
        self._clock = clock
        self._kept: dict[Manner, _Kept] = {}

    @property
    def kept(self) -> int:
        """How many there are."""
        return len(self._kept)

    @asynccontextmanager
    async def client(self, manner: Manner = Manner()) -> AsyncIterator[httpx.AsyncClient]:  # noqa: B008 - immutable
        """A client without time limits of its own: its user has one for the whole. Raises `TlsProblem`, and ValueError
        for a proxy whose URL is none."""
        kept = self._kept.pop(manner, None) or _Kept(http_client(self._addresses, manner, self._resolver))
        self._kept[manner] = kept
        kept.users += 1
        try:
            await self._let_go()
            yield kept.client
        finally:
            kept.users -= 1
            kept.used_at = self._clock()

    async def close(self) -> None:
        """Let go of connections."""
        kept, self._kept = self._kept, {}
        for each in kept.values():
            await each.client.aclose()

    async def _let_go(self) -> None:
        free = [manner for manner, kept in self._kept.items() if not kept.users]
        now = self._clock()
        many = len(self._kept) - MOST_CLIENTS
        ended = [
            self._kept.pop(manner)
            for number, manner in enumerate(free)
            if number < many or now - self._kept[manner].used_at > self._idle
        ]
        for each in ended:
            await each.client.aclose()


class _Kept:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.users = 0
        self.used_at = 0.0


def http_client(addresses: Addresses, manner: Manner, resolver: Resolver) -> httpx.AsyncClient:
    """A client that follows no redirects, and asks no proxy for this machine. Raises `TlsProblem`, and ValueError for a
    proxy whose URL is none."""
    tls = context(manner.tls)
    checked = Checked(addresses, resolver)
    direct = httpx.AsyncHTTPTransport(verify=tls, limits=_LIMITS)
    mounts: dict[str, httpx.AsyncBaseTransport | None] = dict.fromkeys(_LOOPBACK, direct)
    client = httpx.AsyncClient(
        verify=tls,
        timeout=None,  # noqa: S113
        limits=_LIMITS,
        follow_redirects=False,
        mounts=mounts,
        proxy=_proxy(manner.proxy),
        trust_env=not manner.proxy,
    )
    proxied = False
    for transport in {client._transport, *client._mounts.values()}:
        if isinstance(transport, httpx.AsyncHTTPTransport):
            pool: Any = transport._pool
            is_proxy = isinstance(pool, httpcore.AsyncHTTPProxy | httpcore.AsyncSOCKSProxy)
            proxied = proxied or is_proxy
            if manner.proxy or not is_proxy:
                pool._network_backend = checked
            pool.create_connection = _looked_at(pool.create_connection)
    if proxied:
        client.event_hooks["request"].append(_refusing(addresses))
    return client


def _proxy(url: str) -> httpx.Proxy | None:
    """A proxy is not shown the certificate that is meant for the server."""
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise ValueError("a proxy's address begins with http:// or https://")
    return httpx.Proxy(url, ssl_context=context(USUAL) if url.startswith("https:") else None)


def refused(error: BaseException) -> AddressRefused | None:
    """Whether an error is one of an address that is not connected to."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, AddressRefused):
        cause = cause.__cause__ or cause.__context__
    return cause


def _refusing(addresses: Addresses) -> Callable[[httpx.Request], Awaitable[None]]:
    """What looks at a request before a proxy gets it."""

    async def look(request: httpx.Request) -> None:
        host = request.url.raw_host.decode("ascii")
        address = literal(host)
        port = request.url.port or _PORTS.get(request.url.scheme, 0)
        if address is None or addresses.trusts(host, port):
            return
        refusal = addresses.refusing(address)
        if refusal is not None:
            error = refused_address(host, address, refusal)
            raise httpx.ConnectError(str(error), request=request) from error

    return look


def _looked_at(make: Callable[..., Any]) -> Callable[..., Any]:
    """Connections that count as run out when something is left on them. The pool asks that before each use."""

    def made(*origin: Any) -> Any:
        connection = make(*origin)
        run_out = connection.has_expired
        connection.has_expired = lambda: run_out() or _has_more(connection)
        return connection

    return made


def _has_more(connection: Any) -> bool:
    """Is there something that came in with the last answer, and is no part of it? Proxies' connections hold another."""
    while (inner := getattr(connection, "_connection", None)) is not None:
        connection = inner
    state = getattr(connection, "_h11_state", None)
    return state is not None and connection.is_idle() and bool(state.trailing_data[0])
