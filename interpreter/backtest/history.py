"""What a Prometheus says today to a question of the past.

Questions are rendered and answers read exactly as in a rollout (`interpreter.providers.metrics`), but for the names of
the workloads: what is the canary today may have been called otherwise then. The server that is given takes the place of
those that the policy names, and `secret` that of the Secrets of the cluster.

A server that does not answer now ends it all (`HistoryError`); an answer that a check could not have used then (several
series where one is needed) is the error that it would have been.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from math import gcd
from types import TracebackType
from typing import Literal, NamedTuple, Self

from dsl.ir import Metric, Program
from interpreter.backtest.moments import Span
from interpreter.backtest.ranges import Ranges
from interpreter.providers.metrics import Metrics, Resolved, variables
from interpreter.providers.prometheus_names import unknown
from interpreter.questions import Answer, MetricQuestion

Arm = Literal["canary", "primary", "baseline"]

TIMEOUT_S = 60.0
"""For one range, all tries together."""


class HistoryError(Exception):
    """The past cannot be asked about; the message says why, for people."""


class Names(NamedTuple):
    """What was called otherwise then: the arms' workloads, and any variable of the queries' templates."""

    canary: str | None = None
    primary: str | None = None
    baseline: str | None = None
    variables: Mapping[str, str] = {}


class History:
    """Answers questions of any moment in a span. To be closed; not for use where an event loop is running."""

    def __init__(
        self,
        program: Program,
        server: str,
        within: Span,
        names: Names | None = None,
        secret: Mapping[str, str] | None = None,
    ) -> None:
        self.server = server
        self.step_ms = step_of(program)
        self._within = within
        self._secret = dict(secret or {})
        self._ranges = Ranges(server, within, self.step_ms)
        self._known: dict[str, Answer] = {}
        self._runner = asyncio.Runner()
        names = names or Names()
        called: dict[Arm, str | None] = {"canary": names.canary, "primary": names.primary, "baseline": names.baseline}
        self._metrics = {
            arm: Metrics(
                _renamed(program, arm, workload, names.variables),
                {"prometheus": self._ranges},
                timeout=TIMEOUT_S,
                resolve=self._resolve,
            )
            for arm, workload in called.items()
        }

    @property
    def example(self) -> str:
        """A query as it was sent; "none" before there was one."""
        return self._ranges.example

    def unknown(self) -> tuple[str, ...]:
        """What of that query the server knew nothing of, in words."""
        span = (self._within.from_ms / 1000, self._within.to_ms / 1000)
        return unknown(self.server, self.example, span, self._secret)

    def answer(self, question: MetricQuestion) -> Answer:
        """What the metric was at the question's moment. Raises `HistoryError`."""
        known = self._known.get(question.key)
        if known is None:
            known = self._runner.run(self._metrics[question.arm].answer(question))
            if self._ranges.problem is not None:
                raise HistoryError(f"`{question.metric}` of {question.arm}: {self._ranges.problem}")
            self._known[question.key] = known
        return known

    async def _resolve(self, metric: Metric) -> Resolved:
        return Resolved(replace(metric, server=None, secret=None), self._secret)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._runner.run(self._ranges.close())
        self._runner.close()


def step_of(program: Program) -> int:
    """The step with which ranges are asked for: what all intervals of the analyses have in common, in milliseconds."""
    return gcd(*(analysis.every_ms for analysis in program.analyses.values())) or 60_000


def _renamed(program: Program, arm: Arm, workload: str | None, given: Mapping[str, str]) -> Program:
    """The Program whose queries ask about an arm as it was called then."""
    metrics = {
        name: replace(metric, arguments={**metric.arguments, **_names(program, metric, arm, workload), **given})
        for name, metric in program.metrics.items()
    }
    return replace(program, metrics=metrics)


def _names(program: Program, metric: Metric, arm: Arm, workload: str | None) -> dict[str, str]:
    """The template's variables that follow from the name of an arm's workload."""
    if workload is None:
        return {}
    usual = variables(program, metric, MetricQuestion("", arm, 1000, 0))
    pods = str(usual["pods"]).removeprefix(str(usual["workload"]))
    return {"workload": workload, arm: workload, "pods": workload + pods}
