"""How the interpreter speaks HTTP to servers that it does not know: webhooks, metric servers, channels."""

from __future__ import annotations

import ssl
from functools import cache

import httpx

_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")


def http_client(*, verify: bool, tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client without time limits of its own (its user has one for the whole), that asks no proxy for this machine.
    `tls` secures its connections if given, else what `verify` says."""
    tls = tls or _tls(verify=verify)
    direct = httpx.AsyncHTTPTransport(verify=tls)
    mounts: dict[str, httpx.AsyncBaseTransport | None] = dict.fromkeys(_LOOPBACK, direct)
    return httpx.AsyncClient(verify=tls, timeout=None, follow_redirects=False, mounts=mounts)  # noqa: S113


@cache
def _tls(*, verify: bool) -> ssl.SSLContext:
    """Made once: to read the list of authorities takes longer than a call."""
    return httpx.create_ssl_context(verify=verify)
