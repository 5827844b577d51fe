"""Series of the controller itself: whether it leads, what waits, what it asks of the API server, what it watches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


class Queue(Protocol):
    """What is read of the work queue."""

    @property
    def oldest_age(self) -> float: ...

    @property
    def busy(self) -> int: ...

    def __len__(self) -> int: ...


class Watched(Protocol):
    """What is read of the caches."""

    restarts: Counter[tuple[str, str]]

    @property
    def sizes(self) -> dict[str, int]: ...

    @property
    def unwatched(self) -> list[str]: ...


def always(requests: Mapping[tuple[str, str], int], version: str, *, leads: bool) -> Iterator[Metric]:
    """What every replica has."""
    info = GaugeMetricFamily("rollway_build_info", "The version that runs.", labels=("version",))
    info.add_metric((version,), 1)
    yield info
    yield GaugeMetricFamily("rollway_leader", "1 if this replica does the work.", value=float(leads))
    sent = CounterMetricFamily("rollway_api_requests", "Requests to the API server.", labels=("verb", "kind"))
    for labels, count in sorted(requests.items()):
        sent.add_metric(labels, count)
    yield sent


def at_work(queue: Queue, watched: Watched, dropped: int) -> Iterator[Metric]:
    """What only the leader has."""
    yield GaugeMetricFamily("rollway_queue_depth", "Rollouts that wait to be looked at now.", value=len(queue))
    yield GaugeMetricFamily(
        "rollway_queue_oldest_seconds", "For how long the first of them has waited.", value=queue.oldest_age
    )
    yield GaugeMetricFamily("rollway_workers_busy", "Rollouts that are being looked at now.", value=queue.busy)
    yield CounterMetricFamily("rollway_events_dropped", "Kubernetes Events that could not be written.", value=dropped)
    objects = GaugeMetricFamily("rollway_watched_objects", "Objects that are kept in memory.", labels=("kind",))
    for kind, count in sorted(watched.sizes.items()):
        objects.add_metric((kind,), count)
    yield objects
    yield GaugeMetricFamily(
        "rollway_unwatched_kinds", "Kinds that cannot be watched and should be.", value=len(watched.unwatched)
    )
    restarts = CounterMetricFamily("rollway_watch_restarts", "Watches begun anew.", labels=("kind", "why"))
    for labels, count in sorted(watched.restarts.items()):
        restarts.add_metric(labels, count)
    yield restarts
