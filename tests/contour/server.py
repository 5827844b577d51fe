"""A real Contour for the tests, with the Envoy that it leads: it takes its routes from the HTTPProxies of one
namespace, or from the HTTPRoutes at the Gateway `public` in it.

Contour gives the listener of a Gateway a port of its own choice, 8000 above the Gateway's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from interpreter.local.processes import free_port
from tests.servers.process import Door, Start, program, started
from tests.servers.recipes import CONTOUR, ENVOY

GATEWAY = "public"
MORE_KINDS = {"TLSCertificateDelegation": "tlscertificatedelegations"}
"""Kinds that a Contour wants to be served, whether there are any or not."""
_LEFT_OUT = ("extensionservices", "tlsroutes", "grpcroutes", "tcproutes", "backendtlspolicies")
_OFFSET = 8000


class RealContour(NamedTuple):
    """`url` is where Envoy listens for traffic, once there is a route; `stats` where it has /stats. `gateway_port` is
    the port that a Gateway's listener is to have."""

    url: str
    stats: str
    gateway_port: int


@contextmanager
def running(folder: Path, kubeconfig: Path, namespace: str, *, gateway: bool = False) -> Iterator[RealContour]:
    """Started, and killed at the end, even if we are killed first. `kubeconfig` is of somebody who may list and watch
    what Contour reads, and write its status."""
    traffic, stats = free_port(), free_port()
    binary, envoy = str(program(CONTOUR)), str(program(ENVOY))
    settings: dict[str, object] = {}
    if gateway:
        settings["gateway"] = {"gatewayRef": {"namespace": namespace, "name": GATEWAY}}
    (folder / "contour.yaml").write_text(yaml.safe_dump(settings))

    def start() -> Start:
        xds, health, debug = free_port(), free_port(), free_port()
        command = (
            *(binary, "serve", f"--config-path={folder}/contour.yaml", f"--kubeconfig={kubeconfig}"),
            *(f"--watch-namespaces={namespace}", *(f"--disable-feature={name}" for name in _LEFT_OUT)),
            *("--insecure", "--xds-address=127.0.0.1", f"--xds-port={xds}", "--disable-leader-election"),
            *("--envoy-service-http-address=127.0.0.1", f"--envoy-service-http-port={traffic}"),
            *("--stats-address=127.0.0.1", f"--stats-port={stats}"),
            *("--http-address=127.0.0.1", f"--http-port={health}"),
            *("--health-address=127.0.0.1", f"--health-port={health}", f"--debug-http-port={debug}"),
        )
        return Start(command, (Door(health, "/healthz"), Door(xds, None)))

    with ExitStack() as stack:
        _, xds = stack.enter_context(started(start, _made(folder / "contour")))
        words = (
            *(binary, "bootstrap", str(folder / "envoy.json"), f"--namespace={namespace}"),
            *("--xds-address=127.0.0.1", f"--xds-port={xds.port}", "--admin-address=admin.sock"),
        )
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.fail(f"Contour makes no configuration for Envoy: {done.stderr}")
        command = (
            *(envoy, "-c", str(folder / "envoy.json"), "--concurrency", "1", "--disable-hot-restart"),
            *("--service-cluster", "tests", "--service-node", "tests", "--log-level", "warn"),
        )
        doors = (Door(stats, "/stats"),)
        stack.enter_context(started(lambda: Start(command, doors), _made(folder / "envoy")))
        yield RealContour(f"http://127.0.0.1:{traffic}", f"http://127.0.0.1:{stats}", traffic - _OFFSET)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
