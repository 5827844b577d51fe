"""`rollway tester`: as a process of its own, killed and told to stop, and what is wrong with its line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.controlplane.cluster import ControlPlane

PATIENCE_S = 60.0
LISTENS = "the tester listens"


class Process:
    """A tester on this machine that keeps its state in a folder."""

    def __init__(self, folder: Path, *more: str, state: str = "") -> None:
        self.log = folder / "log"
        line = ("tester", "--listen", "127.0.0.1:0", "--state", state or str(folder / "state"), *more)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "rollway", *line), stdout=log, stderr=log, cwd=Path(__file__).parents[2]
            )
        self.until(lambda: LISTENS in self.log.read_text())
        said = next(line for line in self.log.read_text().splitlines() if LISTENS in line)
        self.url = f"http://127.0.0.1:{json.loads(said)['port']}"
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=PATIENCE_S, verify=False)

    def until(self, what: Any) -> None:
        limit = time.monotonic() + PATIENCE_S
        while time.monotonic() < limit:
            if what():
                return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        pytest.fail(f"it does not come to that: {self.log.read_text()}")

    def post(self, path: str = "/", **metadata: str) -> httpx.Response:
        return self.http.post(path, json={"name": "podinfo", "namespace": "test", "metadata": metadata})


@contextmanager
def running(folder: Path, *more: str, state: str = "") -> Iterator[Process]:
    made = Process(folder, *more, state=state)
    try:
        yield made
    finally:
        made.http.close()
        made.process.kill()
        made.process.wait()


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def written(file: Path) -> int:
    return int(file.read_text()) if file.exists() and file.read_text().strip() else 0


def test_a_tester_that_is_killed_takes_its_tasks_along_and_knows_of_them_afterwards(tmp_path: Path) -> None:
    cmd = f"sleep 300 & echo $! > {tmp_path}/child; wait"
    with running(tmp_path, "--allow-shell") as tester:
        assert tester.post("/gate/open").status_code == 202
        assert tester.post(cmd=cmd).status_code == 202
        tester.until(lambda: written(tmp_path / "child"))
        tester.process.send_signal(signal.SIGKILL)
        tester.process.wait()
        child = written(tmp_path / "child")
        limit = time.monotonic() + PATIENCE_S
        while alive(child) and time.monotonic() < limit:
            time.sleep(0.05)
        assert not alive(child)
    with running(tmp_path, "--allow-shell") as tester:
        assert tester.post("/gate/check").status_code == 200
        refused = tester.post(cmd=cmd)
        assert (refused.status_code, "the tester was stopped while it ran" in refused.text) == (500, True)
        assert tester.post(cmd=cmd).status_code == 202


def test_a_daemon_that_a_task_has_left_behind_is_found_and_killed(tmp_path: Path) -> None:
    daemon = f"setsid sh -c 'echo $$ > {tmp_path}/daemon; exec sleep 300' >/dev/null 2>&1 &"
    with running(tmp_path, "--allow-shell") as tester:
        assert tester.post(type="bash", cmd=f"{daemon} while [ ! -s {tmp_path}/daemon ]; do sleep 0.1; done").is_success
        tester.until(lambda: not alive(written(tmp_path / "daemon")))
        tester.until(lambda: not Path(f"/proc/{written(tmp_path / 'daemon')}").exists())


def test_it_ends_in_order_when_it_is_told_to(tmp_path: Path) -> None:
    with running(tmp_path) as tester:
        tester.post(cmd="sleep 300")
        tester.process.send_signal(signal.SIGTERM)
        assert tester.process.wait(PATIENCE_S) == ExitCode.FINE
        assert "the tester is told to stop" in tester.log.read_text()


def test_in_a_cluster_gates_are_the_clusters_and_so_are_people(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    control_plane.install_crds("rollway")
    line = ("--kubeconfig", str(control_plane.kubeconfig), "--token-review", "--protect", "gates")
    rules = [{"apiGroups": ["rollway.dev"], "resources": ["rollouts"], "verbs": ["approve"]}]
    kubeconfig = control_plane.as_service_account(namespace, "approver", rules)
    token = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"]
    gate = {"name": "podinfo", "namespace": namespace}
    with running(tmp_path, *line, "--state-namespace", namespace, state="cluster") as tester:
        assert tester.http.post("/gate/open", json=gate).status_code == 401
        opened = tester.http.post("/gate/open", json=gate, headers={"Authorization": f"Bearer {token}"})
        assert opened.status_code == 202, opened.text
        assert tester.post(type="bash", cmd="true").status_code == 200
    kept = control_plane.api.get(f"/api/v1/namespaces/{namespace}/configmaps/rollway-gates")["data"]
    assert f"system:serviceaccount:{namespace}:approver" in kept[f"gate_podinfo.{namespace}"]
    tasks = control_plane.api.get(f"/api/v1/namespaces/{namespace}/configmaps/rollway-tester-tasks")["data"]
    assert [json.loads(each)["state"] for each in tasks.values()] == ["passed"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--listen", "here"], "`--listen here` names no port"),
        (["--listen", "127.0.0.1:99999"], "names no port"),
        (["--timeout", "soon"], "`--timeout` is a length of time"),
        (["--namespace-regexp", "("], "is no regular expression"),
        (["--scripts", "nowhere"], "`--scripts nowhere` is no folder"),
        (["--token-file", "nowhere"], "`--token-file`: the tester's token file nowhere cannot be read: No such file"),
        (["--token-file", "a", "--token-review"], "say one"),
        (["--allow-commands", "hey -z"], "takes names of programs"),
        (["--most-tasks", "0"], "`--most-tasks` is 1 at least"),
        (["--kubeconfig", "nowhere.yaml"], "there is no kubeconfig nowhere.yaml"),
        (["--log-level", "loud"], "`--log-level` one of"),
    ],
)
def test_a_line_that_is_wrong(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tester", "--listen", "127.0.0.1:0", *line]) == ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_a_state_that_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").write_text("a file")
    assert main(["tester", "--listen", "127.0.0.1:0", "--state", str(tmp_path / "state")]) == ExitCode.FINDINGS
    assert "cannot be read" in capsys.readouterr().err
