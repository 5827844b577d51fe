"""The page of one rollout and the record of one run, to the letter."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from interpreter.objects import Manifest
from rollway.cluster import page
from rollway.cluster.reading import instant
from rollway.cluster.shown import run_shown, shown
from tests.rollway.cluster.objects import WAITS, rollout, run

NOW = instant("2026-11-23T10:07:30Z") or 0

WAITING = """\
revision       ff87463d6c   primary 0a1b2c3d4e
step           7 of 8   wait for approval   for 2m30s
failed checks  1 of 4 made
waiting        waiting for approval
next           without an answer it waits for ever
canary  ━━━━━━━━━━━━━━━━━━━━                      50%

✓  1  ramp 10% to 50% by 20%
▶  7  wait for approval
   8  promote

✓  success_rate >= 99%     success_rate 99.8%
✗  latency(0.99) <= 500ms  latency(0.99) 740ms

10:00:00   NewRevision      the rollout begins
10:01:00   TrafficRouted    canary weight 10%
10:05:00   TrafficRouted    canary weight 30%
10:06:00 ! CheckFailed      latency(0.99) is 740ms

$  rollway approve checkout -n shop --revision ff87463d6c  go on with the next step
$  rollway promote checkout -n shop --revision ff87463d6c  make it the primary's revision now,
                                                           without the rest of the steps
$  rollway abort checkout -n shop --revision ff87463d6c    send all traffic back to the primary
$  rollway pause checkout -n shop --revision ff87463d6c    stay at this traffic
"""
RECORD = """\
revision        ff87463d6c
outcome         rolled back
started         2026-11-23 10:00:00Z
ended           2026-11-23 10:08:30Z   after 8m30s
highest weight  30%
failed checks   1 of 4 made
because         3 failed checks

last check, 2026-11-23 10:06:00Z
✓  success_rate >= 99%     success_rate 99.8%
✗  latency(0.99) <= 500ms  latency(0.99) 740ms

2026-11-23 10:00:00Z  –   0%  NewRevision    the rollout begins
2026-11-23 10:01:00Z  1  10%  TrafficRouted  canary weight 10%
2026-11-23 10:05:00Z  3  30%  TrafficRouted  canary weight 30%
2026-11-23 10:06:00Z  4  30%  CheckFailed    latency(0.99) is 740ms
"""


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page tells the time of day here."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def drawn(owner: Manifest, *runs: Manifest) -> str:
    one = shown(owner, map(run_shown, runs))
    program = one.run.program() if one.run is not None else None
    return page.paper(page.page(one, program, NOW), 100)


def waiting() -> Manifest:
    return rollout(phase="WaitingPromotion", step=WAITS, weight=50, reason="waiting for approval")


def test_the_page_of_a_rollout_that_waits() -> None:
    owner = waiting()
    assert drawn(owner, run(owner)) == WAITING


def test_the_record_of_a_run() -> None:
    made = run_shown(run(rollout(), outcome="rolled_back", reason="3 failed checks"))
    assert page.paper(page.record(made), 100) == RECORD


def test_a_rollout_that_nobody_has_looked_at_has_a_page() -> None:
    owner = rollout()
    owner["status"] = {}
    assert drawn(owner) == f"revision  –   primary –\ncanary{' ' * 44}0%\n"


def test_a_program_that_is_not_known_leaves_the_steps_words() -> None:
    owner = waiting()
    record = run(owner)
    record["spec"]["program"] = {"format": "rollway/99"}
    assert "step           wait for approval   for 2m30s\n" in drawn(owner, record)


def test_a_policy_with_errors_is_said_above_what_is_waited_for() -> None:
    wrong = {"type": "Ready", "status": "False", "reason": "InvalidPolicy", "message": "line 3: no"}
    said = drawn(rollout(conditions=[wrong], reason="holding"))
    assert "policy    line 3: no\nwaiting   holding\n" in said


def test_only_the_verbs_that_make_sense_are_offered() -> None:
    def offered(owner: Manifest) -> list[str]:
        said = drawn(owner, run(owner))
        return [line.split()[2] for line in said.splitlines() if line.startswith("$")]

    assert offered(rollout()) == ["promote", "abort", "pause"]
    assert offered(rollout(reason="paused by anna")) == ["promote", "abort", "resume"]
    assert offered(rollout(phase="Failed", step=None)) == ["retry"]
    assert offered(rollout(phase="Promoting", step=7)) == []
    assert offered(rollout(phase="Succeeded", step=None)) == []


def test_the_steps_of_a_long_policy_are_those_around_the_one_it_is_at() -> None:
    owner = rollout()
    owner["status"]["step"] = {"index": 20, "text": "hold 20"}
    record = run(owner)
    data = record["spec"]["program"]
    hold = next(op for op in data["code"] if op["op"] == "hold")
    count = 40
    data["code"] = [hold] * count
    data["spans"] = [{**data["spans"][0], "line": number, "text": f"hold {number}"} for number in range(count)]
    said = drawn(owner, record)
    assert "… 17 before" in said
    assert "▶  21  hold 20\n" in said
    assert "… 13 more" in said
    assert "hold 16\n" not in said
    assert "hold 27\n" not in said
