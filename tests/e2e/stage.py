"""Everything that a rollout in a cluster needs, on this machine: a real control plane, a real Skipper that reads it, a
real Prometheus that scrapes that, and the controller: a process of its own, with the rights that `rollway install`
grants.

It stands in a network of its own (`network`), and all of it is gone with the block.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from interpreter.local.keeper import Keeper, die_with_parent
from interpreter.local.processes import tail
from tests.controlplane import plane
from tests.controlplane.cluster import ControlPlane
from tests.e2e.manifests import APP, NAMESPACE, Manifest
from tests.prometheus import server as prometheus
from tests.skipper import server as skipper
from tests.skipper.server import RealSkipper

PATIENCE_S = 60.0
SYSTEM = "rollway-system"
CONTROLLER = "rollway-controller"
_ROLLWAY = (sys.executable, "-m", "rollway")
_INSTALL = ("install", "--namespace", SYSTEM, "--watch-namespace", NAMESPACE, "--provider", "skipper", "--no-flagger")
_READER = [
    {"apiGroups": [group], "resources": ["*"], "verbs": ["get", "list"]}
    for group in ("", "zalando.org", "networking.k8s.io", "discovery.k8s.io")
]
_METRICS = ("-metrics-flavour=prometheus", "-serve-route-metrics", "-route-response-metrics")
_PACE = "-source-poll-timeout=500"


class Programs(NamedTuple):
    """What is not Python: the folder of the control plane's programs, and two programs."""

    control_plane: Path
    skipper: Path
    prometheus: Path


class StageError(Exception):
    """Something did not come to be. The text says what, and what there is instead."""


class Stage:
    """The user's hands. Methods block; from a loop they are called in threads."""

    def __init__(self, cluster: ControlPlane, data_plane: RealSkipper, controller: Controller) -> None:
        self.cluster = cluster
        self.data_plane = data_plane
        self.controller = controller

    def apply(self, *objects: Manifest) -> None:
        """As a person applies them."""
        applied(self.cluster, *objects)

    def change(self, deployment: Manifest) -> None:
        """Give the application's Deployment this template, and leave its replicas to whom they belong to by now."""
        template = {"spec": {"template": deployment["spec"]["template"]}}
        self.cluster.api.merge(_path("apps/v1", "deployments"), template)

    def status(self) -> dict[str, Any]:
        """Of the rollout."""
        found: dict[str, Any] = self.cluster.api.get(_path("rollway.dev/v1alpha1", "rollouts"))
        return found.get("status") or {}

    def canaries(self) -> int:
        """How many pods of the target there are, of which none is being deleted."""
        pods = self.cluster.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app={APP}")["items"]
        return sum("deletionTimestamp" not in pod["metadata"] for pod in pods)

    async def until(self, what: str, holds: Callable[[], object]) -> None:
        """Raises StageError with the rollout's status, and with what the controller wrote last."""
        limit = time.monotonic() + PATIENCE_S
        while not await asyncio.to_thread(holds):
            ended = self.controller.ended
            if ended is not None or time.monotonic() > limit:
                why = f"not within {PATIENCE_S:.0f} s" if ended is None else f"the controller has ended with {ended}"
                words = self.controller.last_words()
                raise StageError(
                    f"{what}: {why}; the rollout's status is {self.status()}; the controller's last words: {words}"
                )
            await asyncio.sleep(0.1)

    def rollway(self, *words: str) -> tuple[str, ...]:
        """The command line of `rollway` for a person in front of this cluster."""
        return (*_ROLLWAY, *words, "--namespace", NAMESPACE, "--kubeconfig", str(self.cluster.kubeconfig))


class Controller:
    """`rollway controller`, a process that can be killed, and started again."""

    def __init__(self, kubeconfig: Path, metrics: str, log: Path) -> None:
        self._command = (
            *(*_ROLLWAY, "controller", "--kubeconfig", str(kubeconfig), "--namespace", NAMESPACE, "--no-flagger"),
            *("--lease-namespace", SYSTEM, "--metrics-server", metrics, "--listen", "127.0.0.1:0"),
            *("--log-format", "console", "--allow-addresses", "127.0.0.0/8"),
        )
        self._log = log
        self._keeper = Keeper()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - it does nothing but a system call
            )
        self._keeper.started(self._process.pid)

    def kill(self) -> None:
        """With SIGKILL: whatever it is doing, it does not finish."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._keeper.ended(self._process.pid)
            self._process = None

    def stop(self) -> int:
        """In order; its exit code."""
        if self._process is None:
            raise StageError("there is no controller to stop")
        self._process.terminate()
        code = self._process.wait(PATIENCE_S)
        self._process = None
        return code

    def close(self) -> None:
        self._keeper.close()
        if self._process is not None:
            self._process.wait()

    @property
    def ended(self) -> int | None:
        """The exit code of one that has ended by itself."""
        return None if self._process is None else self._process.poll()

    def last_words(self) -> str:
        return " | ".join(tail(self._log, 10)) or "none"


@contextmanager
def stage(programs: Programs, folder: Path, say: Callable[[str], None]) -> Iterator[Stage]:
    """All that there is, but for the pods and the load. `say` is told what comes up. Raises PlaneError, StageError."""
    with ExitStack() as stack:
        binaries = programs.control_plane
        layout = stack.enter_context(plane.running(binaries, _made(folder / "plane")))
        cluster = ControlPlane(layout.kubeconfig, folder, str(binaries), binaries=binaries, audit_log=layout.audit_log)
        stack.callback(cluster.close)
        say(f"control plane up: Kubernetes {cluster.version}, with nodes that KWOK plays")
        kubeconfig = _install(cluster)
        say(f"installed: the definitions, the rights, and the account {CONTROLLER} in {SYSTEM}")

        reader = cluster.as_service_account(NAMESPACE, "skipper", _READER)
        flags = (*_METRICS, _PACE)
        data_plane = stack.enter_context(
            skipper.running(programs.skipper, _made(folder / "skipper"), reader, NAMESPACE, *flags)
        )
        metrics = stack.enter_context(prometheus.running(str(programs.prometheus), _made(folder / "prometheus")))
        stack.enter_context(metrics.scraping("skipper", data_plane.support))
        say(f"data plane up: Skipper at {data_plane.url}, scraped by Prometheus at {metrics.url}")

        controller = Controller(kubeconfig, metrics.url, folder / "controller.log")
        stack.callback(controller.close)
        yield Stage(cluster, data_plane, controller)


def applied(cluster: ControlPlane, *objects: Manifest) -> None:
    """Raises StageError."""
    done = cluster.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))
    if done.returncode != 0:
        raise StageError(f"kubectl apply: {done.stderr.strip()}")


def _install(cluster: ControlPlane) -> Path:
    """What `rollway install` prints, but for the Deployment: the controller is a process here. Its kubeconfig."""
    printed = subprocess.run((*_ROLLWAY, *_INSTALL), capture_output=True, text=True, check=True).stdout
    documents = [each for each in yaml.safe_load_all(printed) if each["kind"] != "Deployment"]
    applied(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, *documents)
    definitions = [each["metadata"]["name"] for each in documents if each["kind"] == "CustomResourceDefinition"]
    waited = cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", *definitions)
    if waited.returncode != 0:
        raise StageError(f"kubectl wait: {waited.stderr.strip()}")
    return cluster.kubeconfig_of(SYSTEM, CONTROLLER)


def _path(version: str, plural: str) -> str:
    return f"/apis/{version}/namespaces/{NAMESPACE}/{plural}/{APP}"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
