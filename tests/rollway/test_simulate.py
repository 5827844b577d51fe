"""Protects `rollway simulate`: scenarios from the command line, exit codes that scripts rely on, refusals that help."""

from __future__ import annotations

import json
from pathlib import Path

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
    wait for approval within 1h else rollback
    promote
  }
}

test "broken from the third minute" for till {
  given success_rate = 80% after 3m
  expect rolled_back
}
"""
KITCHEN = TILL.replace("till", "kitchen").partition("\ntest")[0]
TRIAL = KITCHEN.replace("kitchen", "trial").replace("    promote\n", '    rollback "only a trial"\n')


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "till.rollout").write_text(TILL)
    (tmp_path / "both.rollout").write_text(TILL + KITCHEN.replace('import "std/http"\n', ""))
    (tmp_path / "trial.rollout").write_text(TRIAL)
    (tmp_path / "broken.rollout").write_text(TILL.replace("99%", "99"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], code: ExitCode, *line: str) -> tuple[str, str]:
    assert main(["simulate", *line]) == code
    printed = capsys.readouterr()
    return printed.out, printed.err


def story(capsys: pytest.CaptureFixture[str], code: ExitCode, *line: str) -> dict[str, object]:
    (one,) = json.loads(run(capsys, code, *line, "--json")[0])
    assert isinstance(one, dict)
    return one


def test_all_is_well_without_a_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, ExitCode.FINE, "till.rollout")
    assert out.startswith("till in cafe: healthy, from Mon 10:00 UTC\nchosen: requests.rate = 0.05%\n")
    assert "approved by the scenario" in out
    assert out.endswith("\n\npromoted after 4m40s\n")
    assert err == ""


def test_a_breach_is_given_and_found(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, ExitCode.FINDINGS, "till.rollout", "--given", "success_rate = 80% after 2m")
    assert "* success_rate = 80%" in out
    assert "\nrolled back after 4m20s: 3 failed checks" in out
    assert "    success_rate >= 99%\n    |\n    80%\n" in out


def test_several_statements_hold_together(capsys: pytest.CaptureFixture[str]) -> None:
    givens = ("--given", "provider_down after 1m for 30s", "--given", "given abort after 2m")
    found = story(capsys, ExitCode.FINDINGS, "till.rollout", *givens)
    assert (found["outcome"], found["ended_ms"]) == ("rolled_back", 120_000)


def test_approvals_that_are_given_replace_the_usual_ones(capsys: pytest.CaptureFixture[str]) -> None:
    found = story(capsys, ExitCode.FINE, "till.rollout", "--given", "approval after 30m")
    assert found["ended_ms"] == 30 * 60_000 + 20_000


def test_the_scenario_of_a_test(capsys: pytest.CaptureFixture[str]) -> None:
    found = story(capsys, ExitCode.FINDINGS, "till.rollout", "--test", "broken from the third minute")
    assert (found["scenario"], found["outcome"]) == ("broken from the third minute", "rolled_back")


def test_every_rollout_or_the_one_that_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    whole = json.loads(run(capsys, ExitCode.FINE, "both.rollout", "--json")[0])
    assert [one["rollout"] for one in whole] == ["till", "kitchen"]
    assert story(capsys, ExitCode.FINE, "both.rollout", "--rollout", "kitchen")["rollout"] == "kitchen"


def test_a_policy_that_means_to_roll_back_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert story(capsys, ExitCode.FINE, "trial.rollout")["outcome"] == "rolled_back"


def test_a_start_is_shown_in_its_zone(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, ExitCode.FINE, "till.rollout", "--start", "sat 03:00")
    assert out.startswith("till in cafe: healthy, from Sat 03:00 UTC\n")


def test_the_same_bytes_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, ExitCode.FINE, "till.rollout") == run(capsys, ExitCode.FINE, "till.rollout")


def test_an_error_in_a_statement_is_shown_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, ExitCode.FINDINGS, "till.rollout", "--given", "success_rat = 80% after 3m")
    assert out == ""
    assert "--> --given:1:1\n" in err
    assert "did you mean `success_rate`?" in err


def test_errors_of_the_policy_are_findings(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, ExitCode.FINDINGS, "broken.rollout")
    assert out == ""
    assert "--> broken.rollout:7:" in err


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (("till.rollout", "--rollout", "kitchen"), ExitCode.USAGE, "there is no rollout `kitchen`; there is `till`"),
        (("till.rollout", "--test", "x"), ExitCode.USAGE, "there is no test `x`; there is `broken from the third"),
        (("trial.rollout", "--test", "x"), ExitCode.USAGE, "there is no test `x`, nor any other"),
        (("till.rollout", "--start", "noon"), ExitCode.USAGE, "and `noon` is neither"),
        (("till.rollout", "--test", "x", "--given", "approval"), ExitCode.USAGE, "give one of them"),
        (("nowhere.rollout",), ExitCode.USAGE, "cannot read `nowhere.rollout`"),
        (
            ("till.rollout", "--given", "success_rate = 130%"),
            ExitCode.FINDINGS,
            "cannot simulate `till`: `success_rate` cannot be 130%: it goes from 0% to 100%",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], line: tuple[str, ...], code: ExitCode, said: str
) -> None:
    _, err = run(capsys, code, *line)
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_file_without_rollouts(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "empty.rollout").write_text("let a = 1\n")
    _, err = run(capsys, ExitCode.FINDINGS, "empty.rollout")
    assert "there is no rollout in `empty.rollout`" in err
