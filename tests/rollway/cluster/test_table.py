"""The tables, to the letter."""

from __future__ import annotations

import pytest

from rollway.cluster import table
from rollway.cluster.reading import instant
from rollway.cluster.shown import run_shown, shown
from tests.rollway.cluster.objects import WAITS, canary, rollout, run

NOW = instant("2026-11-23T10:07:30Z") or 0

TABLE = """\
NAME         PHASE                    STEP                      WEIGHT  FAILED  REVISION    AGE   WAITING FOR
canary/cart  Succeeded                –                         0%      0       68d5b9c6f8  1h7m  –
checkout     Progressing              4 ramp 10% to 50% by 20%  30%     1       ff87463d6c  2d1h  CrashLoopBackOff: app
pay          Progressing (suspended)  bringing the canary up    30%     1       ff87463d6c  2d1h  –
search       WaitingPromotion         7 wait for approval       0%      1       ff87463d6c  2d1h  waiting for approval
"""
EVERYWHERE = """\
NAMESPACE  NAME      PHASE      STEP  WEIGHT  FAILED  REVISION    AGE   WAITING FOR
books      checkout  Succeeded  –     0%      1       ff87463d6c  2d1h  –
shop       checkout  Failed     –     0%      1       ff87463d6c  2d1h  3 failed checks
"""
RUNS = """\
RUN  REVISION    OUTCOME                  STARTED               TOOK   HIGHEST  FAILED  REASON
2    ff87463d6c  under way (Progressing)  2026-11-23 10:00:00Z  7m30s  30%      1       –
1    ff87463d6c  rolled back              2026-11-23 10:00:00Z  8m30s  30%      1       3 failed checks
0    ff87463d6c  the first primary        2026-11-23 10:00:00Z  –      30%      1       –
"""


def test_the_table_of_rollouts() -> None:
    paused = rollout("pay", step=None)
    paused["spec"]["suspend"] = True
    paused["status"]["step"] = {"index": -1}
    found = [
        rollout("search", phase="WaitingPromotion", step=WAITS, reason="waiting for approval"),
        paused,
        rollout(reason="CrashLoopBackOff:\n  app"),
        canary(),
    ]
    assert table.rollouts(map(shown, found), NOW) == TABLE


def test_the_table_of_several_namespaces() -> None:
    found = [
        rollout(phase="Failed", step=None, reason="3 failed checks"),
        rollout(namespace="books", phase="Succeeded", step=None),
    ]
    assert table.rollouts(map(shown, found), NOW, everywhere=True) == EVERYWHERE


def test_the_table_of_runs() -> None:
    owner = rollout()
    found = [run(owner), run(owner, 1, outcome="rolled_back", reason="3 failed checks"), run(owner, 0)]
    assert table.runs(map(run_shown, found), NOW) == RUNS


def test_what_nobody_has_looked_at_and_what_is_being_deleted() -> None:
    new, leaving = rollout(), rollout()
    new["status"] = {}
    leaving["metadata"]["deletionTimestamp"] = "2026-11-23T10:07:00Z"
    assert table.phase(shown(new)) == "Unknown"
    assert table.phase(shown(leaving)) == "Terminating"


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (-5, "0s"),
        (999, "0s"),
        (42_999, "42s"),
        (312_000, "5m12s"),
        (3_600_000, "1h"),
        (7_260_999, "2h1m"),
        (90_000_000, "1d1h"),
        (864_000_000, "10d"),
    ],
)
def test_lengths_of_time_by_their_two_largest_units(milliseconds: int, said: str) -> None:
    assert table.length(milliseconds) == said
