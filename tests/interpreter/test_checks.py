"""What a check says of itself: the lines that made it what it is, and no others."""

from __future__ import annotations

from typing import Literal

import pytest

from interpreter.checks import explain
from interpreter.state import CheckRecord, CheckResult, Verdict


def line(kind: Literal["require", "observe", "abort"], text: str, verdict: Verdict) -> CheckResult:
    return CheckResult(text, kind, verdict)


def record(verdict: Verdict, *results: CheckResult) -> CheckRecord:
    return CheckRecord(0, 0, 1, 10.0, verdict, results)


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR])
def test_what_is_only_observed_is_not_blamed(verdict: Verdict) -> None:
    seen = line("observe", "queue <= 5", verdict)
    blamed = line("require", "success_rate >= 99%", verdict)
    assert explain(record(verdict, seen, blamed), verdict) == "`success_rate >= 99%`"


def test_where_every_line_passes_and_traffic_stays_an_observation_is_no_reason() -> None:
    """Evidence is mounting: the check passes, and holds the traffic all the same."""
    passed = line("require", "no_regression(requests)", Verdict.PASS)
    seen = line("observe", "queue <= 5", Verdict.FAIL)
    assert explain(record(Verdict.PASS, passed, seen), Verdict.PASS) == "`no_regression(requests)`"
    assert explain(record(Verdict.ERROR, passed, seen), Verdict.ERROR) == "all checks passed"
