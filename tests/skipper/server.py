"""A real Skipper for the tests: it takes its routes from the RouteGroups and Ingresses of one namespace.

KWOK's pods listen nowhere, so whoever wants traffic through it gives a RouteGroup backends of type `network`; what it
makes of Services is seen in `routes`. It looks for new routes ten times a second.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from interpreter.local.keeper import Keeper, die_with_parent
from interpreter.local.processes import free_port, tail
from tests.controlplane.api import Api
from tests.goprograms import UnavailableError
from tests.skipper.fetch import find

PATIENCE_S = 60.0
MOST_STARTS = 3


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


def binary(environment: Mapping[str, str] = os.environ) -> Path:
    """The program. Where there is none the test fails in CI, and is left out elsewhere."""
    try:
        return find(may_build=False, environment=environment)
    except UnavailableError as error:
        missing = pytest.fail if environment.get("CI") else pytest.skip
        missing(f"no Skipper for the tests: {error}")


@contextmanager
def running(program: Path, folder: Path, kubeconfig: Path, namespace: str, *flags: str) -> Iterator[RealSkipper]:
    """Started, with its first routes loaded, and killed at the end, even if we are killed first. Flags given here win.

    `kubeconfig` has a token, of somebody who may list RouteGroups, Ingresses, Services, EndpointSlices and Secrets.
    """
    with Api(kubeconfig) as api:
        (folder / "token").write_text(api.token)
        (folder / "authority.pem").write_bytes(api.authority)
    for _ in range(MOST_STARTS):
        port, support = free_port(), free_port()
        made = RealSkipper(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{support}")
        with ExitStack() as stack:
            command = (
                *(str(program), f"-address=127.0.0.1:{port}", f"-support-listener=127.0.0.1:{support}"),
                *("-kubernetes", f"-kubernetes-url={api.server}", f"-kubernetes-token-file={folder}/token"),
                *(f"-kubernetes-namespace={namespace}", "-enable-kubernetes-endpointslices"),
                *("-kubernetes-https-redirect=false", "-wait-first-route-load", "-source-poll-timeout=100"),
                *flags,
            )
            if _is_ready(made, stack.enter_context(_process(command, folder))):
                yield made
                return
    pytest.fail(f"{program} does not start: {' | '.join(tail(folder / 'skipper.log', 5))}")


@contextmanager
def _process(command: tuple[str, ...], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    keeper = Keeper()
    try:
        with (folder / "skipper.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={"PATH": os.defpath, "SSL_CERT_FILE": str(folder / "authority.pem")},
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - it does nothing but a system call
            )
        keeper.started(process.pid)
        try:
            yield process
        finally:
            keeper.close()
            process.wait()
    except OSError as error:
        pytest.fail(f"{command[0]} cannot be started: {error}")


def _is_ready(skipper: RealSkipper, process: subprocess.Popen[bytes]) -> bool:
    """Wait for it; False if it has ended instead, as it does when somebody else has taken the port."""
    limit = time.monotonic() + PATIENCE_S
    with httpx.Client(trust_env=False, timeout=5) as client:
        while process.poll() is None and time.monotonic() < limit:
            try:
                skipper.routes()
                client.get(skipper.url)
                return True
            except httpx.HTTPError:
                time.sleep(0.05)
    return False
