"""Protects the tester's image and manifests, which cannot be run here, from what can be seen without running them."""

from __future__ import annotations

import re

import pytest
import yaml

from interpreter.tester.allowed import LINES
from interpreter.tester.allowed import TOOLS as STARTED
from rollway.__main__ import main
from tests.controlplane.cluster import ControlPlane
from tests.testers.recipes import ALL, DEPLOY, TOOLS

ROOT = DEPLOY.parents[1]
IN_ANY_DEBIAN = {"test", "true", "false", "echo", "sleep", "head", "tail", "wc", "tr", "cut"}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def test_what_is_copied_is_there() -> None:
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.M) for word in line.split()]
    assert copied
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_every_package_of_rollway_is_copied() -> None:
    packages = re.search(r"^packages = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.M)
    assert packages is not None
    for package in re.findall(r'"(\w+)"', packages[1]):
        assert f"COPY {package} /source/{package}\n" in DOCKERFILE


def test_every_program_that_is_usually_allowed_is_in_the_image() -> None:
    built = set(re.findall(r"-o /out/(\w+)", DOCKERFILE))
    assert built == {path.name for path in TOOLS.iterdir()}
    (packages,) = re.findall(r"install -y --no-install-recommends (.*) \\", DOCKERFILE)
    there = built | set(packages.split()) | {"locust"} | IN_ANY_DEBIAN
    assert (LINES | STARTED) - there == set()


def test_the_image_is_built_from_the_packages_that_are_tested() -> None:
    for tool in ALL:
        recipe = getattr(tool.source, "recipe", None)
        if recipe is not None:
            (package,) = recipe.programs.values()
            assert f"-o /out/{tool.name} {package}" in DOCKERFILE


def test_the_manifest_starts_the_tester_with_options_that_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    deployment = next(yaml.safe_load_all((DEPLOY / "tester.yaml").read_text()))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    main(["tester", "--help"])
    shown = capsys.readouterr().out
    assert [word for word in container["args"] if word.startswith("--") and word not in shown] == []


def test_an_api_server_takes_the_manifests(control_plane: ControlPlane, namespace: str) -> None:
    made = control_plane.kubectl("kustomize", str(DEPLOY))
    assert made.returncode == 0, made.stderr
    inside = made.stdout.replace("rollway-system", namespace)
    done = control_plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=inside)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(server dry run)") == 7
