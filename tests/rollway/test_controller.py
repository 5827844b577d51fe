"""`rollway controller`: what is wrong with its line or its cluster is said in one line, not as a bug."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollway.__main__ import main
from rollway.exit_codes import ExitCode


def test_a_kubeconfig_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["controller", "--kubeconfig", "nowhere.yaml", "--listen", "127.0.0.1:0"]
    assert main(line) == ExitCode.USAGE
    assert capsys.readouterr().err.splitlines()[-1] == "rollway: there is no kubeconfig nowhere.yaml"


def test_without_any_cluster_it_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert main(["controller", "--listen", "127.0.0.1:0"]) == ExitCode.USAGE
    assert "give a kubeconfig with `--kubeconfig FILE`" in capsys.readouterr().err


def test_an_address_without_a_port_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controller", "--listen", "everywhere"]) == ExitCode.USAGE
    assert "`--listen everywhere` names no port" in capsys.readouterr().err
