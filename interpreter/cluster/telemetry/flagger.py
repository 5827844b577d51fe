"""Series of Flagger's, under its names and with its labels and values, for Canaries and Rollouts alike, so that its
dashboards and alerts go on working (https://docs.flagger.app/usage/monitoring).

`name` is the target's name, as with Flagger; where two rollouts have targets of one name in one namespace, the first by
name is shown. Unlike Flagger's, a series goes with its object, and is counted anew when another replica leads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from interpreter.cluster.owner import CANARY
from interpreter.cluster.telemetry.standing import UNDER_WAY, Standing
from interpreter.state import Phase, State

RUNNING, OK, FAILED = 0, 1, 2
_BUILT_IN = {"success_rate": "request-success-rate", "latency(0.99)": "request-duration"}


def families(standings: Sequence[Standing], version: str, mesh_provider: str) -> Iterator[Metric]:
    """All of them. `mesh_provider` is the traffic provider of Canaries that name none."""
    info = GaugeMetricFamily("flagger_info", "Version and mesh provider.", labels=("version", "mesh_provider"))
    info.add_metric((version, mesh_provider), 1)
    yield info
    total = GaugeMetricFamily("flagger_canary_total", "How many there are.", labels=("namespace",))
    for namespace, count in sorted(Counter(one.ref.namespace for one in standings).items()):
        total.add_metric((namespace,), count)
    yield total
    yield from _of_each(list(_by_target(standings)))


Named = tuple[str, str, Standing, State]


def _by_target(standings: Iterable[Standing]) -> Iterator[Named]:
    """One of each target's name and namespace, with both."""
    seen = set()
    for one in sorted(standings, key=lambda one: one.labels):
        if one.program is None or one.state is None:
            continue
        place = one.program.target.name, one.ref.namespace
        if place not in seen:
            seen.add(place)
            yield *place, one, one.state


def _of_each(named: list[Named]) -> Iterator[Metric]:
    labels = ("name", "namespace")
    status = GaugeMetricFamily(
        "flagger_canary_status", "Its last analysis: 0 running, 1 succeeded, 2 failed.", labels=labels
    )
    weight = GaugeMetricFamily(
        "flagger_canary_weight", "The share of the traffic, in percent.", labels=("workload", "namespace")
    )
    duration = HistogramMetricFamily(
        "flagger_canary_duration_seconds", "How long one check took, of all that were made.", labels=labels
    )
    analysis = GaugeMetricFamily(
        "flagger_canary_metric_analysis", "What the last check saw.", labels=(*labels, "metric")
    )
    for name, namespace, one, state in named:
        status.add_metric((name, namespace), _status(state.phase))
        weight.add_metric((f"{name}-primary", namespace), 100.0 - state.routing.weight)
        weight.add_metric((name, namespace), state.routing.weight)
        if one.tally.checks:  # as Flagger: those at rest, which are most, have no histogram
            duration.add_metric((name, namespace), one.tally.durations.buckets, one.tally.durations.sum)
        for metric, value in _last_values(one).items():
            analysis.add_metric((name, namespace, metric), value)
    yield from (status, weight, duration, analysis, *_ends(named))


def _ends(named: list[Named]) -> Iterator[Metric]:
    labels = ("name", "namespace", "deployment_strategy", "analysis_status")
    successes = CounterMetricFamily("flagger_canary_successes", "Rollouts that were promoted.", labels=labels)
    failures = CounterMetricFamily("flagger_canary_failures", "Rollouts that were rolled back.", labels=labels)
    for name, namespace, one, _ in named:
        for (succeeded, strategy, skipped), count in sorted(one.tally.ends.items()):
            family = successes if succeeded else failures
            family.add_metric((name, namespace, strategy, "skipped" if skipped else "completed"), count)
    yield successes
    yield failures


def _status(phase: Phase) -> int:
    if phase is Phase.FAILED:
        return FAILED
    return RUNNING if phase in UNDER_WAY else OK


def _last_values(one: Standing) -> dict[str, float]:
    """By the metric's name: of Canaries that which it has in their spec."""
    found: dict[str, float] = {}
    for reading in one.last_readings:
        if reading.value is not None and reading.line.name:
            found.setdefault(_metric(one, reading.line.name), reading.value)
    return found


def _metric(one: Standing, name: str) -> str:
    if one.ref.kind != CANARY:
        return name
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    metrics = (one.spec.get("analysis") or one.spec.get("canaryAnalysis") or {}).get("metrics") or ()
    return next((said for metric in metrics if _plain(said := str(metric.get("name", ""))) == _plain(name)), name)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())
