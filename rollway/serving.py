"""The web server of the controller: the API, links, and the pages if they are wanted.

It has a connection of its own to the API server, so that however many people look, the rollouts are not kept waiting.
Every replica serves, whether it leads or not. When the controller is told to stop, the web server stops first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from rollway.terminal import Stop

if TYPE_CHECKING:
    from interpreter.web.linking import MakeLink
    from interpreter.web.server import WebServer


class Web(NamedTuple):
    """What the command line says of it. `namespace` is the one that is looked after, None for all; `keys_namespace` is
    where the keys of links are; `audience` the one that tokens must be made for, empty for the API server's own."""

    host: str
    port: int
    dashboard: bool
    external_url: str | None
    read_only: bool
    certificate: str | None
    key: str | None
    audience: str
    namespace: str | None
    keys_namespace: str


class Served(NamedTuple):
    """The port that it listens on, and what makes links, None where there are none."""

    port: int
    make_link: MakeLink | None


def external(url: str | None) -> str | None:
    """The address by which people come, checked. Raises `Stop`."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        well = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        well = False
    if not well or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise Stop(f"`--external-url {url}` is not an address like https://rollway.example.com, with nothing behind it")
    return url.rstrip("/")


def place(said: str, option: str) -> tuple[str, int]:
    """HOST:PORT. Raises `Stop`."""
    host, _, port = said.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise Stop(f"`{option} {said}` names no port: say it as HOST:PORT")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - in a pod, everybody comes from outside


@asynccontextmanager
async def serving(web: Web, kubeconfig: str | None, context: str | None, stop: asyncio.Event) -> AsyncIterator[Served]:
    """Serve until `stop`, or the end of the block. Raises `Stop`, `OSError` for the port, and what `connect` raises."""
    from interpreter.cluster.connection import connect
    from interpreter.web.application import application
    from interpreter.web.certificate import Certificate, CertificateTrouble
    from interpreter.web.keys import LinkKeys
    from interpreter.web.linking import Linker
    from interpreter.web.people import ClusterAuthority
    from interpreter.web.server import WebServer
    from rollway.cluster.views import ClusterViews

    try:
        certificate = Certificate(web.certificate, web.key) if web.certificate and web.key else None
    except CertificateTrouble as trouble:
        raise Stop(f"`--web-tls-cert` and `--web-tls-key`: {trouble}") from trouble
    async with await connect(kubeconfig, context) as api:
        links = web.external_url is not None and not web.read_only
        keys = LinkKeys(api, web.keys_namespace) if links else None
        app = application(
            api,
            ClusterAuthority(api, audience=web.audience),
            read_only=web.read_only,
            external_url=web.external_url,
            views=ClusterViews(web.namespace),
            keys=keys,
        )
        if web.dashboard:
            from rollway.dashboard.pages import add_pages

            add_pages(app, namespace=web.namespace)
        server = WebServer(app, certificate=certificate)
        port = await server.start(web.host, web.port)
        linker = Linker(keys, web.external_url) if keys is not None and web.external_url is not None else None
        closing = asyncio.create_task(_close_at(stop, server))
        knowing = asyncio.create_task(linker.run()) if linker is not None else None
        try:
            yield Served(port, linker)
        finally:
            for chore in (knowing, None if stop.is_set() else closing):
                if chore is not None:
                    chore.cancel()
            await asyncio.gather(*filter(None, (closing, knowing)), return_exceptions=True)
            await server.aclose()


async def _close_at(stop: asyncio.Event, server: WebServer) -> None:
    await stop.wait()
    await server.aclose()
