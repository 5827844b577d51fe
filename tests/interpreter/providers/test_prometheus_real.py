"""What a real Prometheus answers is understood as it was meant: numbers, silence, what is no number, refusals and
warnings, and counts over a window of series that it has scraped itself."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from dsl import ir
from interpreter import questions
from interpreter.providers.metrics import Metrics
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import Measurement, ProviderError, Sample, Trouble, guarded
from tests.prometheus.server import RealPrometheus, as_of_now, until

SETTLED_MS = 1000
"""How long ago is asked about: scrapes that began before then have ended, so that all queries see the same samples."""

MOST_EXTRAPOLATED = 1.2
"""`increase` adds what it thinks was missed before the first sample and after the last one: at most 1.6 intervals to
the eight or more that there are."""


class Service(NamedTuple):
    """A service whose metrics are scraped. It has done something before anybody looked."""

    orders: Counter
    seconds: Histogram
    depth: Gauge

    @classmethod
    def make(cls, registry: CollectorRegistry) -> Service:
        return cls(
            Counter("orders", "Orders.", ("app", "result"), registry=registry),
            Histogram("order_seconds", "Their times.", ("app",), buckets=(0.1, 0.5), registry=registry),
            Gauge("depth", "Of a queue.", ("queue",), registry=registry),
        )

    def work(self, app: str, *, good: int, bad: int) -> None:
        """Good orders take 50 ms, bad ones 300 ms. Their times come first: who sees the counts sees all."""
        for _ in range(good):
            self.seconds.labels(app).observe(0.05)
        for _ in range(bad):
            self.seconds.labels(app).observe(0.3)
        self.orders.labels(app, "failed").inc(bad)
        self.orders.labels(app, "good").inc(good)


@pytest.fixture
async def asked(real_prometheus: RealPrometheus) -> AsyncIterator[Prometheus]:
    made = Prometheus(real_prometheus.url)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def service(real_prometheus: RealPrometheus) -> Iterator[Service]:
    registry = CollectorRegistry()
    made = Service.make(registry)
    made.work("shop", good=900, bad=100)
    made.work("shop-primary", good=500, bad=0)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        with real_prometheus.scraping("shop", f"http://127.0.0.1:{server.server_port}"):
            yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def value(prometheus: Prometheus, text: str) -> float:
    measured = await guarded(prometheus, as_of_now(text))
    assert [sample.labels for sample in measured.samples] == [{}]
    return measured.samples[0].value


async def refusal(prometheus: Prometheus, text: str) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await guarded(prometheus, as_of_now(text))
    return caught.value


async def answer(url: str, metric: ir.Metric, arm: ir.Arm = ir.Arm.CANARY) -> questions.Answer:
    """The answer to the machine's question about the metric, over the minute that ended a second ago."""
    program = ir.Program(
        name="shop",
        namespace="test",
        target=ir.WorkloadRef("deployment", "shop"),
        traffic=ir.Traffic("istio"),
        service=ir.Service("shop"),
        code=(),
        metrics={"it": metric},
    )
    metrics = Metrics(program, {"prometheus": Prometheus(url)})
    try:
        return await metrics.answer(questions.MetricQuestion("it", arm.value, 60_000, as_of_now("").at_ms - SETTLED_MS))
    finally:
        await metrics.close()


def number(text: str) -> ir.Metric:
    return ir.Metric(ir.Unit.NUMBER, (ir.Query("prometheus", text),))


def increase(series: str, by: str = "") -> str:
    return f"sum {by}(increase({series}[{{{{ interval }}}}]))"


def events(bad: str = "failed") -> ir.Metric:
    query = 'orders_total{{app="{{{{ workload }}}}"{more}}}'
    texts = {"bad": query.format(more=f',result="{bad}"'), "total": query.format(more="")}
    return ir.Metric(ir.Unit.EVENTS, tuple(ir.Query("prometheus", increase(texts[p]), p) for p in ("bad", "total")))


async def test_a_number_is_read_from_a_vector_and_from_a_scalar(asked: Prometheus) -> None:
    assert await value(asked, "vector(1)") == 1.0
    assert await value(asked, "2.5e-3") == 0.0025


async def test_the_question_is_about_the_moment_that_it_names(asked: Prometheus) -> None:
    query = as_of_now("time()")._replace(at_ms=1_700_000_000_125)
    assert await asked.measure(query) == Measurement((Sample({}, 1_700_000_000.125),))


async def test_what_is_no_number_comes_as_it_is(asked: Prometheus) -> None:
    assert math.isnan(await value(asked, "vector(0) / vector(0)"))
    assert await value(asked, "vector(1) / 0") == math.inf
    assert await value(asked, "vector(-1) / 0") == -math.inf
    assert await guarded(asked, as_of_now("no_such_series")) == Measurement(())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("up{", "refused the query (400): bad_data: invalid parameter"),
        ("no_such_function(1)", "refused the query (400): bad_data: "),
        ("label_replace(vector(1), 'a', '', '', '(')", "refused the query (422): execution: "),
        ("vector(1)[5m:1m]", "the query gives a matrix, and one number is needed"),
        ("'words'", "the query gives a string, and one number is needed"),
    ],
)
async def test_a_query_that_is_wrong_is_named(asked: Prometheus, text: str, words: str) -> None:
    error = await refusal(asked, text)
    assert error.trouble is Trouble.BAD_QUERY
    assert words in str(error)


async def test_a_query_that_is_refused_is_asked_once(real_prometheus: RealPrometheus, asked: Prometheus) -> None:
    counter = 'prometheus_http_requests_total{code="400",handler="/api/v1/query"} '

    async def refused() -> int:
        async with httpx.AsyncClient(trust_env=False) as client:
            page = (await client.get(f"{real_prometheus.url}/metrics")).text
        return sum(int(line.removeprefix(counter)) for line in page.splitlines() if line.startswith(counter))

    before = await refused()
    await refusal(asked, "up{")
    assert await refused() - before == 1


async def test_data_that_is_not_whole_is_an_error_and_not_silence(asked: Prometheus) -> None:
    error = await refusal(asked, 'sum(orders_total{store="away"}) or vector(0)')
    assert error.trouble is Trouble.PARTIAL
    assert "the data is not whole: remote_read: " in str(error)
    assert "refused" in str(error)


async def test_a_scraped_series_is_one_number_and_several_are_an_error(
    real_prometheus: RealPrometheus, asked: Prometheus, service: Service
) -> None:
    service.depth.labels("mail").set(7)
    service.depth.labels("bills").set(4)
    await until(asked, "count(depth offset 1s) == 2")
    url = real_prometheus.url
    assert await answer(url, number('last_over_time(depth{queue="mail"}[1m])')) == questions.Value(7.0)
    assert await answer(url, number("sum(last_over_time(depth[1m]))")) == questions.Value(11.0)
    several = "it: prometheus: the query gives 2 series, and one is needed: sum over them (bad_query)"
    assert await answer(url, number("last_over_time(depth[1m])")) == questions.ErrorAnswer(several)


async def test_silence_and_nonsense_are_no_numbers(real_prometheus: RealPrometheus) -> None:
    for text, expected in (
        ("no_such_series", questions.NoDataAnswer("it: the query has no result")),
        ("vector(0) / vector(0)", questions.NoDataAnswer("it: the query comes to NaN, which is what 0/0 is")),
        ("vector(1) / vector(0)", questions.ErrorAnswer("it: prometheus: the query comes to +Inf (bad_query)")),
    ):
        assert await answer(real_prometheus.url, number(text)) == expected


async def test_counts_and_times_over_a_window(
    real_prometheus: RealPrometheus, asked: Prometheus, service: Service
) -> None:
    """300 orders come for the canary while Prometheus looks; what was before them does not count."""
    await until(asked, 'count(orders_total{app="shop"}) == 2')
    service.work("shop", good=270, bad=30)
    await until(asked, 'sum(orders_total{app="shop"} offset 1s) == 1300')
    await until(asked, 'min(count_over_time(orders_total{app="shop"}[1m] offset 1s)) >= 9')
    url = real_prometheus.url

    canary = await answer(url, events())
    assert isinstance(canary, questions.Events)
    assert canary.bad / canary.total == pytest.approx(0.1)
    assert 300 <= canary.total <= 300 * MOST_EXTRAPOLATED
    assert await answer(url, events(), ir.Arm.PRIMARY) == questions.Events(0.0, 0.0)
    none_failed = await answer(url, events("refused"))
    assert isinstance(none_failed, questions.Events)
    assert (none_failed.bad, none_failed.total >= 300) == (0.0, True)
    assert await answer(url, events(), ir.Arm.BASELINE) == questions.NoDataAnswer("it: the query has no result")

    buckets = increase('order_seconds_bucket{app="{{ workload }}"}', "by (le) ")
    times = await answer(url, ir.Metric(ir.Unit.HISTOGRAM, (ir.Query("prometheus", buckets),)))
    assert isinstance(times, questions.Histogram)
    assert [bound for bound, _ in times.buckets] == [0.1, 0.5, math.inf]
    (_, quick), (_, most), (_, every) = times.buckets
    assert 300 <= every <= 300 * MOST_EXTRAPOLATED
    assert quick / every == pytest.approx(0.9)
    assert most == every
