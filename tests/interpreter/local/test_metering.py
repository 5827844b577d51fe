"""Counts over a window are those of the window, of one revision, exactly; memory stays bounded."""

from __future__ import annotations

from interpreter.local import metering
from interpreter.local.metering import Metering, Subject

CANARY = Subject("canary", "v2")


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_window_has_what_came_within_it() -> None:
    clock = Clock()
    meter = Metering(clock)
    meter.snapshot()
    for second in range(100):
        clock.seconds += 1
        meter.record(CANARY, 500 if second >= 90 else 200, 0.003)
        meter.snapshot()
    assert meter.window(CANARY, 20.0)[:2] == (20, 10)
    assert meter.window(CANARY, 20.0, ended=10.0)[:2] == (20, 0)
    assert meter.window(CANARY, 1000.0)[:2] == (100, 10)


def test_a_window_that_ends_now_has_what_no_snapshot_has_yet() -> None:
    clock = Clock()
    meter = Metering(clock)
    meter.snapshot()
    clock.seconds += 5
    meter.record(CANARY, 503, 0.1)
    assert meter.window(CANARY, 10.0)[:2] == (1, 1)


def test_revisions_are_counted_apart() -> None:
    meter = Metering(Clock())
    meter.record(CANARY, 500, 0.1)
    meter.record(Subject("canary", "v3"), 200, 0.1)
    assert meter.window(Subject("canary", "v3"), 60.0)[:2] == (1, 0)
    assert meter.window(Subject("canary", "v4"), 60.0)[:2] == (0, 0)


def test_latencies_are_a_cumulative_histogram() -> None:
    meter = Metering(Clock())
    for seconds in (0.0005, 0.004, 0.004, 3.0, 99.0):
        meter.record(CANARY, 200, seconds)
    rows = dict(meter.window(CANARY, 60.0).cumulative())
    assert (rows[0.001], rows[0.005], rows[2.5], rows[5.0], rows[float("inf")]) == (1, 3, 3, 4, 5)


def test_what_a_mirrored_request_got_counts_for_the_canary_but_nobody_was_served() -> None:
    meter = Metering(Clock())
    meter.record(CANARY, 500, 0.1, mirror=True)
    meter.record(Subject("primary", "v1"), 200, 0.1)
    assert meter.window(CANARY, 60.0)[:2] == (1, 1)
    assert (meter.served(), meter.by_role("canary"), meter.mirrored) == ((1, 0), (0, 0), 1)


def test_a_long_run_keeps_a_bounded_number_of_snapshots_and_its_first_ones() -> None:
    clock = Clock()
    meter = Metering(clock)
    meter.snapshot()
    for _ in range(3 * metering.MOST_SNAPSHOTS):
        clock.seconds += 1
        meter.record(CANARY, 200, 0.01)
        meter.snapshot()
    assert len(meter._times) <= metering.MOST_SNAPSHOTS
    assert meter.window(CANARY, 60.0).total == 60
    assert abs(meter.window(CANARY, 2.0 * metering.MOST_SNAPSHOTS).total - 2 * metering.MOST_SNAPSHOTS) <= 8
