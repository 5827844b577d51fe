"""What is counted of a rollout is counted once, whatever is written in between."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from interpreter.cluster.telemetry.meters import Meters
from interpreter.cluster.telemetry.tally import Durations, Tally
from interpreter.frozen import changed
from interpreter.state import CheckRecord, Entry, Outcome, Phase, Run, State, Verdict
from tests.interpreter.cluster.telemetry.test_flagger import program

PROGRAM = program("shift to 10%; promote")
RUN = Run(3, "a", "d", started_ms=1_000, began_ms=0)


def state(**run: object) -> State:
    return State(Phase.PROGRESSING, run=changed(RUN, **run), wall_ms=12_500)


def check(at_ms: int, verdict: Verdict = Verdict.PASS) -> CheckRecord:
    return CheckRecord(at_ms, 40, 0, 10.0, verdict, ())


def test_a_check_is_counted_when_it_is_new() -> None:
    registry = CollectorRegistry()
    tally = Tally(Meters(registry))
    one, two = state(last_check=check(12_000)), state(last_check=check(12_400, Verdict.FAIL))
    for before, after in ((state(), one), (one, changed(one, reason="holding")), (one, two), (two, two)):
        tally.note(PROGRAM, before, after)
    assert tally.checks == {Verdict.PASS: 1, Verdict.FAIL: 1}
    assert tally.durations.sum == 0.6
    assert registry.get_sample_value("rollway_check_late_seconds_sum") == 0.08


def test_an_end_is_counted_once_and_not_again_after_a_restart() -> None:
    registry = CollectorRegistry()
    over = state(outcome=Outcome.ROLLED_BACK, ended_ms=61_000)
    tally = Tally(Meters(registry))
    tally.note(PROGRAM, state(), over)
    tally.note(PROGRAM, over, changed(over, phase=Phase.FAILED))
    assert tally.ends == {(False, "canary", False): 1}
    labels = {"outcome": "rolled_back"}
    assert registry.get_sample_value("rollway_rollout_duration_seconds_sum", labels) == 60
    again = Tally(Meters())
    again.note(PROGRAM, over, changed(over, phase=Phase.FAILED))
    assert not again.ends


def test_a_promotion_without_analysis_says_so_and_what_was_superseded_is_neither() -> None:
    tally = Tally(Meters())
    log = (Entry(0, 0, 0.0, "AnalysisSkipped", ""),)
    tally.note(PROGRAM, state(log=log), state(log=log, outcome=Outcome.PROMOTED, ended_ms=2_000))
    tally.note(PROGRAM, state(), state(outcome=Outcome.SUPERSEDED, ended_ms=2_000))
    assert tally.ends == {(True, "canary", True): 1}


def test_a_retried_run_can_end_again() -> None:
    tally = Tally(Meters())
    failed = state(outcome=Outcome.PROMOTION_FAILED, ended_ms=2_000)
    tally.note(PROGRAM, state(), failed)
    tally.note(PROGRAM, failed, state())
    tally.note(PROGRAM, state(), state(outcome=Outcome.PROMOTED, ended_ms=3_000))
    assert tally.ends == {(False, "canary", False): 1, (True, "canary", False): 1}


def test_buckets_have_what_is_not_above_them() -> None:
    durations = Durations()
    for seconds in (0.005, 0.2, 2.0, 99.0):
        durations.add(seconds)
    buckets = dict(durations.buckets)
    assert (buckets["0.005"], buckets["0.25"], buckets["2.5"], buckets["10.0"], buckets["+Inf"]) == (1, 2, 3, 3, 4)
