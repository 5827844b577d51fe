"""The traffic of a rollout, drawn by chance: what metric providers would count of each arm.

Time is cut into pieces; in each of them the routing is the same, and each metric of each arm is counted once, when it
is first asked for. Windows that overlap therefore share what they have in common. A window that ends within a piece
gets its part of it, as a server that interpolates gives it. Before the rollout all traffic was the primary's, and
healthy; a canary has no counts from then.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from interpreter.desired import Instant, Routing
from interpreter.questions import Answer, Events, Histogram, MetricQuestion, NoDataAnswer, Value
from interpreter.routing import HOME
from interpreter.simulator.draws import buckets, count
from interpreter.simulator.telemetry import PROBES, shares

START: Instant = 1_700_000_000_000
"""When every rollout begins: any moment will do."""


class Requests(NamedTuple):
    """A metric of events: requests to the service a second, and the share of them that is bad."""

    rate: float
    bad: float


class Latencies(NamedTuple):
    """A histogram: requests a second, the finite bounds in seconds, and the share of requests in each bucket; the last
    bucket is the one without bound."""

    rate: float
    bounds: tuple[float, ...]
    shares: tuple[float, ...]


class Level(NamedTuple):
    """A metric that is a plain number: as the provider gives it, and always the same."""

    value: float


Source = Requests | Latencies | Level
Sources = Mapping[str, Source]
"""By the name of the leaf metric."""


class Traffic(NamedTuple):
    """What the arms are like. `load` is the service's requests a second. With `baseline` a fresh copy of the primary,
    which is like it, gets as much as the canary out of the primary's part."""

    load: float
    healthy: Sources
    canary: Sources
    baseline: bool = False


class _Piece:
    """From `start` to `end` the canary had this share of the traffic."""

    __slots__ = ("drawn", "end", "shared", "start")

    def __init__(self, start: int, end: int, shared: Mapping[str, float]) -> None:
        self.start = start
        self.end = end
        self.shared = shared
        self.drawn: dict[tuple[str, str], list[float]] = {}


class Crowd:
    """The traffic of one rollout. Times are milliseconds since its start."""

    def __init__(self, traffic: Traffic, chance: Random) -> None:
        self._traffic = traffic
        self._chance = chance
        self._pieces: list[_Piece] = []
        self._past: dict[str, list[float]] = {}
        self._shared = _shared(HOME, traffic)
        self.now = 0
        self.to_canary = 0.0

    def route(self, routing: Routing) -> None:
        """From now on requests are split like this."""
        self._shared = _shared(routing, self._traffic)

    def go_on(self, until: int, cuts: tuple[int, ...] = ()) -> None:
        """Time passes. `cuts` say how long before `until` windows will begin, the longest first."""
        begin = self.now
        for back in cuts:
            if begin < until - back < until:
                self._pieces.append(_Piece(begin, until - back, self._shared))
                begin = until - back
        if begin < until:
            self._pieces.append(_Piece(begin, until, self._shared))
        self.to_canary += self._shared["canary"] * self._traffic.load * max(0, until - self.now) / 1000
        self.now = max(until, self.now)

    def answer(self, question: MetricQuestion) -> Answer:
        """What the provider says."""
        source = (self._traffic.canary if question.arm == "canary" else self._traffic.healthy)[question.metric]
        if isinstance(source, Level):
            return Value(source.value)
        counts = self._counts(question, source)
        if counts is None:
            return NoDataAnswer("no requests")
        if isinstance(source, Requests):
            return Events(counts[0], counts[0] + counts[1])
        return Histogram(buckets(counts, source.bounds))

    def _counts(self, question: MetricQuestion, source: Requests | Latencies) -> list[float] | None:
        """What was counted in the window of a question; None where nothing can have been."""
        end = question.at_ms - START
        begin = end - question.window_ms
        parts: list[list[float]] = []
        for piece in reversed(self._pieces):
            if piece.end <= begin:
                break
            if piece.start >= end or piece.shared[question.arm] <= 0:
                continue
            drawn = self._drawn(piece, question, source)
            seen = min(piece.end, end) - max(piece.start, begin)
            length = piece.end - piece.start
            parts.append(drawn if seen == length else [each * seen / length for each in drawn])
        if begin < 0 and question.arm == "primary":
            parts.append(self._before(question, source, (min(0, end) - begin) / 1000))
        if len(parts) > 1:
            return [sum(each) for each in zip(*parts, strict=True)]
        return parts[0] if parts else None

    def _drawn(self, piece: _Piece, question: MetricQuestion, source: Requests | Latencies) -> list[float]:
        key = (question.metric, question.arm)
        drawn = piece.drawn.get(key)
        if drawn is None:
            seconds = piece.shared[question.arm] * (piece.end - piece.start) / 1000
            drawn = piece.drawn[key] = self._draw(source, seconds)
        return drawn

    def _before(self, question: MetricQuestion, source: Requests | Latencies, seconds: float) -> list[float]:
        """Before the rollout; a question that comes again gets the same answer."""
        if question.key not in self._past:
            self._past[question.key] = self._draw(source, seconds)
        return self._past[question.key]

    def _draw(self, source: Requests | Latencies, seconds: float) -> list[float]:
        """What comes in this many seconds of the whole traffic: bad and good ones, or those in each bucket."""
        every = source.rate * seconds
        if isinstance(source, Requests):
            return [count(every * source.bad, self._chance), count(every * (1 - source.bad), self._chance)]
        return [count(every * share, self._chance) for share in source.shares]


def _shared(routing: Routing, traffic: Traffic) -> Mapping[str, float]:
    """The share of all requests that each arm gets. A canary without traffic of its own is under a load test."""
    shared = {arm.value: share for arm, share in shares(routing).items()}
    if traffic.baseline and routing.weight > 0:
        # As `interpreter.traffic.provider` has it: no more than the primary keeps.
        shared["baseline"] = min(routing.weight, (100 - routing.weight) / 2) / 100
        shared["primary"] -= shared["baseline"]
    for arm in ("canary", "baseline"):
        if shared[arm] <= 0:
            shared[arm] = PROBES / traffic.load
    return shared
