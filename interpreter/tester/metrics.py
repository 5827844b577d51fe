"""What Prometheus is told about the tester."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from interpreter.tester.record import Record

BUCKETS = (0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    """All series; a gate's is there once it has been asked for or moved."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._ended = Counter(
            "rollway_tester_tasks", "Tasks that have ended.", ("type", "outcome"), registry=self.registry
        )
        self._seconds = Histogram(
            "rollway_tester_task_duration_seconds", "How long tasks took.", ("type",),
            buckets=BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.running = Gauge("rollway_tester_tasks_running", "Tasks that run now.", ("type",), registry=self.registry)
        self.refused = Counter(
            "rollway_tester_requests_refused", "Requests that were refused.", ("status",), registry=self.registry
        )
        self._gate = Gauge(
            "rollway_tester_gate_open", "Whether a gate was open when it was last asked or moved.",
            ("kind", "namespace", "name"), registry=self.registry,
        )  # fmt: skip
        self.store_failures = Counter(
            "rollway_tester_store_failures", "Records that could not be read or written.", registry=self.registry
        )

    def ended(self, record: Record) -> None:
        """A task has come to its end."""
        self._ended.labels(record.kind, record.state.value).inc()
        if record.ended_ms is not None:
            self._seconds.labels(record.kind).observe((record.ended_ms - record.began_ms) / 1000)

    def gate(self, kind: str, namespace: str, name: str, *, is_open: bool) -> None:
        """How a gate stands."""
        self._gate.labels(kind, namespace, name).set(1 if is_open else 0)
