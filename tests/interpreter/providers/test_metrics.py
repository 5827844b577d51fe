"""From a question to its answer: the query is rendered for the arm that is asked about, its parts are put together, and
no number is made of what is none."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dsl.ir import Metric, Program, Query, Service, Traffic, Unit, WorkloadRef
from interpreter.providers import counts
from interpreter.providers.metrics import Metrics, duration, variables
from interpreter.providers.prometheus import Prometheus
from interpreter.questions import Answer, ErrorAnswer, Events, Histogram, MetricQuestion, NoDataAnswer, Value
from tests.interpreter.providers.server import Server, number, says, serving, vector

PROGRAM = Program(
    name="checkout",
    namespace="shop",
    target=WorkloadRef("deployment", "checkout"),
    traffic=Traffic("istio", {"ingress": "front"}),
    service=Service("web"),
    code=(),
    metrics={
        "depth": Metric(Unit.COUNT, (Query("prometheus", 'd{w="{{ workload }}",q="{{ queue }}"}[{{ interval }}]'),))
    },
)
QUESTION = MetricQuestion("depth", "canary", 90_000, 1000)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


async def ask(server: Server, metric: Metric, question: MetricQuestion = QUESTION) -> Answer:
    program = replace(PROGRAM, metrics={question.metric: metric})
    metrics = Metrics(program, {"prometheus": Prometheus(server.url)}, timeout=5)
    try:
        return await metrics.answer(question)
    finally:
        await metrics.close()


DEPTH = replace(PROGRAM.metrics["depth"], arguments={"queue": "mail"})
EVENTS = Metric(Unit.EVENTS, (Query("prometheus", "bad", "bad"), Query("prometheus", "total", "total")))
HISTOGRAM = Metric(Unit.HISTOGRAM, (Query("prometheus", "buckets"),))


@pytest.mark.parametrize(
    ("arm", "workload"), [("canary", "checkout"), ("primary", "checkout-primary"), ("baseline", "checkout-baseline")]
)
async def test_the_query_is_rendered_for_the_arm_and_the_window(server: Server, arm: str, workload: str) -> None:
    server.answers = [number("42")]
    question = MetricQuestion("depth", arm, 90_000, 1000)  # type: ignore[arg-type]
    assert await ask(server, DEPTH, question) == Value(42.0)
    assert server.asked[0][2]["query"] == f'd{{w="{workload}",q="mail"}}[90s]'


def test_every_variable_of_a_query_is_there() -> None:
    from dsl.embedded.jinja_check import QUERY_VARIABLES

    metric = replace(DEPTH, variables={"a": "b"})
    values = variables(PROGRAM, metric, QUESTION)
    assert set(QUERY_VARIABLES) <= set(values)
    assert (values["ingress"], values["service"], values["variables"]) == ("front", "web", {"a": "b"})
    assert [duration(ms) for ms in (500, 1000, 90_000, 3_600_000)] == ["500ms", "1s", "90s", "3600s"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (vector(), "no result"),
        (number("NaN"), "comes to NaN"),
    ],
)
async def test_no_data_is_no_number(server: Server, answer: bytes, words: str) -> None:
    server.answers = [answer]
    got = await ask(server, DEPTH)
    assert isinstance(got, NoDataAnswer)
    assert words in got.reason


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            vector(('{"a":"1"}', "1"), ('{"a":"2"}', "2")),
            "gives 2 series, and one is needed: sum over them (bad_query)",
        ),
        (number("+Inf"), "comes to +Inf (bad_query)"),
        (number("-Inf"), "comes to -Inf"),
        (says(401, ""), "(auth)"),
    ],
)
async def test_what_is_not_one_number_is_an_error_that_says_so(server: Server, answer: bytes, words: str) -> None:
    server.answers = [answer]
    got = await ask(server, DEPTH)
    assert isinstance(got, ErrorAnswer)
    assert words in got.reason


@pytest.mark.parametrize(
    ("bad", "total", "expected"),
    [
        (number("3"), number("100"), Events(3.0, 100.0)),
        (vector(), number("100"), Events(0.0, 100.0)),
        (vector(), vector(), NoDataAnswer("depth: the query has no result")),
        (number("0"), number("NaN"), NoDataAnswer("depth: the query comes to NaN, which is what 0/0 is")),
    ],
)
async def test_events_are_two_counts(server: Server, bad: bytes, total: bytes, expected: Answer) -> None:
    server.by_query = {"bad": bad, "total": total}
    assert await ask(server, EVENTS) == expected


async def test_a_histogram_has_a_bucket_for_each_bound(server: Server) -> None:
    server.answers = [vector(('{"le":"+Inf"}', "10"), ('{"le":"250"}', "7"), ('{"le":"500"}', "9"))]
    got = await ask(server, replace(HISTOGRAM, bucket_scale=0.001))
    assert got == Histogram(((0.25, 7.0), (0.5, 9.0), (math.inf, 10.0)))
    for rows, words in (
        ((('{"le":"1"}', "1"),), 'no bucket with le="+Inf"'),
        ((("{}", "1"),), "no `le`"),
        ((('{"le":"+Inf","a":"1"}', "1"), ('{"le":"+Inf","a":"2"}', "1")), "sum by (le)"),
    ):
        server.answers = [vector(*rows)]
        error = await ask(server, HISTOGRAM)
        assert isinstance(error, ErrorAnswer)
        assert words in error.reason


async def test_what_cannot_be_asked_from_here_says_why(server: Server) -> None:
    for metric, words in (
        (replace(DEPTH, secret="key"), "secret `key`"),
        (Metric(Unit.COUNT, template="obs/depth"), "template `obs/depth` is an object of a cluster"),
        (Metric(Unit.COUNT, (Query("newrelic", "SELECT 1"),)), "newrelic cannot be asked from here (only: prometheus)"),
        (Metric(Unit.COUNT, (Query("prometheus", "{{ nobody }}"),)), "'nobody' is undefined"),
    ):
        got = await ask(server, metric)
        assert isinstance(got, ErrorAnswer)
        assert words in got.reason
    assert server.asked == []


async def test_the_parts_are_asked_at_once(server: Server) -> None:
    both = asyncio.Event()
    waiting = 0

    async def together(writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 2:
            both.set()
        await both.wait()
        writer.write(number("5"))

    server.by_query = {"bad": together, "total": together}
    assert await ask(server, EVENTS) == Events(5.0, 5.0)


class Counted:
    def events(self, arm: str, window_ms: int, at_ms: int) -> tuple[int, int]:
        assert (arm, window_ms, at_ms) == ("canary", 90_000, 1000)
        return (1, 20)

    def histogram(self, arm: str, window_ms: int, at_ms: int) -> tuple[tuple[float, float], ...]:
        return ((0.1, 3.0), (math.inf, 4.0))


@pytest.mark.parametrize("name", ["requests", "http.requests", "std/http.requests"])
def test_the_proxys_counts_answer_the_standard_metrics_whatever_the_plane(name: str) -> None:
    question = replace(QUESTION, metric=name)
    assert counts.answer(Counted(), EVENTS, question) == Events(1, 20)
    duration_question = replace(QUESTION, metric=name.replace("requests", "duration"))
    assert counts.answer(Counted(), HISTOGRAM, duration_question) == Histogram(((0.1, 3.0), (math.inf, 4.0)))


def test_any_other_metric_needs_a_server_and_the_answer_says_which_option_gives_one() -> None:
    for name, metric in (("payments", EVENTS), ("requests", DEPTH), ("depth", DEPTH)):
        got = counts.answer(Counted(), metric, replace(QUESTION, metric=name))
        assert isinstance(got, ErrorAnswer)
        assert got.reason == f"`{name}` is asked of prometheus, and there is none here: give one with --prometheus URL"
