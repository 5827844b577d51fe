"""A rollout on this machine that a real Prometheus decides: it scrapes the proxy, the policy asks it with a query of
its own, and under load a bad revision goes back while a good one goes all the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from dsl.compiler import compile_source
from dsl.ir import Program
from dsl.source import Source
from interpreter.local import inbox
from interpreter.local.command import Command
from interpreter.local.load import Load
from interpreter.local.session import Session, Settings, session
from interpreter.providers.prometheus import Prometheus
from interpreter.state import Outcome, State
from tests.interpreter.local.programs import Record, app
from tests.prometheus.server import RealPrometheus, until

LIMIT_S = 150
V1, GOOD, BAD = app("1"), app("2"), app("bad", error_rate=0.3)
SEEN = 'sum(increase(rollway_proxy_requests_total{arm="primary"}[5s])) > 0'

POLICY = """\
metric answers returns events {
  bad   prometheus \"""
    sum(increase(rollway_proxy_requests_total{workload="{{ workload }}", code=~"5.."}[{{ interval }}]))
  \"""
  total prometheus \"""
    sum(increase(rollway_proxy_requests_total{workload="{{ workload }}"}[{{ interval }}]))
  \"""
  no_data hold
}

rollout demo in local {
  target  deployment/demo
  service { port 80 }
  traffic kubernetes
  deadline 2m

  analysis {
    every    500ms
    tolerate 2 failures
    require  answers.rate <= 10% over 3s
  }

  steps {
    ramp 25% to 50% by 25% every 4 checks
    promote
  }
}
"""


def policy() -> Program:
    compiled = compile_source(Source("demo.rollout", POLICY))
    assert [rollout.program.name for rollout in compiled.rollouts] == ["demo"], compiled.diagnostics
    return compiled.rollouts[0].program


@asynccontextmanager
async def loaded(url: str) -> AsyncIterator[Load]:
    load = Load(url, 60.0, at_once=6)
    load.start()
    try:
        yield load
    finally:
        await load.stop()


def over(revision: Command) -> Callable[[State], bool]:
    return lambda state: state.run is not None and (state.run.revision, state.run.stage) == (revision.revision, "over")


async def roll_out(run: Session, revision: Command) -> Outcome | None:
    inbox.send(run.folder, inbox.submission_data(revision.text))
    state = await run.run(lambda state: over(revision)(state) and run.idle(state))
    return state.run.outcome if state.run else None


async def test_prometheus_sends_a_bad_revision_back_and_lets_a_good_one_through(
    tmp_path: Path, real_prometheus: RealPrometheus
) -> None:
    record = Record()
    asked = Prometheus(real_prometheus.url)
    settings = Settings(tmp_path, V1, prometheus=real_prometheus.url)
    async with asyncio.timeout(LIMIT_S), session(policy(), settings, record) as run:
        await run.run(run.idle)
        await run.listening.wait()
        with real_prometheus.scraping("proxy", run.parts.metrics_url):
            async with loaded(run.parts.url) as load:
                await until(asked, SEEN)
                good = await roll_out(run, GOOD)
                bad = await roll_out(run, BAD)
        failed = run.parts.metering.served(BAD.revision).failed
        weights = [row[1] for row in run.journal.all("weight")]
        state = run.state
    await asked.close()
    assert (good, bad, state.primary) == (Outcome.PROMOTED, Outcome.ROLLED_BACK, GOOD.revision)
    assert weights[:3] == [25.0, 50.0, 0.0]
    assert load.failed == failed > 0
    assert "answers.rate <= 10%" in record.of("RolledBack")[0]
    assert record.of("CheckNotMade") == []
