"""Protects the kustomize base: it makes what `rollway install` prints, and can be built upon."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.controlplane.cluster import ControlPlane
from tests.deploy.chart import ROOT

BASE = ROOT / "deploy" / "kustomize"


def made(control_plane: ControlPlane, folder: Path) -> str:
    done = control_plane.kubectl("kustomize", str(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout


def named(text: str) -> dict[tuple[str, str], Any]:
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}


def test_the_base_is_what_install_prints(control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--image", "rollway:0.1.0"]) == ExitCode.FINE
    assert named(made(control_plane, BASE)) == named(capsys.readouterr().out)


def test_what_is_built_upon_it_is_taken(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    overlay = {
        "namespace": namespace,
        "resources": ["base"],
        "images": [{"name": "rollway", "newName": "registry.example.com/rollway", "newTag": "7"}],
        "replicas": [{"name": "rollway-controller", "count": 2}],
    }
    shutil.copytree(BASE, tmp_path / "base")
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    text = made(control_plane, tmp_path)
    found = named(text)
    spec = found["Deployment", "rollway-controller"]["spec"]
    assert spec["replicas"] == 2
    assert spec["template"]["spec"]["containers"][0]["image"] == "registry.example.com/rollway:7"
    (subject,) = found["ClusterRoleBinding", "rollway-controller"]["subjects"]
    assert subject["namespace"] == namespace
    flags = ("--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts")
    done = control_plane.kubectl("apply", *flags, "-f", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("serverside-applied") == len(found)
