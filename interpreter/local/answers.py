"""Where answers about metrics come from: the proxy's own counts, or a Prometheus if the run was given one.

The proxy's counts do not outlive it. After a restart a window that reaches back before it would hold too little, and a
check might fail for want of data that the canary is not to blame for. So the answer waits until a whole window has been
counted anew: the check is late, and says so, but judges as much as it would have.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Literal

from dsl.ir import Program
from interpreter.desired import Instant
from interpreter.local.metering import Metering, Subject, Tally
from interpreter.local.upstreams import Upstreams
from interpreter.providers import counts
from interpreter.providers.job import Job
from interpreter.providers.metrics import Metrics
from interpreter.providers.prometheus import Prometheus
from interpreter.questions import Answer, MetricQuestion

Arm = Literal["canary", "primary", "baseline"]


class Counters:
    """The proxy's counts, for the revision that an arm has now."""

    def __init__(self, metering: Metering, upstreams: Upstreams) -> None:
        self._metering = metering
        self._upstreams = upstreams
        self.now: Instant = 0

    def events(self, arm: Arm, window_ms: int, at_ms: int) -> tuple[int, int]:
        tally = self._window(arm, window_ms, at_ms)
        return tally.bad, tally.total

    def histogram(self, arm: Arm, window_ms: int, at_ms: int) -> tuple[tuple[float, float], ...]:
        return self._window(arm, window_ms, at_ms).cumulative()

    def _window(self, arm: Arm, window_ms: int, at_ms: int) -> Tally:
        subject = Subject(arm, self._upstreams.revisions.get(arm, "none"))
        ended = max(0, self.now - at_ms) / 1000
        return self._metering.window(subject, window_ms / 1000, ended=ended)


class Answers:
    """Answers the metric questions of one Program."""

    def __init__(self, program: Program, counters: Counters, prometheus: str | None, timeout: float) -> None:
        self._program = program
        self._counters = counters
        self._given = prometheus is not None
        self._counting: asyncio.Future[float] | None = None
        asked = _without_servers(program) if prometheus is not None else program
        self._metrics = Metrics(asked, {"prometheus": Prometheus(prometheus), "job": Job()}, timeout=timeout)

    async def answer(self, question: MetricQuestion, now: Instant) -> Answer:
        """Never raises for what a server does."""
        metric = self._program.metrics[question.metric]
        has_server = self._given or (metric.server is not None and not counts.answers(question.metric, metric))
        if has_server:
            return await self._metrics.answer(question)
        waited = await self._whole_window(question)
        self._counters.now = now if not waited else question.at_ms
        return counts.answer(self._counters, metric, question)

    def after_restart(self) -> None:
        """The counts begin anew: at `counting`, not before."""
        self._counting = asyncio.get_running_loop().create_future()

    def counting(self) -> None:
        """From now on requests are counted."""
        if self._counting is not None and not self._counting.done():
            self._counting.set_result(time.monotonic())

    async def _whole_window(self, question: MetricQuestion) -> bool:
        """Wait until a whole window has been counted since the restart; whether there was anything to wait for."""
        if self._counting is None:
            return False
        began = await asyncio.shield(self._counting)
        missing = began + question.window_ms / 1000 - time.monotonic()
        if missing <= 0:
            return False
        await asyncio.sleep(missing)
        return True

    async def close(self) -> None:
        await self._metrics.close()


def _without_servers(program: Program) -> Program:
    """The server that is given takes the place of those that the policy names, which are a cluster's."""
    metrics = {name: replace(metric, server=None) for name, metric in program.metrics.items()}
    return replace(program, metrics=metrics)
