"""Protects `rollway compile`: Programs that validate, manifests that hold the very text, and refusals that help."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from dsl import ir_json
from rollway.__main__ import main
from rollway.exit_codes import ExitCode

ONE = """\
import "std/http"
import "std/strategies"

rollout till in cafe {
  target   deployment/till
  service  { port 8080 }
  traffic  istio
  analysis { every 1m; tolerate 3 failures; require success_rate >= 99% }
  strategy canary
}
"""
TWO = ONE + ONE.partition("\n\n")[2].replace("till", "kitchen")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.rollout").write_text(ONE)
    (tmp_path / "two.rollout").write_text(TWO)
    return tmp_path


def output(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    assert main(["compile", *line]) == ExitCode.FINE
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def refusal(capsys: pytest.CaptureFixture[str], code: ExitCode, *line: str) -> str:
    assert main(["compile", *line]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def test_a_program_validates_against_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    program = json.loads(output(capsys, "one.rollout"))
    assert main(["schema"]) == ExitCode.FINE
    jsonschema.validate(program, json.loads(capsys.readouterr().out))
    assert ir_json.from_data(program).name == "till"


def test_several_are_an_array_and_one_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    programs = json.loads(output(capsys, "two.rollout"))
    assert [program["name"] for program in programs] == ["till", "kitchen"]
    assert json.loads(output(capsys, "two.rollout", "--rollout", "kitchen")) == programs[1]


def test_a_manifest_holds_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    [manifest] = yaml.safe_load_all(output(capsys, "one.rollout", "--format", "manifest"))
    assert manifest["metadata"] == {"name": "till", "namespace": "cafe"}
    assert manifest["spec"]["source"] == ONE


def test_several_manifests_are_a_stream(capsys: pytest.CaptureFixture[str]) -> None:
    manifests = list(yaml.safe_load_all(output(capsys, "two.rollout", "--format", "manifest")))
    assert [one["metadata"]["name"] for one in manifests] == ["till", "kitchen"]
    assert all(one["spec"]["source"] == TWO for one in manifests)


def test_a_file_can_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "one.rollout", "--output", "till.json") == ""
    assert json.loads((folder / "till.json").read_text())["name"] == "till"


def test_a_file_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, ExitCode.USAGE, "one.rollout", "--output", "no/such/till.json")
    assert said == "rollway: `no/such/till.json`: no such file or directory\n"


def test_errors_are_told_and_nothing_is_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "one.rollout").write_text(ONE.replace("success_rate", "sucess_rate"))
    said = refusal(capsys, ExitCode.FINDINGS, "one.rollout", "--output", "till.json")
    assert "error[RW" in said
    assert not (folder / "till.json").exists()


def test_an_unknown_rollout(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, ExitCode.USAGE, "two.rollout", "--rollout", "bar")
    assert said == "rollway: there is no rollout `bar` in `two.rollout`; it has `till`, `kitchen`\n"


def test_a_file_without_rollouts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "none.rollout").write_text('window night { days mon..sun; hours 00:00..06:00; zone "UTC" }\n')
    said = refusal(capsys, ExitCode.FINDINGS, "none.rollout")
    assert said == "rollway: there is no rollout in `none.rollout`, so there is nothing to compile\n"


def test_a_manifest_cannot_lean_on_another_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "shared.rollout").write_text("let good = 99%\n")
    (folder / "one.rollout").write_text('import "./shared.rollout"\n' + ONE.replace("99%", "good"))
    assert json.loads(output(capsys, "one.rollout"))["name"] == "till"
    said = refusal(capsys, ExitCode.FINDINGS, "one.rollout", "--format", "manifest")
    assert "`./shared.rollout` is a file, which a cluster does not see" in said
    assert "`library/…`" in said


@pytest.mark.parametrize(("path", "why"), [("missing.rollout", "no such file or directory"), (".", "is a directory")])
def test_what_cannot_be_read(path: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, ExitCode.USAGE, path) == f"rollway: cannot read `{path}`: {why}\n"
