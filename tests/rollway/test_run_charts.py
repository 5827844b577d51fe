"""What is drawn of a run, and the figures beside it."""

from __future__ import annotations

from rollway.cluster.shown import RunShown, run_shown
from rollway.run_charts import drawn, levels, value_shown
from tests.rollway.cluster import objects
from tests.rollway.dashboard.board import checked

NOW = 1_795_428_600_000  # 2026-11-23T10:10:00Z


def run(**status: object) -> RunShown:
    return run_shown(checked(objects.run(objects.rollout(), **status)))


def test_the_traffic_first_then_each_line_of_the_checks() -> None:
    titles = [one.chart.title for one in drawn(run(), NOW)]
    assert titles == ["Traffic on the canary", "success_rate >= 99%", "latency(0.99) <= 500ms"]


def test_the_share_is_drawn_from_change_to_change_and_until_now() -> None:
    (traffic, *_) = drawn(run(), NOW)
    (line,) = traffic.chart.series
    assert line.step
    assert [share for _, share in line.points] == [0.0, 0.1, 0.3, 0.3]
    assert line.points[-1][0] == NOW / 1000
    assert [row[1] for row in traffic.rows] == ["0%", "10%", "30%"]


def test_a_run_that_is_over_is_drawn_to_its_end() -> None:
    (traffic, *_) = drawn(run(outcome="promoted"), NOW)
    assert traffic.chart.x.high == (NOW - 90_000) / 1000


def test_values_stand_against_their_threshold() -> None:
    (_, success, latency) = drawn(run(), NOW)
    assert [(limit.value, limit.label) for limit in latency.chart.thresholds] == [(0.5, "<= 500ms")]
    assert latency.chart.y.unit == "seconds"
    assert latency.chart.y.low == 0.0
    assert success.chart.y.low is None
    assert latency.rows[-1] == ("2026-11-23 10:05:00Z", "30%", "726.7ms", "<= 500ms", "fail")
    assert "the limit is >= 99%" in success.chart.description


def test_nothing_kept_is_nothing_drawn() -> None:
    manifest = objects.run(objects.rollout(), log=[], startedAt=None)
    assert drawn(run_shown(manifest), NOW) == []
    assert levels(run_shown(manifest)) == []


def test_a_line_without_data_says_so() -> None:
    (line, *_) = run().checks.lines
    assert value_shown(None, line) == "no data"
