"""A real Skipper for the tests: it takes its routes from the RouteGroups and Ingresses of one namespace.

KWOK's pods listen nowhere, so whoever wants traffic through it gives a RouteGroup backends of type `network`; what it
makes of Services is seen in `routes`. It looks for new routes ten times a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.controlplane.api import Api
from tests.servers.process import proxying

PATIENCE_S = 60.0


class RealSkipper:
    """`url` is where it listens for traffic; at `support` it has /routes and /metrics."""

    def __init__(self, url: str, support: str) -> None:
        self.url = url
        self.support = support

    def routes(self) -> str:
        """What it routes by now, in its own language (eskip)."""
        with httpx.Client(trust_env=False, timeout=10) as client:
            return client.get(f"{self.support}/routes").raise_for_status().text

    def until(self, holds: Callable[[str], object]) -> str:
        """The routes, once `holds` is true of them. Raises AssertionError."""
        limit = time.monotonic() + PATIENCE_S
        while not holds(routes := self.routes()):
            assert time.monotonic() < limit, f"Skipper's routes did not come to be so; they are:\n{routes}"
            time.sleep(0.05)
        return routes


@contextmanager
def running(program: Path, folder: Path, kubeconfig: Path, namespace: str, *flags: str) -> Iterator[RealSkipper]:
    """Started, with its first routes loaded, and killed at the end, even if we are killed first. Flags given here win.

    `kubeconfig` has a token, of somebody who may list RouteGroups, Ingresses, Services, EndpointSlices and Secrets.
    """
    with Api(kubeconfig) as api:
        (folder / "token").write_text(api.token)
        (folder / "authority.pem").write_bytes(api.authority)

    def command(port: int, support: int) -> tuple[str, ...]:
        return (
            *(str(program), f"-address=127.0.0.1:{port}", f"-support-listener=127.0.0.1:{support}"),
            *("-kubernetes", f"-kubernetes-url={api.server}", f"-kubernetes-token-file={folder}/token"),
            *(f"-kubernetes-namespace={namespace}", "-enable-kubernetes-endpointslices"),
            *("-kubernetes-https-redirect=false", "-wait-first-route-load", "-source-poll-timeout=100"),
            *flags,
        )

    with proxying(command, folder, "/routes", {"SSL_CERT_FILE": str(folder / "authority.pem")}) as (url, support):
        yield RealSkipper(url, support)
