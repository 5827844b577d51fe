"""Protects what holds, warm-ups and deadlines mean, and that no clock that jumps can cheat them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsl import ir
from interpreter.state import Phase
from interpreter.windows import is_open, opens_at
from tests.interpreter.machine.rig import HOLD, MINUTE, SLO, START, Rig, program, ramp

HOUR = 3600


def hold(minutes: float) -> ir.HoldOp:
    return ir.HoldOp(duration_ms=int(minutes * MINUTE), analysis="slo")


def held(*code: object, **changes: object) -> Rig:
    return Rig(program(ir.RouteOp(weight=10), *code, ir.PromoteOp(), **changes)).begin()


def test_a_hold_of_ten_minutes_makes_ten_checks_and_lasts_ten_minutes() -> None:
    rig = held(hold(10)).go(599)
    assert (rig.state.phase, rig.run.iterations) == (Phase.PROGRESSING, 9)
    rig.go(1)
    assert (rig.state.phase, rig.run.iterations) == (Phase.SUCCEEDED, 10)


def test_a_hold_shorter_than_the_interval_checks_once_at_its_end() -> None:
    rig = held(hold(0.5)).go(30)
    assert (rig.state.phase, rig.run.iterations) == (Phase.SUCCEEDED, 1)


def test_a_hold_that_is_no_multiple_of_the_interval_lasts_as_long_as_it_says() -> None:
    rig = held(hold(2.5)).go(149)
    assert rig.is_in(Phase.PROGRESSING)
    rig.go(1)
    assert (rig.state.phase, rig.run.iterations) == (Phase.SUCCEEDED, 2)


def test_a_failed_check_holds_it_back_by_one_interval() -> None:
    rig = held(hold(3))
    rig.error_rate = lambda arm: 1.0 if 50_000 < rig.now - START < 70_000 else 0.0
    rig.go(180)
    assert rig.is_in(Phase.PROGRESSING)
    rig.go(60)
    assert (rig.state.phase, rig.run.failed_checks) == (Phase.SUCCEEDED, 1)


def test_no_check_counts_within_the_warm_up() -> None:
    rig = held(HOLD, slo=replace(SLO, warm_up_ms=150_000)).go(179)
    assert rig.run.iterations == 0
    rig.go(1)
    assert (rig.state.phase, rig.run.iterations) == (Phase.SUCCEEDED, 1)


def test_a_long_warm_up_still_leaves_one_check_to_a_short_hold() -> None:
    rig = held(hold(2), slo=replace(SLO, warm_up_ms=300_000)).go(299)
    assert (rig.state.phase, rig.run.iterations) == (Phase.PROGRESSING, 0)
    rig.go(1)
    assert (rig.state.phase, rig.run.iterations) == (Phase.SUCCEEDED, 1)


def test_a_clock_that_jumps_ahead_skips_no_check() -> None:
    rig = held(hold(10)).go(60)
    rig.now += HOUR * 1000
    rig.settle()
    assert (rig.state.phase, rig.run.iterations) == (Phase.PROGRESSING, 2)
    assert rig.run.last_check.late_ms == (HOUR - 60) * 1000
    rig.go(8 * 60)
    assert (rig.state.phase, rig.run.iterations) == (Phase.SUCCEEDED, 10)


def test_a_clock_that_is_set_back_makes_no_hold_longer() -> None:
    rig = held(hold(10)).go(300)
    rig.now -= HOUR * 1000
    rig.settle()
    rig.go(299)
    assert rig.is_in(Phase.PROGRESSING)
    rig.go(1)
    assert rig.is_in(Phase.SUCCEEDED)


def test_a_clock_that_is_set_back_between_two_checks_makes_no_pause_longer() -> None:
    rig = held(ir.PauseOp(duration_ms=600_000)).go(300)
    rig.now -= HOUR * 1000
    rig.go(299)
    assert rig.is_in(Phase.PROGRESSING)
    rig.go(1)
    assert rig.is_in(Phase.SUCCEEDED)


def test_a_late_check_says_how_late_and_moves_the_next_one() -> None:
    rig = held(ir.HoldOp(checks=2, analysis="slo"))
    rig.now += 95_000
    rig.settle()
    assert rig.run.last_check.late_ms == 35_000
    rig.go(59)
    assert rig.run.iterations == 1
    rig.go(1)
    assert rig.run.iterations == 2


def test_a_check_whose_answers_are_out_does_not_overlap_the_next() -> None:
    rig = held(hold(3))
    rig.error_rate = lambda arm: None
    rig.go(300)
    assert rig.run.iterations == 0
    rig.silent.clear()
    rig.error_rate = lambda arm: 0.0
    rig.settle()
    assert (rig.run.iterations, rig.run.last_check.late_ms) == (2, 180_000)


def test_deadlines_do_not_fire_on_a_canary_that_became_ready_in_the_meantime() -> None:
    rig = Rig(ramp(10))
    rig.settle()
    rig.revision = "v2"
    rig.takes_routing = True
    rig.now += HOUR * 1000
    rig.settle()
    assert rig.is_in(Phase.PROGRESSING)


WEEKDAYS = ir.Window((0, 1, 2, 3, 4), 9 * 60, 16 * 60 + 30, "Europe/Berlin")
NIGHT = ir.Window((0, 1, 2, 3, 4, 5, 6), 22 * 60, 6 * 60)


def at(text: str) -> int:
    from datetime import UTC, datetime

    return int(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2027-01-15 07:59", False),  # 08:59 in Berlin, a Friday
        ("2027-01-15 08:00", True),
        ("2027-01-15 15:29", True),
        ("2027-01-15 15:30", False),  # the end is not included
        ("2027-01-16 10:00", False),  # a Saturday
        ("2027-07-15 07:00", True),  # summer time: 09:00
    ],
)
def test_a_window_is_open_by_its_own_zone(moment: str, expected: bool) -> None:
    assert is_open(WEEKDAYS, at(moment)) is expected


def test_a_window_may_last_past_midnight() -> None:
    assert is_open(NIGHT, at("2027-01-15 23:00"))
    assert is_open(NIGHT, at("2027-01-16 05:59"))
    assert not is_open(NIGHT, at("2027-01-16 06:00"))


def test_when_a_window_opens_next() -> None:
    assert opens_at(WEEKDAYS, at("2027-01-15 15:30")) == at("2027-01-18 08:00")
    assert opens_at(WEEKDAYS, at("2027-01-18 09:00")) == at("2027-01-18 09:00")
    assert opens_at(ir.Window(()), at("2027-01-18 09:00")) is None


def test_a_rollout_starts_and_promotes_only_in_its_window() -> None:
    window = ir.Window((0, 1, 2, 3, 4, 5, 6), 9 * 60, 9 * 60 + 30)  # START is 08:00 UTC
    rig = Rig(program(ir.RouteOp(weight=10), hold(60), ir.PromoteOp(), only_in=("w",), windows={"w": window})).begin()
    assert (rig.state.phase, rig.state.reason) == (Phase.WAITING, "waiting for the window `w` to open")
    rig.go(HOUR)
    assert rig.weights == [0, 10]
    rig.go(HOUR)
    assert (rig.state.phase, rig.weights) == (Phase.WAITING_PROMOTION, [0, 10])
    rig.go(23 * HOUR)
    assert rig.is_in(Phase.SUCCEEDED)


def test_wait_until_a_window_opens() -> None:
    window = ir.Window((0, 1, 2, 3, 4, 5, 6), 9 * 60, 17 * 60)
    rig = Rig(program(ir.PauseOp(window="w"), ir.PromoteOp(), windows={"w": window})).begin()
    assert rig.state.reason == "waiting for the window `w` to open"
    rig.go(HOUR)
    assert rig.is_in(Phase.SUCCEEDED)
