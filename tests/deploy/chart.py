"""The chart in a test's hands: Helm, and what it renders. Helm is built by `make testers`; where it is missing a test
fails in CI, and is left out elsewhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.goprograms import UnavailableError
from tests.testers.recipes import HELM

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "charts" / "rollway"
KUBE = "1.30.0"
"""For a Helm that was built from its module, which takes a cluster for an older one than the chart wants."""

Document = dict[str, Any]


def helm(*line: str, kubeconfig: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run Helm with a home of its own kind; whether it went well is for the caller to see."""
    try:
        program = HELM.find(may_make=False)
    except UnavailableError:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no helm for the tests: run `make testers`")
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig or "/dev/null")}
    return subprocess.run(
        (str(program), *line), input=stdin, capture_output=True, text=True, check=False, env=environment
    )


def template(values: Document, namespace: str = "rollway-system") -> subprocess.CompletedProcess[str]:
    """`helm template` with these values."""
    flags = ("--namespace", namespace, "--kube-version", KUBE, "--values", "-")
    return helm("template", "rollway", str(CHART), *flags, stdin=yaml.safe_dump(values))


def rendered(values: Document, namespace: str = "rollway-system") -> list[Document]:
    """The objects that come out."""
    done = template(values, namespace)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(kind: str, documents: list[Document]) -> list[Document]:
    return [document for document in documents if document["kind"] == kind]
