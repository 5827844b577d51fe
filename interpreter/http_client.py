"""How the interpreter speaks HTTP to servers that it does not know: webhooks, metric servers, channels.

Connections are kept for reuse. One on which a server has said more than it was asked is not used again: what it said
would be taken for the answer to the next question. httpcore notices what comes in later, on a connection at rest, and
not what came in together with the answer; that is looked for here.

httpcore asks a library, sniffio, which kind of event loop there is, at each of its locks, and does without where it is
not installed. That it is not is found out once here: Python would look through its whole path a dozen times a request.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import httpx

if "sniffio" not in sys.modules and find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # to Python: there is no such module

_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")


def http_client(*, verify: bool, tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client without time limits of its own (its user has one for the whole), that asks no proxy for this machine.
    `tls` secures its connections if given, else what `verify` says."""
    tls = tls or _tls(verify=verify)
    direct = httpx.AsyncHTTPTransport(verify=tls)
    mounts: dict[str, httpx.AsyncBaseTransport | None] = dict.fromkeys(_LOOPBACK, direct)
    client = httpx.AsyncClient(verify=tls, timeout=None, follow_redirects=False, mounts=mounts)  # noqa: S113
    for transport in {client._transport, *client._mounts.values()}:
        if isinstance(transport, httpx.AsyncHTTPTransport):
            pool: Any = transport._pool
            pool.create_connection = _looked_at(pool.create_connection)
    return client


@cache
def _tls(*, verify: bool) -> ssl.SSLContext:
    """Made once: to read the list of authorities takes longer than a call."""
    return httpx.create_ssl_context(verify=verify)


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
