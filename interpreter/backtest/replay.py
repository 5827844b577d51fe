"""The machine, driven through a span of the past.

The driver is the simulator's: the same passes, a clock that jumps, workloads that are ready at once, people who approve
at once, webhooks and gates that say yes. So a rollout goes as fast as its policy lets it, with the real counting of
failed checks, holds and windows of time. Only the metrics are not made up.

`once` takes both arms as they were. How their requests were split then was not this policy's doing, so the traffic
guard has no say. `over_and_over` begins a rollout every so often, where no canary was, with the canary's part thinned
out of the primary's (`thinning`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from dsl.ir import Metric, Program
from interpreter.backtest.history import History
from interpreter.backtest.moments import Span
from interpreter.backtest.thinning import split_of, thinned
from interpreter.desired import Instant, Routing
from interpreter.questions import Answer, MetricQuestion
from interpreter.simulator.inversion import Problem
from interpreter.simulator.scenario import Scenario
from interpreter.simulator.simulation import simulate
from interpreter.simulator.telemetry import Chosen
from interpreter.simulator.timeline import Story


class Seen(NamedTuple):
    """One answer that a check was given."""

    question: MetricQuestion
    answer: Answer


class Replay(NamedTuple):
    """What became of one rollout, and all that its checks saw, in order."""

    story: Story
    seen: tuple[Seen, ...]

    @property
    def start_ms(self) -> Instant:
        return self.story.scenario.start_ms

    @property
    def ended_ms(self) -> Instant:
        """When its outcome was decided, or the span ended."""
        story = self.story
        last_ms = min(story.last_ms, story.scenario.horizon_ms)
        return self.start_ms + (last_ms if story.ended_ms is None else story.ended_ms)


class _Past:
    """Both arms as they were."""

    def __init__(self, program: Program, history: History) -> None:
        self.metrics = program.metrics
        self._history = history
        self.seen: dict[str, Seen] = {}

    def answer(self, question: MetricQuestion, routing: Routing, at_ms: int) -> Answer:  # noqa: ARG002 - a question has its moment
        answer = self._read(question, routing)
        self.seen.setdefault(question.key, Seen(question, answer))
        return answer

    def _read(self, question: MetricQuestion, _routing: Routing) -> Answer:
        return self._history.answer(question)

    def chosen(self) -> tuple[Chosen, ...]:
        """Nothing is made up."""
        return ()


class _Thinned(_Past):
    """A canary thinned out of the primary."""

    def __init__(self, program: Program, history: History, seed: str) -> None:
        super().__init__(program, history)
        self._seed = seed
        self._baseline = program.baseline

    def _read(self, question: MetricQuestion, routing: Routing) -> Answer:
        whole = self._history.answer(replace(question, arm="primary"))
        metric: Metric = self.metrics[question.metric]
        split = split_of(routing, baseline=self._baseline)
        return thinned(question, metric.unit, whole, split, self._seed)


def once(program: Program, history: History, within: Span) -> Replay:
    """One rollout that begins with the span. Raises `HistoryError`."""
    # Beside a baseline, which takes part of the primary's requests, the traffic guard is off; nothing else changes.
    unguarded = replace(program, baseline=True)
    return _run(unguarded, _Past(program, history), within)


def over_and_over(program: Program, history: History, within: Span, every_ms: int, seed: int) -> tuple[Replay, ...]:
    """Rollouts that begin every so often, each as long as the span lets it. Raises `HistoryError`."""
    return tuple(
        _run(program, _Thinned(program, history, f"{seed}:{start}"), Span(start, within.to_ms))
        for start in starts(within, every_ms, history.step_ms)
    )


def starts(within: Span, every_ms: int, step_ms: int) -> range:
    """The moments at which rollouts begin: whole steps apart, so that they share what was fetched."""
    apart = -(-every_ms // step_ms) * step_ms
    return range(within.from_ms, within.to_ms, apart)


def _run(program: Program, past: _Past, within: Span) -> Replay:
    scenario = Scenario(
        title="replayed",
        start_ms=within.from_ms,
        approve_after_ms=0,
        ready_after_ms=0,
        horizon_ms=within.length_ms,
    )
    story = simulate(program, scenario, seen=past)
    if isinstance(story, Problem):
        raise AssertionError(
            story.text
        )  # only what a scenario states can be contradictory, and this one states nothing
    return Replay(story, tuple(past.seen.values()))
