"""What a real VictoriaMetrics answers is understood, where it answers as Prometheus does, and where it does not: a
scalar is a vector there, 0/0 is no result, and every refusal has the status 422."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from dsl import ir
from interpreter import questions
from interpreter.providers.provider import ProviderError, RenderedQuery, Trouble, guarded
from interpreter.providers.registry import Providers
from tests.interpreter.providers.asking import answer, events, number, reason
from tests.servers.victoriametrics import RealVictoriaMetrics, running

AT_MS = 1_790_000_060_000
"""The end of the minute that is looked at; long ago, so that no other test's data is in it."""
FIRST_MS = AT_MS - 180_000


@pytest.fixture(scope="module")
def url(real_victoriametrics: RealVictoriaMetrics) -> str:
    """Of a server that has three minutes of two workloads: a sample each five seconds. In each minute 120 orders come
    for the canary, 12 of them fail; its counters begin at 1000. The primary has had nothing to do."""
    lines = []
    for at in range(FIRST_MS, AT_MS + 1, 5000):
        done = (at - FIRST_MS) // 5000
        for result, count in (("good", 900 + 9 * done), ("failed", 100 + done)):
            lines.append(f'orders_total{{app="shop",result="{result}"}} {count} {at}')
        lines.append(f'orders_total{{app="shop-primary",result="good"}} 500 {at}')
        for bound, count in (("0.1", 9 * done), ("0.5", 10 * done), ("+Inf", 10 * done)):
            lines.append(f'order_seconds_bucket{{app="shop",le="{bound}"}} {count} {at}')
        lines.append(f'depth{{queue="mail"}} {done} {at}')
        lines.append(f'depth{{queue="bills"}} 4 {at}')
    lines += [f"new_total {3 * (place + 1)} {AT_MS - 30_000 + 5000 * place}" for place in range(7)]
    lines.append(f"broken +Inf {AT_MS}")
    real_victoriametrics.write(*lines)
    return real_victoriametrics.url


def increase(selector: str, by: str = "") -> str:
    return f"sum {by}(increase({selector}[{{{{ interval }}}}]))"


def orders(url: str) -> ir.Metric:
    return events(
        "prometheus",
        increase('orders_total{app="{{ workload }}",result="failed"}'),
        increase('orders_total{app="{{ workload }}"}'),
        url,
    )


async def test_the_counts_of_windows_that_follow_each_other_are_those_that_came_in_them(url: str) -> None:
    """Exactly: where Prometheus extrapolates, VictoriaMetrics takes the difference to the last sample before."""
    for at in (AT_MS, AT_MS - 60_000, AT_MS - 120_000):
        assert await answer(orders(url), at) == questions.Events(12.0, 120.0)


async def test_a_counter_that_comes_to_be_in_the_window_counts_from_nothing(url: str) -> None:
    """Its first sample too, unless it is far above what the series grows by: then it was there before, unseen. To
    Prometheus the first sample is the beginning, whatever it is."""
    assert await answer(number("prometheus", increase("new_total"), url), AT_MS) == questions.Value(21.0)
    assert await answer(orders(url), FIRST_MS + 30_000) == questions.Events(6.0, 60.0)


async def test_silence_is_no_zero_and_zero_is_no_silence(url: str) -> None:
    assert await answer(orders(url), AT_MS, arm=ir.Arm.PRIMARY) == questions.Events(0.0, 0.0)
    nothing = questions.NoDataAnswer("it: the query has no result")
    assert await answer(orders(url), AT_MS, arm=ir.Arm.BASELINE) == nothing
    for text in ("no_such_series", "0 / 0", "vector(0) / vector(0)", 'sum(depth{queue="none"}) / sum(depth)'):
        assert await answer(number("prometheus", text, url), AT_MS) == nothing
    assert await answer(number("prometheus", "depth", url), FIRST_MS - 3_600_000) == nothing


async def test_a_number_is_as_of_its_moment(url: str) -> None:
    metric = number("prometheus", 'depth{queue="mail"}', url)
    assert await answer(metric, AT_MS) == questions.Value(36.0)
    assert await answer(metric, AT_MS - 60_000) == questions.Value(24.0)
    for text in ("2.5e-3", "scalar(vector(0.0025))"):
        assert await answer(number("prometheus", text, url), AT_MS) == questions.Value(0.0025)


async def test_times_have_a_bucket_for_each_bound(url: str) -> None:
    buckets = increase('order_seconds_bucket{app="{{ workload }}"}', "by (le) ")
    metric = ir.Metric(ir.Unit.HISTOGRAM, (ir.Query("prometheus", buckets),), server=url)
    assert await answer(metric, AT_MS) == questions.Histogram(((0.1, 108.0), (0.5, 120.0), (math.inf, 120.0)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("depth", "the query gives 2 series, and one is needed: sum over them (bad_query)"),
        ("1 / 0", "the query comes to +Inf (bad_query)"),
        ("-1 / 0", "the query comes to -Inf (bad_query)"),
        ("broken", "the query comes to +Inf (bad_query)"),
        ("depth[5m]", "the query gives a matrix, and one number is needed"),
        ("up{", "refused the query (422): 422: error when executing query"),
        ("no_such_function(1)", 'unknown func "no_such_function"'),
    ],
)
async def test_what_is_not_one_number_is_named_in_the_servers_words(url: str, text: str, words: str) -> None:
    given = await answer(number("prometheus", text, url), AT_MS)
    assert isinstance(given, questions.ErrorAnswer)
    assert words in reason(given)


async def test_a_server_as_it_comes_answers_about_a_moment_ago_and_does_not_say_so(tmp_path: Path) -> None:
    """By half a minute, unless it is told otherwise; an hour here, so that no slow machine makes a difference."""
    now = int(time.time() * 1000)
    with running(tmp_path, "-search.latencyOffset=1h") as behind:
        behind.write(f"depth 7 {now - 3_660_000}", f"depth 9 {now - 1000}")
        assert await answer(number("prometheus", "depth", behind.url), now) == questions.Value(7.0)


async def test_who_may_ask_is_asked(tmp_path: Path) -> None:
    providers = Providers()
    with running(tmp_path, "-httpAuth.username=ann", "-httpAuth.password=pa55word") as guarded_one:
        query = RenderedQuery("1", AT_MS, 60_000, guarded_one.url, secret={"username": "ann", "password": "pa55word"})
        try:
            (sample,) = (await guarded(providers["prometheus"], query)).samples
            assert sample.value == 1.0
            with pytest.raises(ProviderError, match=r"does not let us in \(401\)") as caught:
                await guarded(providers["prometheus"], query._replace(secret={"username": "ann", "password": "wr0ng"}))
        finally:
            await providers.close()
    assert caught.value.trouble is Trouble.AUTH
    assert "wr0ng" not in str(caught.value)
