"""What takes time, measured when it happens: looks, checks, queries, calls, messages, rollouts.

One set for the life of the process, whatever terms of leadership it has. No label is a name that a user gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics

SHORT_S = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LONG_S = (60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0, 259200.0, 604800.0)


class Meters:
    """The instruments, made in `registry`. All are in seconds."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Without a registry nobody reads them."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when a counter began is of no use here, and doubles the page

        def histogram(name: str, about: str, *labels: str, buckets: tuple[float, ...] = SHORT_S) -> Histogram:
            return Histogram(name, about, labels, buckets=buckets, registry=registry)

        self._looks = histogram("rollway_look_duration_seconds", "How long a look at a rollout took.", "outcome")
        self._waits = histogram("rollway_look_wait_seconds", "How late a look began: after it was due.")
        self._late = histogram("rollway_check_late_seconds", "How late a check began: after the policy wanted it.")
        self._queries = histogram(
            "rollway_provider_query_duration_seconds", "How long a metric server took.", "provider", "outcome"
        )
        self._calls = histogram(
            "rollway_webhook_duration_seconds", "How long a webhook or gate took, tries included.", "kind", "outcome"
        )
        self._messages = histogram(
            "rollway_message_duration_seconds",
            "How long a message took until it arrived or was given up.",
            "channel",
            "outcome",
            buckets=SHORT_S + LONG_S[1:9],
        )
        self._rollouts = histogram(
            "rollway_rollout_duration_seconds", "How long a rollout took, by its outcome.", "outcome", buckets=LONG_S
        )

    def waited(self, seconds: float) -> None:
        """A look begins so long after it was due."""
        self._waits.observe(max(0.0, seconds))

    def late(self, seconds: float) -> None:
        """A check began so long after it was due."""
        self._late.observe(max(0.0, seconds))

    def queried(self, provider: str, outcome: str, seconds: float) -> None:
        """A metric server was asked once: `ok`, or a word of `Trouble`."""
        self._queries.labels(provider, outcome).observe(seconds)

    def called(self, kind: str, outcome: str, seconds: float) -> None:
        """A `webhook` or a `gate` was called: `accepted`, `refused` or `unanswered`."""
        self._calls.labels(kind, outcome).observe(seconds)

    def sent(self, channel: str, arrived: bool, seconds: float) -> None:
        """A message to a service (`slack`) arrived or will not."""
        self._messages.labels(channel, "arrived" if arrived else "failed").observe(seconds)

    def ended(self, outcome: str, seconds: float) -> None:
        """A rollout is over."""
        self._rollouts.labels(outcome).observe(max(0.0, seconds))

    @contextmanager
    def look(self) -> Iterator[Look]:
        """Measure a look; say in what is given how it went."""
        begun, look = monotonic(), Look()
        try:
            yield look
        finally:
            self._looks.labels(look.outcome).observe(monotonic() - begun)


class Look:
    """One look. `outcome` is `ok`, `conflict`, `not_leader`, `trouble` or `bug`."""

    outcome = "ok"
