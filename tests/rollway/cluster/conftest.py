"""A namespace with rollouts in it, and the command line that speaks to it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from interpreter.objects import Manifest
from rollway.__main__ import main
from tests.controlplane.api import Api
from tests.controlplane.cluster import ControlPlane
from tests.rollway.cluster import objects, writing

ROOT = Path(__file__).resolve().parents[3]


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Cluster:
    """One namespace of a real control plane, in which the test writes what the interpreter would."""

    def __init__(self, plane: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.plane = plane
        self.api: Api = plane.api
        self.namespace = namespace
        self.kubeconfig: Path = plane.kubeconfig
        self._capsys = capsys
        self._threads = ThreadPoolExecutor(4)

    def close(self) -> None:
        self._threads.shutdown()

    def rollway(self, *line: str, kubeconfig: Path | None = None) -> Said:
        """The command, in this process."""
        self._capsys.readouterr()
        code = main([*line, "-n", self.namespace, "--kubeconfig", str(kubeconfig or self.kubeconfig)])
        return Said(code, *self._capsys.readouterr())

    def meanwhile(self, work: Callable[[], None]) -> Future[None]:
        """Do it beside what the test does; `result` waits for it."""
        return self._threads.submit(work)

    def rollout(self, name: str = "checkout", phase: str = "Progressing", **status: Any) -> Manifest:
        return writing.write(self.api, objects.rollout(name, self.namespace, phase, **status))

    def canary(self, name: str = "cart", phase: str = "Progressing") -> Manifest:
        return writing.write(self.api, objects.canary(name, self.namespace, phase))

    def run(self, owner: Manifest, number: int = 2, phase: str = "Progressing", **status: Any) -> Manifest:
        return writing.write(self.api, objects.run(owner, number, phase, **status))

    def waiting(self) -> tuple[Manifest, Manifest]:
        """A rollout that waits for approval, and its run."""
        words = {"phase": "WaitingPromotion", "reason": "waiting for approval"}
        owner = self.rollout(step=objects.WAITS, weight=50.0, **words)
        return owner, self.run(owner, step=objects.WAITS, weight=50.0, **words)

    def asked(self, owner: Manifest, verb: str) -> Manifest:
        """The object, once somebody has asked for this."""
        key = f"rollway.dev/{verb}"
        found: Manifest = self.api.until(
            writing.path(owner), lambda one: key in (one["metadata"].get("annotations") or {})
        )
        return found


@pytest.fixture
def cluster(control_plane: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Cluster]:
    control_plane.install_crds("rollway", "flagger")
    made = Cluster(control_plane, namespace, capsys)
    yield made
    made.close()


def on_terminal(cluster: Cluster, answer: bytes, *words: str) -> tuple[str, int]:
    """A command with a terminal in front of it: what it said, and its exit code."""
    ours, theirs = pty.openpty()
    where = ["-n", cluster.namespace, "--kubeconfig", str(cluster.kubeconfig)]
    process = subprocess.Popen(
        [sys.executable, "-m", "rollway", *words, *where],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": ""},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, answer)
    said = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    return said.decode(), process.wait()
