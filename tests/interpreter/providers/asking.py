"""The way of a question: from a metric of a policy, through `Metrics` and the provider, to the machine's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dsl import ir
from interpreter import questions
from interpreter.providers.metrics import Metrics, Resolved
from interpreter.providers.registry import Providers

WINDOW_MS = 60_000


async def answer(
    metric: ir.Metric,
    at_ms: int,
    *,
    secret: Mapping[str, str] | None = None,
    region: str = "",
    arm: ir.Arm = ir.Arm.CANARY,
) -> questions.Answer:
    """The answer about the minute that ended at `at_ms`. `secret` is what the metric's Secret holds."""
    program = ir.Program(
        name="shop",
        namespace="test",
        target=ir.WorkloadRef("deployment", "shop"),
        traffic=ir.Traffic("istio"),
        service=ir.Service("shop"),
        code=(),
        metrics={"it": metric},
    )

    async def resolve(named: ir.Metric) -> Resolved:
        return Resolved(replace(named, secret=None), secret or {}, region)

    providers = Providers()
    metrics = Metrics(program, providers, resolve=resolve)
    try:
        return await metrics.answer(questions.MetricQuestion("it", arm.value, WINDOW_MS, at_ms))
    finally:
        await providers.close()


def number(provider: str, text: str, server: str) -> ir.Metric:
    """A metric that is one number."""
    return ir.Metric(ir.Unit.NUMBER, (ir.Query(provider, text),), server=server)


def events(provider: str, bad: str, total: str, server: str) -> ir.Metric:
    """A metric of two counts."""
    queries = (ir.Query(provider, bad, "bad"), ir.Query(provider, total, "total"))
    return ir.Metric(ir.Unit.EVENTS, queries, server=server)


def reason(given: questions.Answer) -> str:
    """What an answer that is no number says."""
    assert isinstance(given, questions.ErrorAnswer | questions.NoDataAnswer), given
    return given.reason
