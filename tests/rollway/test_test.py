"""Protects `rollway test`: what passes, what a failure shows, the forms for tools, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from rollway.__main__ import main
from rollway.exit_codes import ExitCode

TILL = """\
import "std/http"

rollout till in cafe {
  target   deployment/till
  service  { port 8080 }
  traffic  istio
  analysis { every 1m; tolerate 3 failures; require success_rate >= 99% }
  steps    {
    ramp 10% to 50% by 20%
    promote
  }
}
"""
GOOD = """
test "a good revision is promoted" for till {
  given success_rate = 99.9%
  expect promoted within 5m
  expect failed_checks == 0
}
"""
BAD = """
test "a bad revision is promoted <all the same>" for till {
  given success_rate = 80% after 2m
  expect promoted
  expect traffic <= 10%
}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"good": TILL + GOOD, "both": TILL + GOOD + BAD, "none": TILL}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "till.rollout").write_text(text)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], code: ExitCode, *line: str) -> tuple[str, str]:
    assert main(["test", *line]) == code
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_passed(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, ExitCode.FINE, "good")
    assert out.startswith("pass  till: a good revision is promoted (")
    assert err.startswith("1 test: 1 passed in ")


def test_a_failure_shows_place_expectation_outcome_timeline_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, ExitCode.FINDINGS, "both")
    blocks = out.split("\n\n")
    assert out.count("FAIL  till: a bad revision is promoted <all the same> (") == 1
    assert f"    {Path('both/till.rollout')}:22:3: expect promoted\n    instead: it was rolled back after 4m20s" in out
    assert "      2m  ███·······   30%  * success_rate = 80%" in out
    assert "        success_rate >= 99%\n        |\n        80%\n" in out
    assert f"{Path('both/till.rollout')}:23:3: expect traffic <= 10%\n    instead: traffic was 30% at 1m20s" in out
    assert len(blocks) > 5
    assert err.startswith("2 tests: 1 passed, 1 failed in ")


def test_a_bound_shows_the_check_that_let_it_be_broken(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, ExitCode.FINDINGS, "both")
    after = out[out.index("traffic was 30%") :]
    assert "check passes at step 2 of 7, 1m20s into the rollout, canary at 10%" in after


def test_only_some(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, ExitCode.FINE, "both", "--run", "good")
    assert out.count("\n") == 1
    _, err = run(capsys, ExitCode.FINE, "both", "--run", "another")
    assert err == "no tests whose title has `another` in it in 1 file\n"


def test_no_tests_is_said_and_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, ExitCode.FINE, "none") == ("", "no tests in 1 file\n")


def test_folders_are_looked_through(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = run(capsys, ExitCode.FINDINGS)
    assert err.startswith("3 tests: 2 passed, 1 failed in ")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = json.loads(run(capsys, ExitCode.FINDINGS, "both", "--format", "json")[0])
    assert (good["passed"], good["failures"], good["story"]["outcome"]) == (True, [], "promoted")
    assert [(one["expectation"], one["line"], one["at_ms"]) for one in bad["failures"]] == [
        ("expect promoted", 22, 260_000),
        ("expect traffic <= 10%", 23, 80_000),
    ]


def test_junit(capsys: pytest.CaptureFixture[str]) -> None:
    whole = ElementTree.fromstring(run(capsys, ExitCode.FINDINGS, "both", "--format", "junit")[0])
    assert (whole.get("tests"), whole.get("failures")) == ("2", "1")
    good, bad = whole.iter("testcase")
    assert good.find("failure") is None
    failure = bad.find("failure")
    assert failure is not None
    assert bad.get("name") == "a bad revision is promoted <all the same>"
    assert str(failure.get("message")).startswith("expect promoted: it was rolled back after 4m20s")
    assert "instead: traffic was 30% at 1m20s" in str(failure.text)


def test_a_scenario_that_cannot_be_is_a_failure(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "good" / "till.rollout").write_text(TILL + GOOD.replace("99.9%", "130%"))
    out, _ = run(capsys, ExitCode.FINDINGS, "good")
    assert "instead: `success_rate` cannot be 130%: it goes from 0% to 100%" in out


def test_errors_of_a_policy_are_findings_and_the_rest_runs(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "none" / "till.rollout").write_text(TILL.replace("99%", "99") + GOOD)
    out, err = run(capsys, ExitCode.FINDINGS, "good", "none")
    assert out.startswith("pass  till: a good revision")
    assert "none/till.rollout:7:" in err


def test_what_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, ExitCode.USAGE, "good", "nowhere")
    assert out.startswith("pass  ")
    assert "cannot read `nowhere`" in err


def test_a_metric_that_no_check_uses_may_be_stated(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    more = GOOD.replace("  expect promoted", "  given latency(0.99) = 90ms\n  expect promoted")
    (folder / "good" / "till.rollout").write_text(TILL + more)
    run(capsys, ExitCode.FINE, "good")
