"""Protects `rollway plan`: the table, the JSON, several rollouts, refusals, and that nothing heavy is loaded for it."""

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
  deadline 2m
  analysis { every 1m; tolerate 3 failures; require success_rate >= 99%; abort if success_rate < 50% }
  steps    {
    if success_rate of primary >= 99.5% {
      ramp 10% to 50% by 20%
    } else {
      shift to 5% for 10m
    }
    wait for approval "the chef"
    promote
  }
}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "till.rollout").write_text(TILL)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], code: ExitCode, *line: str) -> tuple[str, str]:
    assert main(["plan", *line]) == code
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_the_table_has_both_arms_and_what_it_comes_to(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, ExitCode.FINE, "till.rollout")
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert rows[0] == "till in cafe"
    assert any(row.startswith("3 0s–1m 4m–5m 10% ramp 10% to 50% by 20% ") for row in rows), rows
    assert "else" in rows
    assert "promotion after 3m at the soonest, with no limit to the latest" in rows
    assert "aborts success_rate < 50%" in rows
    assert any(row.startswith("no limit approval from the chef") for row in rows)
    assert any(
        row.startswith("exposure at worst 50% of requests for 3m, as much as all requests for 1m30s") for row in rows
    )
    assert err == ""


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = json.loads(run(capsys, ExitCode.FINE, "till.rollout", "--json")[0])
    assert one["promotion"] == {"soonest_ms": 180_000, "latest_ms": None}
    assert one["load"][0]["queries"] == 120
    assert "success_rate < 50%" in one["steps"][2]["ended_by"]


def test_one_of_several(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "till.rollout").write_text(TILL + TILL.partition("\n\n")[2].replace("till", "kitchen"))
    assert len(json.loads(run(capsys, ExitCode.FINE, "till.rollout", "--json")[0])) == 2
    (one,) = json.loads(run(capsys, ExitCode.FINE, "till.rollout", "--rollout", "kitchen", "--json")[0])
    assert one["rollout"] == "kitchen"


def test_refusals(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert "there is no rollout `bar`; there is `till`" in run(capsys, ExitCode.USAGE, ".", "--rollout", "bar")[1]
    assert "cannot read `nowhere`" in run(capsys, ExitCode.USAGE, "nowhere")[1]
    (folder / "till.rollout").write_text(TILL.replace("99%", "99"))
    assert "--> till.rollout:8:" in run(capsys, ExitCode.FINDINGS, "till.rollout")[1]
