"""Protects the controller's image, which cannot be built here, from what can be seen without building it."""

from __future__ import annotations

import re

from tests.deploy.chart import ROOT

DOCKERFILE = (ROOT / "deploy" / "controller" / "Dockerfile").read_text()
BUILD, FINAL = re.split(r"^FROM ", DOCKERFILE, flags=re.M)[1:]
OURS = {"pyproject.toml", "README.md", "LICENSE", "requirements/run.txt"}


def packages() -> list[str]:
    found = re.search(r"^packages = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.M)
    assert found is not None
    return re.findall(r'"(\w+)"', found[1])


def test_what_is_copied_is_what_the_wheel_is_made_of_and_no_more() -> None:
    copied = {word for line in re.findall(r"^COPY (.*) \S+$", BUILD, re.M) for word in line.split()}
    assert copied == OURS | set(packages())
    assert [path for path in copied if not (ROOT / path).exists()] == []
    for package in packages():
        assert f"COPY {package} /source/{package}\n" in BUILD


def test_packages_come_by_their_hashes_and_nothing_is_compiled() -> None:
    installs = re.findall(r"pip install (.*?)(?: \\)?$", BUILD, re.M)
    assert installs == ["--require-hashes --only-binary :all: -r /wanted/run.txt", "--no-deps /source"]
    lock = (ROOT / "requirements" / "run.txt").read_text()
    pinned = re.findall(r"^[\w.\[\]-]+==\S+", lock, re.M)
    assert pinned
    assert len(re.findall(r"^\S+==\S+.*\\\n +--hash=sha256:", lock, re.M)) == len(pinned)


def test_the_final_stage_has_no_tool_to_build_with() -> None:
    """The base is the same in both stages, for the environment links to its Python."""
    assert "RUN" not in FINAL
    assert re.findall(r"^COPY (.*)$", FINAL, re.M) == ["--from=build /opt/rollway /opt/rollway"]
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.M) == ["${PYTHON}", "${PYTHON}"]
    assert "pip uninstall --yes pip" in BUILD


def test_it_runs_as_nobody_in_particular_whom_the_manifest_names_too() -> None:
    assert "\nUSER 65532:65532\n" in FINAL
    manifest = (ROOT / "interpreter" / "cluster" / "manifests" / "controller.yaml").read_text()
    assert "runAsUser: 65532\n" in manifest
    assert "runAsGroup: 65532\n" in manifest
    assert 'ENTRYPOINT ["rollway"]' in FINAL
