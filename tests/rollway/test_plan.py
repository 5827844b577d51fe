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


# --- what the checks promise ------------------------------------------------------------------------------------


def test_what_the_checks_promise_stands_beneath_the_table(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    plain, _ = run(capsys, ExitCode.FINE, "till.rollout")
    line = ("till.rollout", "--rps", "10", "--errors", "5%", "--runs", "50")
    out, err = run(capsys, ExitCode.FINE, *line)
    assert out.startswith(plain)
    assert err == ""
    rows = [" ".join(each.split()) for each in out.removeprefix(plain).splitlines()]
    assert rows[1].startswith("chances with 10 requests a second, 5% of them bad; latency 100ms (median)")
    assert any(row.startswith("check ends healthy ones notices +1 point half by 9 in 10 by") for row in rows)
    assert any(row.startswith("success_rate >= 99% 100% (93–100%)") for row in rows), rows
    assert any(row.startswith("abort if success_rate < 50% 0% (0–7.1%) never (0–7.1%)") for row in rows), rows
    assert any(
        row.startswith(
            "hopeless `success_rate >= 99%` would end 100% of healthy releases: use `no_regression(requests)`"
        )
        for row in rows
    ), rows
    assert any(row.startswith("drawn up to 50 rollouts of each kind, from seed ") for row in rows)
    assert run(capsys, ExitCode.FINE, *line)[0] == out


def test_what_the_checks_promise_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    line = ("till.rollout", "--rps", "10", "--errors", "5%", "--runs", "50", "--json")
    (one,) = json.loads(run(capsys, ExitCode.FINE, *line)[0])
    found = one["chances"]
    assert (found["rps"], found["runs"]) == (10, 50)
    assert [check["check"] for check in found["checks"]] == ["success_rate >= 99%", "abort if success_rate < 50%"]
    assert found["checks"][0]["healthy_ended"]["of"] == 50
    assert found["checks"][0]["healthy_ended"]["low"] > 0.5
    assert found["checks"][0]["errors_plus_1_point"]["half"]["canary_requests"] > 0
    assert found["checks"][0]["latency_plus_10_percent"] is None
    assert found["together"]["healthy_ended"]["share"] > 0.5
    assert found["advice"][0]["kind"] == "hopeless"
    (plain,) = json.loads(run(capsys, ExitCode.FINE, "till.rollout", "--json")[0])
    assert "chances" not in plain


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (("--rps", "10"), "give `--errors 0.2%` too"),
        (("--rps", "0", "--errors", "1%"), "`--rps` is how many requests a second the service gets"),
        (("--rps", "10", "--errors", "0.2"), "do you mean `0.2%`?"),
        (("--prometheus", "http://127.0.0.1:1"), "`till`: the primary's traffic could not be asked for: requests: "),
    ],
)
def test_wrong_traffic(capsys: pytest.CaptureFixture[str], line: tuple[str, ...], why: str) -> None:
    out, err = run(capsys, ExitCode.USAGE, "till.rollout", *line)
    assert why in err
    assert out == ""
