"""A real Traefik for the tests: it takes its routes from one namespace, from Traefik's own kinds or from the Gateway
API's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from tests.controlplane.api import Api
from tests.servers.process import program, proxying
from tests.servers.recipes import TRAEFIK

GROUP = "traefik.io"
MORE_KINDS = {
    "IngressRouteTCP": "ingressroutetcps",
    "IngressRouteUDP": "ingressrouteudps",
    "MiddlewareTCP": "middlewaretcps",
    "ServersTransport": "serverstransports",
    "ServersTransportTCP": "serverstransporttcps",
    "TLSOption": "tlsoptions",
    "TLSStore": "tlsstores",
}
"""Kinds that a Traefik wants to be served, whether there are any or not."""

Reads = Literal["kubernetescrd", "kubernetesgateway"]
_MORE: dict[Reads, tuple[str, ...]] = {
    "kubernetescrd": ("disableclusterscoperesources=true",),
    "kubernetesgateway": (),
}


class RealTraefik(NamedTuple):
    """`url` is where it listens for traffic; at `support` it has /metrics and /ping."""

    url: str
    support: str


@contextmanager
def running(folder: Path, kubeconfig: Path, namespace: str, reads: Reads = "kubernetescrd") -> Iterator[RealTraefik]:
    """Started, and killed at the end, even if we are killed first. `kubeconfig` has a token, of somebody who may list
    and watch what Traefik reads."""
    binary, provider = str(program(TRAEFIK)), f"--providers.{reads}"
    with Api(kubeconfig) as api:
        (folder / "authority.pem").write_bytes(api.authority)
        reading = (
            *(provider, f"{provider}.endpoint={api.server}", f"{provider}.token={api.token}"),
            *(f"{provider}.namespaces={namespace}", f"{provider}.certauthfilepath={folder}/authority.pem"),
            *(f"{provider}.{flag}" for flag in _MORE[reads]),
        )

    def command(port: int, support: int) -> tuple[str, ...]:
        return (
            *(
                binary,
                f"--entrypoints.web.address=127.0.0.1:{port}",
                *reading,
                "--providers.providersthrottleduration=0",
            ),
            *(f"--entrypoints.traefik.address=127.0.0.1:{support}", "--ping"),
            *("--metrics.prometheus", "--metrics.prometheus.buckets=0.1,1"),
            *("--global.checknewversion=false", "--global.sendanonymoususage=false"),
        )

    with proxying(command, folder, "/ping") as (url, support):
        yield RealTraefik(url, support)
