"""`kubectl rollway …` is the same command, and calls itself so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rollway.exit_codes import ExitCode
from tests.rollway.cluster.conftest import Cluster

SCRIPTS = Path(sys.executable).parent


def test_kubectl_finds_it_and_it_calls_itself_so(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.waiting()
    monkeypatch.setenv("PATH", f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}")
    done = cluster.plane.kubectl("rollway", "status", "checkout", "-n", cluster.namespace)
    assert done.returncode == ExitCode.FINE, done.stderr
    assert f"kubectl rollway approve checkout -n {cluster.namespace} --revision ff87463d6c" in done.stdout


def test_its_usage_is_that_of_a_plugin() -> None:
    done = subprocess.run([SCRIPTS / "kubectl-rollway", "abort", "-h"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: kubectl rollway abort [OPTIONS]")
    wrong = subprocess.run([SCRIPTS / "kubectl-rollway", "abort"], capture_output=True, text=True, check=False)
    assert wrong.stderr == "rollway: missing argument `NAME`; `kubectl rollway abort --help` shows how\n"
