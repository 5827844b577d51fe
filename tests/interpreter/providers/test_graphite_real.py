"""What a real Graphite answers is understood: carbon takes the points, graphite-web answers, and what it is asked about
is the window, past its cache."""

from __future__ import annotations

import time

import pytest

from dsl import ir
from interpreter import questions
from tests.interpreter.providers.asking import answer, events, number, reason
from tests.servers.graphite_server import STEP_S, RealGraphite


@pytest.fixture(scope="module")
def at_ms() -> int:
    """The end of the minute that is looked at: a quarter of an hour ago, for carbon keeps what is young."""
    return (int(time.time()) // 60 - 15) * 60_000


@pytest.fixture(scope="module")
def url(real_graphite: RealGraphite, at_ms: int) -> str:
    """Of a server that has three minutes of orders, a point each ten seconds: 20 each time, two of them failed."""
    lines = []
    for at in range(at_ms // 1000 - 180 + STEP_S, at_ms // 1000 + 1, STEP_S):
        done = (at - at_ms // 1000 + 180) // STEP_S
        lines += [f"shop.requests 20 {at}", f"shop.failed 2 {at}", f"shop-primary.requests 0 {at}"]
        lines += [f"depth.mail {done} {at}", f"depth.bills 4 {at}", f"broken.up inf {at}", f"broken.down -inf {at}"]
    real_graphite.write(*lines)
    return real_graphite.url


def total(name: str) -> str:
    """All of the window in one number: Graphite has a point for each ten seconds."""
    return f'summarize({{{{ workload }}}}.{name},"{{{{ interval }}}}","sum",true)'


async def test_the_counts_of_windows_that_follow_each_other_are_those_that_came_in_them(url: str, at_ms: int) -> None:
    metric = events("graphite", total("failed"), total("requests"), url)
    for at in (at_ms, at_ms - 60_000, at_ms - 120_000):
        assert await answer(metric, at) == questions.Events(12.0, 120.0)
    assert await answer(metric, at_ms - 30_000) == questions.Events(12.0, 120.0)
    none_failed = events("graphite", total("no_such_thing"), total("requests"), url)
    assert await answer(none_failed, at_ms, arm=ir.Arm.PRIMARY) == questions.Events(0.0, 0.0)


@pytest.mark.parametrize(
    "target",
    [
        "no.such.thing",
        "sumSeries(no.such.*)",
        "divideSeries(depth.mail,shop-primary.requests)",
        "offset(no.thing,1)",
        "sumSeries((depth.mail",
    ],
)
async def test_silence_and_zero_by_zero_are_no_data(url: str, at_ms: int, target: str) -> None:
    """And so is a target that cannot be read: Graphite does not tell it from one that it does not know."""
    assert reason(await answer(number("graphite", target, url), at_ms)) == "it: the query has no result"


async def test_the_newest_point_of_the_window_counts(url: str, at_ms: int) -> None:
    metric = number("graphite", "depth.mail", url)
    assert await answer(metric, at_ms) == questions.Value(18.0)
    assert await answer(metric, at_ms - 60_000) == questions.Value(12.0)
    assert await answer(metric, at_ms + 30_000) == questions.Value(18.0)
    assert await answer(metric, at_ms + 50_000) == questions.Value(18.0)
    assert reason(await answer(metric, at_ms + 60_000)) == "it: the query has no result"


async def test_a_template_of_flaggers_is_asked_as_it_is_written(url: str, at_ms: int) -> None:
    text = f"target=sumSeries(\n  depth.*\n)&from={at_ms // 1000 - 60}&until={at_ms // 1000 - 60 + STEP_S}"
    assert await answer(number("graphite", text, url), at_ms) == questions.Value(13.0 + 4.0)


async def test_what_was_asked_before_is_not_answered_from_the_cache(
    url: str, at_ms: int, real_graphite: RealGraphite
) -> None:
    metric = number("graphite", "late.thing", url)
    assert reason(await answer(metric, at_ms)) == "it: the query has no result"
    real_graphite.write(f"late.thing 7 {at_ms // 1000}")
    assert await answer(metric, at_ms) == questions.Value(7.0)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("depth.*", "the query gives 2 series, and one is needed: sum over them (bad_query)"),
        ("broken.up", "the query comes to +Inf (bad_query)"),
        ("broken.down", "the query comes to -Inf (bad_query)"),
        ("movingAverage(depth.mail)", "answered 500: Graphite encountered an unexpected error"),
        (
            "noSuchFunction(depth.mail)",
            "refused the query (400): Invalid parameters (Received request for unknown",
        ),
    ],
)
async def test_what_is_not_one_number_is_named_in_the_servers_words(
    url: str, at_ms: int, target: str, words: str
) -> None:
    given = await answer(number("graphite", target, url), at_ms)
    assert isinstance(given, questions.ErrorAnswer)
    assert words in reason(given)


async def test_another_path_of_the_same_server_is_not_its_api(url: str, at_ms: int) -> None:
    given = await answer(number("graphite", "depth.mail", f"{url}/none"), at_ms)
    assert isinstance(given, questions.ErrorAnswer)
    assert "(404)" in reason(given)
