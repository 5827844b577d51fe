"""What people see of a rollout is what its objects say, whoever wrote them, and never an exception."""

from __future__ import annotations

from typing import Any

import pytest

from interpreter.state import Verdict
from rollway.cluster.reading import instant
from rollway.cluster.shown import Place, run_selector, run_shown, runs_of, shown
from tests.rollway.cluster.objects import canary, program, rollout, run


def test_a_rollout_shows_its_status() -> None:
    one = shown(rollout(reason="holding"))
    assert (one.phase, one.revision, one.primary, one.weight) == ("Progressing", "ff87463d6c", "0a1b2c3d4e", 30.0)
    assert (one.failed, one.iterations, one.reason, one.spoken) == (1, 4, "holding", "checkout")
    assert one.place == Place(3, "ramp 10% to 50% by 20%", instant("2026-11-23T10:05:00Z"))


def test_what_a_canary_has_no_place_for_comes_from_its_run() -> None:
    owner = canary(phase="Progressing")
    one = shown(owner, [run_shown(run(owner, reason="holding"))])
    assert one.spoken == "canary/cart"
    assert one.reason == "holding"
    assert one.place is not None
    assert one.place.text == "ramp 10% to 50% by 20%"
    assert one.check is not None
    assert [result.verdict for result in one.check.results] == [Verdict.PASS, Verdict.FAIL]


def test_the_step_of_a_run_that_is_over_is_not_where_a_canary_stands() -> None:
    owner = canary(phase="Failed")
    assert shown(owner, [run_shown(run(owner, outcome="rolled_back"))]).place is None


def test_a_reason_that_is_gone_is_not_taken_from_the_run() -> None:
    owner = rollout(phase="Succeeded", step=None)
    assert shown(owner, [run_shown(run(owner, reason="waiting for approval"))]).reason == ""


def test_an_earlier_objects_runs_are_not_this_ones() -> None:
    old, new = rollout(uid="old"), rollout(uid="new")
    runs = [run_shown(run(old, 7)), run_shown(run(new, 1)), run_shown(run(new, 3)), run_shown(run(new, 2))]
    assert [each.number for each in runs_of(runs, "new")] == [3, 2, 1]
    one = shown(new, runs)
    assert one.run is not None
    assert one.run.number == 3


def test_a_policy_with_errors_is_told_apart_from_what_is_waited_for() -> None:
    wrong = {"type": "Ready", "status": "False", "reason": "InvalidPolicy", "message": "line 3: no"}
    one = shown(rollout(reason="holding", conditions=[wrong]))
    assert (one.reason, one.problem) == ("holding", "line 3: no")


def test_what_has_been_asked_for_is_seen() -> None:
    owner = rollout()
    owner["metadata"]["annotations"] = {
        "rollway.dev/approve": '{"revision": "ff87463d6c", "by": "anna"}',
        "rollway.dev/abort": "0a1b2c3d4e",
        "rollway.dev/pause": "{",
        "rollway.dev/policy": "shared",
    }
    assert shown(owner).asked == ("approve of ff87463d6c by anna", "abort of 0a1b2c3d4e", "pause of {")


def test_a_run_shows_the_most_that_the_canary_ever_had() -> None:
    one = run_shown(run(rollout(), outcome="rolled_back"))
    assert (one.weight, one.highest) == (0.0, 30.0)
    assert one.program() == program()


@pytest.mark.parametrize("odd", [None, 7, "x", [], {"a": 1}, [{}], [7], {"at": 7}, {"verdict": "new"}, {"index": "3"}])
def test_nothing_in_an_object_keeps_the_rest_from_being_seen(odd: Any) -> None:
    owner = rollout()
    for field in list(owner["status"]):
        one = shown({**owner, "status": {**owner["status"], field: odd, "lastCheck": odd}})
        assert one.name == "checkout"
    record = run(owner)
    for part in ("spec", "status"):
        for field in list(record[part]):
            read = run_shown({**record, part: {**record[part], field: odd}})
            assert read.name == "checkout-2"
            read.program()
    assert shown({**owner, "status": odd, "spec": odd}).phase == ""
    assert run_shown({"metadata": odd, "spec": odd, "status": odd}).number == 0


def test_a_program_of_another_version_is_not_shown() -> None:
    record = run(rollout())
    record["spec"]["program"] = {"format": "rollway/99"}
    assert run_shown(record).program() is None


def test_times_are_read_in_both_forms() -> None:
    assert instant("1970-01-01T00:00:02Z") == instant(2000) == 2000
    assert instant("yesterday") is None
    assert instant(None) is None
    assert instant(True) is None


def test_the_selector_of_runs() -> None:
    assert run_selector("Canary", "cart") == "rollway.dev/owner-kind=Canary,rollway.dev/rollout=cart"
    assert run_selector("Canary") == "rollway.dev/owner-kind=Canary"
