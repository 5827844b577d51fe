"""The table says each thing once, plainly: never, does not look, holds, and which analysis has a check."""

from __future__ import annotations

import json

import pytest

from interpreter.outlook.chances import Chances, CheckChances, Moment, Noticing, Prospect, Service, Share, chances
from interpreter.outlook.telling import data, text
from interpreter.simulator.crowd import Requests
from tests.interpreter.outlook.policies import policy

PROGRAM = policy("require success_rate >= 99%; require success_rate >= 98%")
FIRST, SECOND = PROGRAM.analyses[next(iter(PROGRAM.analyses))].checks
NONE = Noticing(Share(0, 100), None, None)
SOME = Noticing(Share(60, 100), Moment(12_345, 754_000), None)
GOOD = Prospect(Share(1, 100), Share(0, 100), 0.0, Moment(900, 300_000), SOME, None, blind=False)
HELD = Prospect(Share(0, 100), Share(100, 100), 0.0, None, NONE, None, blind=False)


def found(*prospects: Prospect, homes: tuple[str, ...] = ("a", "a")) -> Chances:
    checks = tuple(
        CheckChances(check, (home,), prospect)  # type: ignore[arg-type]
        for check, home, prospect in zip((FIRST, SECOND), homes, prospects, strict=False)
    )
    service = Service(10, {"requests": Requests(10, 0.01)}, {"requests": Requests(10, 0.01)})
    return Chances(PROGRAM, service, 100, 4, checks, prospects[-1], ("cpu <= 1",), ("a tenth matches",))


def rows(shown: Chances) -> list[str]:
    return [" ".join(line.split()) for line in text(shown, "much traffic").splitlines()]


def test_a_row_a_check_and_one_for_all_together() -> None:
    lines = rows(found(GOOD, HELD))
    assert lines[0] == "chances with much traffic"
    assert lines[3] == "success_rate >= 99% 1.0% (0.2–5.4%) 60% (50–69%) 12,300 (13m) never does not look"
    assert lines[4] == "success_rate >= 98% 0% (0–3.7%), holds 100% never (0–3.7%) does not look"
    assert lines[5].startswith("all together 0% (0–3.7%), holds 100%")


def test_one_check_needs_no_row_for_all_together() -> None:
    assert not any(line.startswith("all together") for line in rows(found(GOOD)))


def test_what_it_comes_to() -> None:
    lines = rows(found(GOOD))
    assert "healthy a healthy release is ended in 1.0% (0.2–5.4%) of cases; half of them are promoted after 5m" in lines
    assert (
        "missed a release with one more error in 100 requests gets through unnoticed in 40% (31–50%) of cases" in lines
    )
    assert "left out `cpu <= 1`: plain numbers cannot be drawn by chance, only requests and latencies" in lines
    assert "assumed a tenth matches" in lines


def test_a_policy_that_ends_healthy_releases_has_no_credit_for_ending_bad_ones() -> None:
    lines = rows(found(GOOD._replace(healthy=Share(80, 100))))
    assert "missed next to nothing, for most healthy releases are ended as well" in lines
    assert not any("unnoticed" in line for line in lines)


def test_analyses_are_named_where_there_are_several() -> None:
    lines = rows(found(GOOD, GOOD, homes=("quick", "slow")))
    assert lines[3].startswith("success_rate >= 99% (quick) ")
    assert lines[4].startswith("success_rate >= 98% (slow) ")


def test_json_has_counts_and_intervals() -> None:
    one = json.loads(json.dumps(data(found(GOOD), "much traffic")))["checks"][0]
    assert one["healthy_ended"] == pytest.approx(
        {"share": 0.01, "count": 1, "of": 100, "low": 0.00177, "high": 0.05449}, abs=1e-4
    )
    assert one["errors_plus_1_point"]["half"] == {"canary_requests": 12_345, "ms": 754_000}
    assert one["errors_plus_1_point"]["nine_in_ten"] is None
    assert one["latency_plus_10_percent"] is None


def test_a_policy_that_counts_nothing_says_so() -> None:
    program = policy("require queue <= 3", metrics='metric queue returns count { prometheus "queue" }')
    lines = rows(chances(program, Service(10, {}, {})))
    assert "nothing no check of this policy counts requests or latencies, so there is nothing to work out" in lines
