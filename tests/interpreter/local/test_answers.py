"""Whom a question about a metric goes to, and that a restart does not turn missing counts into a verdict."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from dsl.ir import Metric, Program, Query, Unit
from interpreter.local.answers import Answers, Counters
from interpreter.local.metering import Metering, Subject
from interpreter.local.upstreams import Upstreams
from interpreter.questions import Answer, ErrorAnswer, Events, MetricQuestion, Value
from tests.interpreter.local.programs import program
from tests.interpreter.providers.server import number, serving

NOW = 1_795_413_067_000


def counted() -> tuple[Metering, Counters]:
    metering, upstreams = Metering(), Upstreams()
    upstreams.put("canary", "v2", ())
    metering.snapshot()
    return metering, Counters(metering, upstreams)


async def ask(made: Program, prometheus: str | None, metric: str) -> Answer:
    metering, counters = counted()
    metering.record(Subject("canary", "v2"), 500, 0.1)
    answers = Answers(made, counters, prometheus, 5.0)
    try:
        return await answers.answer(MetricQuestion(metric, "canary", 1000, NOW), NOW)
    finally:
        await answers.close()


async def test_a_server_that_is_given_takes_the_place_of_the_policys() -> None:
    depth = Metric(Unit.COUNT, (Query("prometheus", "depth"),), server="http://prometheus.cluster.invalid")
    made = replace(program(), metrics={**program().metrics, "depth": depth})
    async with serving() as server:
        server.answers = [number("7")]
        assert await ask(made, server.url, "depth") == Value(7.0)
        assert await ask(made, server.url, "requests") == Events(7.0, 7.0)
        own = replace(made, metrics={**made.metrics, "depth": replace(depth, server=server.url)})
        assert await ask(own, None, "depth") == Value(7.0)
        assert await ask(own, None, "requests") == Events(1, 1)
    nowhere = replace(made, metrics={"depth": replace(depth, server=None)})
    got = await ask(nowhere, None, "depth")
    assert isinstance(got, ErrorAnswer)
    assert "--prometheus URL" in got.reason


async def test_after_a_restart_an_answer_waits_for_a_whole_window() -> None:
    metering, counters = counted()
    answers = Answers(program(), counters, None, 5.0)
    answers.after_restart()
    question = MetricQuestion("requests", "canary", 300, NOW)
    asked = asyncio.create_task(answers.answer(question, NOW))
    await asyncio.sleep(0.1)
    assert not asked.done()
    began = time.monotonic()
    answers.counting()
    await asyncio.sleep(0.05)
    metering.record(Subject("canary", "v2"), 500, 0.1)
    async with asyncio.timeout(20):
        assert await asked == Events(1, 1)
    assert time.monotonic() - began >= 0.3
    before = time.monotonic()
    await answers.answer(question, NOW)
    assert time.monotonic() - before < 0.25
    await answers.close()
