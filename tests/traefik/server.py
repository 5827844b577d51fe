"""A real Traefik for the tests: it takes its routes from the IngressRoutes and TraefikServices of one namespace."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from interpreter.local.keeper import Keeper, die_with_parent
from interpreter.local.processes import free_port, tail
from tests.controlplane.api import Api
from tests.goprograms import UnavailableError
from tests.traefik.fetch import find

PATIENCE_S = 60.0
MOST_STARTS = 3
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


class RealTraefik(NamedTuple):
    """`url` is where it listens for traffic; at `support` it has /metrics and /ping."""

    url: str
    support: str


def binary(environment: Mapping[str, str] = os.environ) -> Path:
    """The program. Where there is none the test is left out: to build one takes longer than CI may."""
    try:
        return find(may_build=False, environment=environment)
    except UnavailableError as error:
        pytest.skip(f"no Traefik for the tests: {error}")


@contextmanager
def running(program: Path, folder: Path, kubeconfig: Path, namespace: str) -> Iterator[RealTraefik]:
    """Started, and killed at the end, even if we are killed first. `kubeconfig` has a token, of somebody who may list
    and watch what Traefik reads. A Service may name a host outside the cluster."""
    with Api(kubeconfig) as api:
        (folder / "authority.pem").write_bytes(api.authority)
        crd = "--providers.kubernetescrd"
        reading = (
            *(crd, f"{crd}.endpoint={api.server}", f"{crd}.token={api.token}", f"{crd}.namespaces={namespace}"),
            *(f"{crd}.certauthfilepath={folder}/authority.pem", f"{crd}.disableclusterscoperesources=true"),
            *(f"{crd}.allowexternalnameservices=true", "--providers.providersthrottleduration=50ms"),
        )
    for _ in range(MOST_STARTS):
        port, support = free_port(), free_port()
        made = RealTraefik(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{support}")
        command = (
            *(str(program), f"--entrypoints.web.address=127.0.0.1:{port}", *reading, "--ping", "--metrics.prometheus"),
            *(f"--entrypoints.traefik.address=127.0.0.1:{support}", "--metrics.prometheus.buckets=0.1,1"),
            *("--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=ERROR"),
        )
        with ExitStack() as stack:
            if _is_ready(made, stack.enter_context(_process(command, folder))):
                yield made
                return
    pytest.fail(f"{program} does not start: {' | '.join(tail(folder / 'traefik.log', 5))}")


@contextmanager
def _process(command: tuple[str, ...], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    keeper = Keeper()
    with (folder / "traefik.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={"PATH": os.defpath},
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - it does nothing but a system call
        )
    keeper.started(process.pid)
    try:
        yield process
    finally:
        keeper.close()
        process.wait()


def _is_ready(traefik: RealTraefik, process: subprocess.Popen[bytes]) -> bool:
    """Wait for it; False if it has ended instead, as it does when somebody else has taken the port."""
    limit = time.monotonic() + PATIENCE_S
    with httpx.Client(trust_env=False, timeout=5) as client:
        while process.poll() is None and time.monotonic() < limit:
            try:
                client.get(f"{traefik.support}/ping").raise_for_status()
                client.get(traefik.url)
                return True
            except httpx.HTTPError:
                time.sleep(0.05)
    return False
