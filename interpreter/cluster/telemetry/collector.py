"""The registry of a process, and the collector that reads whatever term of leadership is at work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from interpreter.cluster.telemetry import flagger, process, rollouts
from interpreter.cluster.telemetry.meters import Meters
from interpreter.cluster.telemetry.standing import Standing


class Work(Protocol):
    """What is read of a term."""

    @property
    def queue(self) -> process.Queue: ...

    @property
    def caches(self) -> process.Watched: ...

    @property
    def events_dropped(self) -> int: ...

    def standings(self) -> Iterator[Standing]: ...


class Telemetry(Collector):
    """`work` is the term at work, None while another replica leads. Everything is read on the event loop's thread."""

    def __init__(self, requests: Counter[tuple[str, str]], version: str, default_provider: str) -> None:
        self._requests = requests
        self._version = version
        self._provider = default_provider
        self.work: Work | None = None
        self.registry = CollectorRegistry()
        self.meters = Meters(self.registry)
        self.registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing is known beforehand; without this the registry would collect all at once, before anything is."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All series, as things are now."""
        work = self.work
        yield from process.always(self._requests, self._version, leads=work is not None)
        if work is not None:
            yield from process.at_work(work.queue, work.caches, work.events_dropped)
            standings = sorted(work.standings(), key=lambda one: one.labels)
            yield from flagger.families(standings, self._version, self._provider)
            yield from rollouts.families(standings)
