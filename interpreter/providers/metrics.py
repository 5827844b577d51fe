"""From the machine's question about a metric to its answer: queries rendered, asked all at once, and put together.

The parts of `events` (`bad` and `total`) are two queries, a histogram is one with a sample for each `le`, anything else
must come to one number. Several series where one is needed are an error that says so: to take the first would be to
judge by chance.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, NamedTuple

from dsl.ir import Metric, Program, Query, Unit
from interpreter.masking import mask
from interpreter.providers.provider import (
    Measurement,
    Patient,
    Provider,
    ProviderError,
    RenderedQuery,
    Sample,
    Trouble,
    about,
    error_answer,
    guarded,
    nothing,
)
from interpreter.providers.sharing import Sharing
from interpreter.questions import Answer, ErrorAnswer, Events, Histogram, MetricQuestion, NoDataAnswer, Value
from interpreter.templates import TemplateProblem, render

Part = Literal["value", "bad", "total"]


class Resolved(NamedTuple):
    """A metric that names nothing any more: its template looked up, its Secret read (`secret`, by key)."""

    metric: Metric
    secret: Mapping[str, str] = {}
    region: str = ""


class Metrics:
    """Answers questions about the metrics of one Program. `resolve` finds what a metric only names: a template, a
    Secret; it may raise `ProviderError`. Without it, metrics that name such things cannot be asked. `renew` is asked
    when a server refused a credential: the same with the Secret read anew, None if nothing has changed. `sharing` is
    that of all who ask the same servers. `workloads` are the arms' names where they have names of their own."""

    def __init__(
        self,
        program: Program,
        providers: Mapping[str, Provider],
        *,
        timeout: float = 10.0,
        resolve: Callable[[Metric], Awaitable[Resolved]] | None = None,
        renew: Callable[[Metric, Resolved], Awaitable[Resolved | None]] | None = None,
        sharing: Sharing | None = None,
        workloads: Mapping[str, str] | None = None,
    ) -> None:
        self._program = program
        self._workloads = workloads
        self._providers = providers
        self._timeout = timeout
        self._resolve = resolve
        self._renew = renew
        self._sharing = sharing or Sharing()

    async def answer(self, question: MetricQuestion) -> Answer:
        """Never raises for what a provider does."""
        metric = self._program.metrics[question.metric]
        try:
            return await self._measured(metric, question)
        except ProviderError as error:
            return error_answer(question.metric, error)

    async def close(self) -> None:
        for provider in self._providers.values():
            await provider.close()

    async def _measured(self, metric: Metric, question: MetricQuestion) -> Answer:
        found = Resolved(metric) if self._resolve is None else await self._resolve(metric)
        try:
            return await self._measured_as(found, question)
        except ProviderError as error:
            if error.trouble is not Trouble.AUTH or self._renew is None or not found.secret:
                raise
            renewed = await self._renew(metric, found)
            if renewed is None:
                raise
        return await self._measured_as(renewed, question)

    async def _measured_as(self, found: Resolved, question: MetricQuestion) -> Answer:
        metric = found.metric
        if metric.secret is not None:
            raise ProviderError(Trouble.AUTH, f"it needs the secret `{metric.secret}`, which is not to be had here")
        if metric.template is not None:
            raise ProviderError(Trouble.BAD_QUERY, f"the template `{metric.template}` is an object of a cluster")
        parts: list[Part] = [query.part for query in metric.queries]
        asked = [self._ask(found, query, question) for query in metric.queries]
        measured = dict(zip(parts, await asyncio.gather(*asked), strict=True))
        try:
            return _put_together(question.metric, metric, measured)
        except ProviderError as error:
            raise about(metric.queries[0].provider, metric.server, error, str(error)) from error

    async def _ask(self, found: Resolved, query: Query, question: MetricQuestion) -> Measurement:
        metric = found.metric
        provider = self._providers.get(query.provider)
        if provider is None:
            known = ", ".join(sorted(self._providers)) or "none"
            raise ProviderError(Trouble.BAD_QUERY, f"{query.provider} cannot be asked from here (only: {known})")
        try:
            text = render(query.text, variables(self._program, metric, question, self._workloads))
        except TemplateProblem as problem:
            raise ProviderError(Trouble.BAD_QUERY, str(problem)) from problem
        rendered = RenderedQuery(
            text,
            question.at_ms,
            question.window_ms,
            metric.server,
            metric.headers,
            metric.insecure_skip_verify,
            found.secret,
            found.region,
        )
        if isinstance(provider, Patient):  # in nobody's way, and nobody's answer but ours
            return await guarded(provider, rendered, timeout=provider.timeout)
        asker = f"{self._program.namespace}/{self._program.name}"
        return await self._sharing.measure(provider, rendered, asker=asker, timeout=self._timeout)


def variables(
    program: Program, metric: Metric, question: MetricQuestion, named: Mapping[str, str] | None = None
) -> dict[str, object]:
    """What a query's template may name (language.md §3). `named` are the workloads of those arms that have names of
    their own, which are Revisions of Knative."""
    target = program.target.name
    workloads = {"canary": target, "primary": f"{target}-primary", "baseline": f"{target}-baseline", **(named or {})}
    workload = workloads[question.arm]
    return {
        "name": program.name,
        "namespace": program.namespace,
        "target": target,
        "workload": workload,
        "arm": question.arm,
        "pods": _pods("revision" if named else program.target.kind, workload),
        "primary": workloads["primary"],
        "canary": workloads["canary"],
        "service": program.service.name,
        "ingress": str(program.traffic.options.get("ingress", program.service.name)),
        "route": str(program.traffic.options.get("route", program.service.name)),
        "interval": duration(question.window_ms),
        "variables": dict(metric.variables),
        **metric.arguments,
    }


def _pods(kind: str, workload: str) -> str:
    """A regular expression for the names of a workload's pods, and of no other's."""
    pod = "[0-9a-z]{1,10}-[0-9a-z]{5}"
    ending = {"statefulset": "[0-9]+", "daemonset": "[0-9a-z]{5}", "revision": f"deployment-{pod}"}.get(
        kind.lower(), pod
    )
    return f"{workload}-{ending}"


def duration(milliseconds: int) -> str:
    """As PromQL writes it: `90s`, `1500ms`."""
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def _put_together(name: str, metric: Metric, measured: Mapping[Part, Measurement]) -> Answer:
    if metric.unit is Unit.EVENTS:
        return _events(name, measured)
    if metric.unit is Unit.HISTOGRAM:
        return _histogram(name, measured["value"].samples, metric.bucket_scale)
    value = _single(name, measured["value"])
    return Value(value, note=mask("; ".join(measured["value"].warnings))) if isinstance(value, float) else value


def _events(name: str, measured: Mapping[Part, Measurement]) -> Answer:
    """No total is no data. No failures at all is a number if there is a total: such series appear at the first one."""
    total = _single(name, measured["total"])
    bad = _single(name, measured["bad"])
    if not isinstance(total, float):
        return total
    if isinstance(bad, NoDataAnswer):
        bad = 0.0
    return Events(bad=bad, total=total) if isinstance(bad, float) else bad


def _single(name: str, measurement: Measurement) -> float | NoDataAnswer | ErrorAnswer:
    samples = measurement.samples
    if not samples:
        return nothing(name)
    if len(samples) > 1:
        raise ProviderError(
            Trouble.BAD_QUERY, f"the query gives {len(samples)} series, and one is needed: sum over them"
        )
    value = samples[0].value
    if math.isnan(value):
        return NoDataAnswer(f"{name}: the query comes to NaN, which is what 0/0 is")
    if math.isinf(value):
        raise ProviderError(Trouble.BAD_QUERY, f"the query comes to {'+Inf' if value > 0 else '-Inf'}")
    return value


def _histogram(name: str, samples: tuple[Sample, ...], scale: float) -> Answer:
    if not samples:
        return nothing(name)
    buckets: dict[float, float] = {}
    for sample in samples:
        bound = _bound(sample) * scale
        if bound in buckets:
            raise ProviderError(Trouble.BAD_QUERY, "the query gives several buckets with one bound: sum by (le)")
        buckets[bound] = sample.value
    if math.inf not in buckets:
        raise ProviderError(Trouble.BAD_QUERY, 'the histogram has no bucket with le="+Inf"')
    if any(math.isnan(count) for count in buckets.values()):
        return NoDataAnswer(f"{name}: the histogram's counts are NaN")
    return Histogram(tuple(sorted(buckets.items())))


def _bound(sample: Sample) -> float:
    try:
        return float(sample.labels["le"])
    except (KeyError, ValueError) as error:
        raise ProviderError(Trouble.BAD_QUERY, "the histogram's samples have no `le`: sum by (le)") from error
