"""The live picture and the lines: drawn from what is there, without a cluster."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from interpreter.objects import Manifest
from rollway.cluster.finding import Found
from rollway.cluster.shown import run_shown, runs_of, shown
from rollway.cluster.watching import Lines, Picture, draw_one, draw_table
from tests.rollway.cluster.objects import CHECK, LOG, WAITS, rollout, run


def found(owner: Manifest, *runs: Manifest) -> Found:
    own = runs_of(map(run_shown, runs), owner["metadata"]["uid"])
    return Found(owner, own, shown(owner, own))


def waiting() -> Found:
    owner = rollout(phase="WaitingPromotion", step=WAITS, weight=50, reason="waiting for approval")
    return found(owner, run(owner))


def drawn(picture: Picture) -> str:
    console = Console(file=io.StringIO(), width=110, color_system=None)
    console.print(picture.picture())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_picture_of_one() -> None:
    picture = Picture(Console(file=io.StringIO(), force_terminal=True, width=110), draw_one)
    picture.show([waiting()], "")
    said = drawn(picture)
    picture.end()
    assert "checkout in shop: WaitingPromotion" in said
    assert "▶  7  wait for approval" in said
    assert "connection lost" not in said


def test_the_picture_says_that_the_connection_is_lost() -> None:
    picture = Picture(Console(file=io.StringIO(), force_terminal=True, width=110), draw_one)
    picture.show([waiting()], "the server cannot be reached")
    assert "connection lost, trying again: the server cannot be reached" in drawn(picture)
    picture.end()


def test_the_picture_of_all() -> None:
    picture = Picture(Console(file=io.StringIO(), force_terminal=True, width=110), draw_table(everywhere=True))
    picture.show([waiting()], "")
    assert re.search(r"shop +checkout +WaitingPromotion", drawn(picture))
    picture.show([], "")
    assert "there is no rollout" in drawn(picture)
    picture.end()


def lines(*looks: tuple[list[Found], str]) -> list[str]:
    out = io.StringIO()
    made = Lines(out)
    for look, trouble in looks:
        made.show(look, trouble)
    made.end()
    return [line[9:] for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("times", [1, 3])
def test_what_has_not_changed_is_not_said_again(times: int) -> None:
    said = lines(*[([waiting()], "")] * times)
    assert len(said) == 2
    assert said[0].startswith("! Check            fail at 50%: success_rate >= 99% (success_rate 99.8%); fail: lat")
    assert said[1] == "  WaitingPromotion shop/checkout WaitingPromotion step 7, 50%: waiting for approval"


def test_a_further_check_and_a_further_line_are_said() -> None:
    owner = rollout()
    line = {"at": "2026-11-23T10:07:00Z", "step": 3, "weight": 30, "what": "CheckFailed", "text": "slow again"}
    later = {**CHECK, "at": "2026-11-23T10:07:00Z"}
    said = lines(([found(owner, run(owner))], ""), ([found(owner, run(owner, lastCheck=later, log=[*LOG, line]))], ""))
    assert [line.split()[1] for line in said if line.startswith("!")] == ["Check", "CheckFailed", "Check"]


def test_what_is_gone_and_what_is_wrong_with_the_connection_is_said_once() -> None:
    said = lines(([waiting()], ""), ([], "cut"), ([], "cut"), ([], ""))
    assert said[2:] == [
        "! Connection       trying again: cut",
        "! Deleted          checkout in shop: WaitingPromotion",
        "  Connection       the connection is back",
    ]
