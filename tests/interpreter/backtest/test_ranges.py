"""A Prometheus asked about ranges: each moment's own value, few requests, and no number where there is none."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator

import pytest

from interpreter.backtest.moments import Span
from interpreter.backtest.ranges import POINTS, Ranges, points
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Trouble
from tests.backtest.fake import FakePrometheus, prometheus

STEP = 15_000
BEGIN = 1_793_534_400_000
WITHIN = Span(BEGIN, BEGIN + 3 * POINTS * STEP + 7_000)


@pytest.fixture
def server() -> Iterator[FakePrometheus]:
    with prometheus(lambda _, at: at) as fake:
        yield fake


@pytest.fixture
async def ranges(server: FakePrometheus) -> AsyncIterator[Ranges]:
    made = Ranges(server.url, WITHIN, STEP)
    yield made
    await made.close()


def about(at_ms: int, text: str = "x", **secret: str) -> RenderedQuery:
    return RenderedQuery(text, at_ms, STEP, secret=secret)


def value(measured: Measurement) -> float | None:
    return measured.samples[0].value if measured.samples else None


async def test_every_moment_has_its_own_value_whatever_piece_it_is_in(ranges: Ranges) -> None:
    for phase in (0, 1, 7_000, STEP - 1):
        for number in (-POINTS - 1, -1, 0, 1, POINTS - 1, POINTS, 3 * POINTS - 1):
            at_ms = BEGIN + phase + number * STEP
            assert value(await ranges.measure(about(at_ms))) == pytest.approx(at_ms / 1000, abs=1e-6)


async def test_one_request_serves_a_thousand_moments(ranges: Ranges, server: FakePrometheus) -> None:
    for number in range(0, POINTS, 50):
        await ranges.measure(about(BEGIN + number * STEP))
    assert ranges.requests == len(server.asked) == 1
    assert server.asked[0]["path"] == "/api/v1/query_range"
    await ranges.measure(about(BEGIN, "another"))
    assert [form["query"] for form in server.asked] == ["x", "another"]


async def test_nothing_behind_the_end_is_asked_for(ranges: Ranges, server: FakePrometheus) -> None:
    for at_ms in (BEGIN + 3 * POINTS * STEP, WITHIN.to_ms, WITHIN.to_ms - 1, WITHIN.to_ms + 1 - STEP):
        assert value(await ranges.measure(about(at_ms))) == pytest.approx(at_ms / 1000, abs=1e-6)
    assert max(float(form["end"]) for form in server.asked) * 1000 <= WITHIN.to_ms


async def test_no_data_is_no_number(server: FakePrometheus) -> None:
    server.says = lambda _, at: None if at * 1000 < BEGIN + STEP else "NaN"
    made = Ranges(server.url, WITHIN, STEP)
    assert value(await made.measure(about(BEGIN))) is None
    seen = value(await made.measure(about(BEGIN + STEP)))
    assert seen is not None
    assert math.isnan(seen)
    await made.close()


async def test_who_we_are_is_said(ranges: Ranges, server: FakePrometheus) -> None:
    await ranges.measure(about(BEGIN, token="hush\n", tenant="shop"))
    assert server.headers[0]["Authorization"] == "Bearer hush"
    assert server.headers[0]["X-Scope-OrgID"] == "shop"


async def test_data_that_is_not_whole_is_a_problem_that_stays(ranges: Ranges, server: FakePrometheus) -> None:
    server.warnings = ["a store is away"]
    with pytest.raises(ProviderError, match="a store is away") as caught:
        await ranges.measure(about(BEGIN))
    assert caught.value.trouble is Trouble.PARTIAL
    assert ranges.problem is caught.value
    server.warnings = []
    await ranges.measure(about(BEGIN))
    assert ranges.problem is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "not Prometheus's"),
        (b"[]", "not Prometheus's"),
        (b'{"data":{"resultType":"vector","result":[]}}', "a vector came"),
        (b'{"data":{"resultType":"matrix","result":[{"metric":{},"values":[["a","b"]]}]}}', "not a number at a time"),
        (b'{"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1]]}]}}', "not a number at a time"),
        (b'{"data":{"resultType":"matrix","result":[7]}}', "not a number at a time"),
    ],
)
def test_another_form_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ProviderError, match=why):
        points(body)
