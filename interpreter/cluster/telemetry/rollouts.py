"""Our own series of rollouts: where each is, and the evidence of its last check.

A line of a policy is a label; there are at most 32 of a rollout (`interpreter.series.MOST_LINES`), of at most 100
characters, and what could be secret in one is masked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from interpreter.cluster.telemetry.standing import Standing
from interpreter.masking import mask

WHOSE = ("namespace", "name", "kind")
UNREAD = "Unread"
"""In the place of a phase, where a policy could not be read yet."""


def families(standings: Sequence[Standing]) -> Iterator[Metric]:
    """All of them."""
    by_phase = GaugeMetricFamily(
        "rollway_rollouts", "How many rollouts there are.", labels=("namespace", "kind", "phase")
    )
    counts = Counter((one.ref.namespace, one.ref.kind, one.phase or UNREAD) for one in standings)
    for labels, count in sorted(counts.items()):
        by_phase.add_metric(labels, count)
    yield by_phase
    yield from _places(standings)
    yield from _checks(standings)


def _places(standings: Sequence[Standing]) -> Iterator[Metric]:
    weight = GaugeMetricFamily("rollway_rollout_weight_percent", "The canary's share of the traffic.", labels=WHOSE)
    step = GaugeMetricFamily(
        "rollway_rollout_step", "The step that it is at, from 1; 0 before the first.", labels=WHOSE
    )
    failed = GaugeMetricFamily("rollway_rollout_failed_checks", "Checks that failed in this run.", labels=WHOSE)
    began = GaugeMetricFamily(
        "rollway_rollout_started_timestamp_seconds", "When the last run began, in Unix time.", labels=WHOSE
    )
    took = GaugeMetricFamily(
        "rollway_rollout_last_duration_seconds", "How long the last run took that is over.", labels=(*WHOSE, "outcome")
    )
    for one in standings:
        if one.state is None:
            continue
        weight.add_metric(one.labels, one.state.routing.weight)
        run = one.state.run
        if run is None:
            continue
        began.add_metric(one.labels, run.started_ms / 1000)
        failed.add_metric(one.labels, run.failed_checks)
        if run.ended_ms is None:
            step.add_metric(one.labels, run.cursor.pc + 1)
        elif run.outcome is not None:
            took.add_metric((*one.labels, run.outcome), (run.ended_ms - run.started_ms) / 1000)
    yield from (weight, step, failed, began, took)


def _checks(standings: Sequence[Standing]) -> Iterator[Metric]:
    results = CounterMetricFamily("rollway_checks", "Checks that were made, by verdict.", labels=(*WHOSE, "verdict"))
    of_line = (*WHOSE, "check", "value")
    value = GaugeMetricFamily("rollway_check_value", "What the last check saw, in base units.", labels=of_line)
    threshold = GaugeMetricFamily(
        "rollway_check_threshold", "What that was compared with, in base units.", labels=of_line
    )
    for one in standings:
        for verdict, count in sorted(one.tally.checks.items()):
            results.add_metric((*one.labels, verdict), count)
        _add_evidence(one, value, threshold)
    yield from (results, value, threshold)


def _add_evidence(one: Standing, value: GaugeMetricFamily, threshold: GaugeMetricFamily) -> None:
    seen = set()
    for reading in one.last_readings:
        labels = (*one.labels, mask(reading.line.text), mask(reading.line.name))
        if labels in seen:  # two lines that differ in nothing but how they are meant
            continue
        seen.add(labels)
        if reading.value is not None:
            value.add_metric(labels, reading.value)
        if reading.threshold is not None:
            threshold.add_metric(labels, reading.threshold)
