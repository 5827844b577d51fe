"""One control plane for all processes of a test session, and nothing of it left when the session is over, however it
ended. Seen on sessions of their own, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.definitions import REPOSITORY
from tests.controlplane.plane import PlaneError
from tests.controlplane.shared import Session, plane

PATIENCE_S = 120.0
ASKS = """\
import os, time
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_it(control_plane, number):
    here = Path(os.environ["HERE"])
    (here / f"{number}.new").write_text(f"{os.getpid()} {control_plane.server}")
    (here / f"{number}.new").replace(here / f"{number}.seen")
    while not all((here / name).exists() for name in os.environ["AWAITED"].split()):
        time.sleep(0.05)
"""

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks at processes as Linux shows them"),
    pytest.mark.timeout(600),
]


class Nested:
    """A session that runs the tests above. All that it starts has `folder` in its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "test_it.py").write_text(ASKS)

    @contextmanager
    def started(self, *options: str, awaited: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        command = (
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.controlplane.plugin",
            "-p",
            "no:cacheprovider",
            "-q",
            "-rs",
        )
        theirs = {**os.environ, "TMPDIR": str(self.folder), "HERE": str(self.folder), "AWAITED": awaited, **environment}
        with subprocess.Popen(
            (*command, *options, str(self.folder / "test_it.py")),
            cwd=REPOSITORY,
            env=theirs,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *options: str, **environment: str) -> tuple[int, str]:
        with self.started(*options, awaited="1.seen 2.seen" if "-n" in options else "1.seen", **environment) as process:
            said, _ = process.communicate(timeout=PATIENCE_S)
        return process.returncode, said

    def seen(self) -> dict[str, tuple[str, str]]:
        """What each test saw: its process, and the server."""
        found = {file.name: file.read_text().split() for file in self.folder.glob("*.seen")}
        return {name: (process, server) for name, (process, server) in found.items()}

    def running(self) -> list[str]:
        """The programs that live in this session's folder."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = file.read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if any(str(self.folder / "rollway-plane-") in word for word in words):
                found.append(Path(words[0]).name)
        return sorted(found)

    def left(self) -> list[Path]:
        return list(self.folder.glob("rollway-plane-*"))

    def until(self, what: str, holds: Callable[[], object]) -> None:
        limit = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < limit, f"{what}: not within {PATIENCE_S:.0f} s; {self.running()}"
            time.sleep(0.05)


@pytest.fixture
def nested(control_plane: ControlPlane, tmp_path: Path) -> Nested:
    """Only where there is a control plane at all."""
    control_plane.need_played_pods()
    return Nested(tmp_path)


def test_the_workers_of_a_session_share_one_plane_and_it_is_gone_after_it(nested: Nested) -> None:
    code, said = nested.run("-n", "2")
    assert code == 0, said
    processes, servers = zip(*nested.seen().values(), strict=True)
    assert len(set(processes)) == 2
    assert len(set(servers)) == 1
    assert "2 tests ran against a real control plane: Kubernetes v" in said
    assert nested.running() == []
    assert nested.left() == []


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_the_plane_is_gone_after_a_session_that_was_killed(nested: Nested, options: tuple[str, ...]) -> None:
    with nested.started(*options, awaited="never") as process:
        nested.until("a test has the plane", nested.seen)
        assert {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"} <= set(nested.running())
        process.send_signal(signal.SIGKILL)
        process.wait()
        nested.until("the plane is gone", lambda: not nested.running() and not nested.left())


def test_what_a_killed_session_left_is_cleared_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLWAY_CONTROL_PLANE_SESSION", "")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    living = Session()
    folders = {name: tmp_path / f"rollway-plane-{name}" for name in ("old", "young", "kept")}
    for folder in folders.values():
        folder.mkdir()
        (folder / "alive").touch()
    (folders["kept"] / "started").touch()
    for folder in (folders["old"], folders["kept"], living.folder):
        os.utime(folder, (1, 1))
    Session().close()
    assert set(tmp_path.iterdir()) == {folders["young"], folders["kept"], living.folder}
    living.close()


def test_without_the_programs_a_test_fails_in_ci_and_is_left_out_elsewhere(nested: Nested) -> None:
    nowhere = {
        "KUBEBUILDER_ASSETS": "",
        "XDG_CACHE_HOME": str(nested.folder / "empty"),
        "ROLLWAY_DISPOSABLE_CLUSTER": "",
    }
    code, said = nested.run(**nowhere, CI="")
    assert code == 0, said
    assert "2 skipped" in said
    assert "no control plane for the tests: run `make controlplane`" in said
    code, said = nested.run(**nowhere, CI="true")
    assert code == 1, said
    assert "2 errors" in said
    assert "no control plane for the tests: run `make controlplane`" in said


def test_a_disposable_cluster_takes_the_place_of_ours(nested: Nested, control_plane: ControlPlane) -> None:
    theirs = {"ROLLWAY_DISPOSABLE_CLUSTER": "1", "KUBECONFIG": str(control_plane.kubeconfig)}
    code, said = nested.run(**theirs)
    assert code == 0, said
    assert {server for _, server in nested.seen().values()} == {control_plane.server}
    assert "the disposable cluster that KUBECONFIG names" in said
    code, said = nested.run(**{**theirs, "KUBECONFIG": "nowhere"})
    assert code == 1, said
    assert "KUBECONFIG is `nowhere`, which is no file" in said
    assert nested.running() == []


def test_a_plane_that_does_not_start_says_why_to_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLWAY_CONTROL_PLANE_SESSION", "")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("etcd", "kube-apiserver"):
        (programs / name).write_text("#!/bin/sh\necho it is broken\nexit 3\n")
        (programs / name).chmod(0o755)
    session = Session()
    try:
        for _ in range(2):
            with pytest.raises(PlaneError, match=r"does not start: .* ended with 3; .*: it is broken"):
                plane(programs)
    finally:
        session.close()
    assert not session.folder.exists()
