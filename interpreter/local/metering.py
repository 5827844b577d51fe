"""What the proxy has seen: counts and latencies by arm and revision, and what they were a while ago.

Counters only ever grow. A snapshot of them is kept at short intervals, so that "what happened in the last minute" is
the difference of two snapshots, as `increase()` is in Prometheus. Counts belong to a revision, not only to an arm: a
window never mixes what two canaries did.

Time here is the monotonic clock, in seconds: a wall clock that jumps changes no window.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from interpreter.desired import Role

BOUNDS: tuple[float, ...] = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, float("inf")),
)
"""Upper bounds of the latency buckets, in seconds: Prometheus's own, and two finer ones below."""

MOST_SNAPSHOTS = 8192


class Subject(NamedTuple):
    """Whose requests are counted."""

    role: Role
    revision: str


class Tally(NamedTuple):
    """Counts up to a moment; `buckets` are per bucket, not cumulative."""

    total: int
    bad: int
    seconds: float
    buckets: tuple[int, ...]

    def since(self, earlier: Tally) -> Tally:
        """What came after `earlier`."""
        buckets = tuple(a - b for a, b in zip(self.buckets, earlier.buckets, strict=True))
        return Tally(self.total - earlier.total, self.bad - earlier.bad, self.seconds - earlier.seconds, buckets)

    def cumulative(self) -> tuple[tuple[float, float], ...]:
        """(upper bound, requests at or below it), as Prometheus has histograms."""
        seen = 0
        rows: list[tuple[float, float]] = []
        for bound, count in zip(BOUNDS, self.buckets, strict=True):
            seen += count
            rows.append((bound, float(seen)))
        return tuple(rows)


NOTHING = Tally(0, 0, 0.0, (0,) * len(BOUNDS))


class Counts:
    """The running counters of one subject."""

    __slots__ = ("buckets", "codes", "seconds")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.buckets = [0] * len(BOUNDS)
        self.seconds = 0.0

    def add(self, status: int, seconds: float) -> None:
        self.codes[status] = self.codes.get(status, 0) + 1
        self.buckets[_bucket(seconds)] += 1
        self.seconds += seconds

    def tally(self) -> Tally:
        bad = sum(count for code, count in self.codes.items() if code >= 500)
        return Tally(sum(self.codes.values()), bad, self.seconds, tuple(self.buckets))


class Served(NamedTuple):
    """What clients got, from anybody."""

    total: int = 0
    failed: int = 0


class Metering:
    """Counts every answer, and remembers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[Subject, Counts] = {}
        self._times: list[float] = []
        self._snapshots: list[Mapping[Subject, Tally]] = []
        self._clients: dict[Subject, list[int]] = {}
        self.mirrored = 0
        self.mirror_dropped = 0

    def record(self, subject: Subject, status: int, seconds: float, *, mirror: bool = False) -> None:
        """One answer of `subject`. What a mirrored request got is counted, but no client saw it."""
        counts = self._counts.get(subject)
        if counts is None:
            counts = self._counts[subject] = Counts()
        counts.add(status, seconds)
        if mirror:
            self.mirrored += 1
            return
        clients = self._clients.setdefault(subject, [0, 0])
        clients[0] += 1
        clients[1] += status >= 500

    def snapshot(self) -> None:
        """Remember the counters as they are now. Called at short intervals."""
        self._times.append(self._clock())
        self._snapshots.append({subject: counts.tally() for subject, counts in self._counts.items()})
        if len(self._times) > MOST_SNAPSHOTS:
            self._thin()

    def window(self, subject: Subject, seconds: float, *, ended: float = 0.0) -> Tally:
        """What `subject` did in the `seconds` that ended `ended` seconds ago."""
        end = self._clock() - ended
        last = self._now(subject) if ended <= 0 else self._at(subject, end)
        return last.since(self._at(subject, end - seconds))

    def served(self, revision: str | None = None) -> Served:
        """What clients got: of all, or of one revision, in whatever role."""
        rows = [counts for subject, counts in self._clients.items() if revision in (None, subject.revision)]
        return Served(sum(row[0] for row in rows), sum(row[1] for row in rows))

    def by_role(self, role: Role) -> Served:
        """What clients got from one arm."""
        rows = [counts for subject, counts in self._clients.items() if subject.role == role]
        return Served(sum(row[0] for row in rows), sum(row[1] for row in rows))

    def everything(self) -> Iterator[tuple[Subject, Counts]]:
        """All counters, for the page of metrics."""
        yield from self._counts.items()

    def _now(self, subject: Subject) -> Tally:
        counts = self._counts.get(subject)
        return counts.tally() if counts else NOTHING

    def _at(self, subject: Subject, moment: float) -> Tally:
        """The counters at `moment`: those of the last snapshot before it. Before the first one nothing was."""
        index = bisect_right(self._times, moment) - 1
        return self._snapshots[index].get(subject, NOTHING) if index >= 0 else NOTHING

    def _thin(self) -> None:
        """Keep every second snapshot of the older half: old moments need less precision, and memory stays bounded."""
        half = len(self._times) // 2
        self._times = self._times[:half:2] + self._times[half:]
        self._snapshots = self._snapshots[:half:2] + self._snapshots[half:]


def _bucket(seconds: float) -> int:
    for index, bound in enumerate(BOUNDS):
        if seconds <= bound:
            return index
    return len(BOUNDS) - 1
