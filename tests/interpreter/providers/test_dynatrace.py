"""Dynatrace's nulls are no data, its pages are read to the end, and one value over the window is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from interpreter.providers.dynatrace import Dynatrace
from interpreter.providers.provider import RenderedQuery, Sample, Trouble
from tests.interpreter.providers.server import Answer, Server, gives, refused, says

QUERY = RenderedQuery(
    "builtin:service.errors.total.rate:avg",
    at_ms=1_795_413_067_184,
    window_ms=60_000,
    secret={"dynatrace_token": "dt0c01.SECRET.TOKEN"},
)


def page(*series: object, following: str | None = None, **more: object) -> bytes:
    return gives(
        {"totalCount": 1, "nextPageKey": following, "result": [{"metricId": "m", "data": list(series)}], **more}
    )


def of(*values: object, **dimensions: str) -> dict[str, object]:
    return {"dimensionMap": dimensions, "timestamps": [1795413060000] * len(values), "values": values}


@pytest.fixture
async def dynatrace(server: Server) -> AsyncIterator[Dynatrace]:
    made = Dynatrace(server.url + "/e/env")
    yield made
    await made.close()


async def test_it_is_asked_as_documented(server: Server, dynatrace: Dynatrace) -> None:
    server.answers = [page(of(0.5, service="web"), warnings=["deprecated"])]
    got = await dynatrace.measure(QUERY)
    assert got.samples == (Sample({"service": "web"}, 0.5),)
    assert got.warnings == ("deprecated",)
    asked = {"metricSelector": [QUERY.text], "resolution": ["Inf"], "from": ["1795413007184"], "to": ["1795413067184"]}
    assert server.target() == ("GET", "/e/env/api/v2/metrics/query", asked)
    assert server.asked[0][1]["authorization"] == "Api-Token dt0c01.SECRET.TOKEN"


async def test_null_and_nothing_are_no_data_and_a_null_hides_no_value(server: Server, dynatrace: Dynatrace) -> None:
    server.answers = [page(of(None)), page(), gives({"result": []}), page(of(1.0, 2.0, None))]
    assert [len((await dynatrace.measure(QUERY)).samples) for _ in range(3)] == [0, 0, 0]
    assert (await dynatrace.measure(QUERY)).samples == (Sample({}, 2.0),)


async def test_pages_are_read_by_their_key_alone(server: Server, dynatrace: Dynatrace) -> None:
    server.answers = [page(of(None), following="k=2"), page(of(3.0))]
    assert (await dynatrace.measure(QUERY)).samples == (Sample({}, 3.0),)
    assert server.target()[2] == {"nextPageKey": ["k=2"]}


async def test_pages_without_end_are_not_read(server: Server, dynatrace: Dynatrace) -> None:
    server.answers = [page(of(1.0), following="again")]
    assert "many pages" in str(await refused(dynatrace, QUERY))
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("answer", "trouble", "words"),
    [
        (gives({"error": {"code": 400, "message": "bad selector"}}, status=400), Trouble.BAD_QUERY, "bad selector"),
        (gives({"error": {"message": "bad selector"}}), Trouble.BAD_QUERY, "Dynatrace says: bad selector"),
        (gives({"error": {"message": "no scope"}}, status=403), Trouble.AUTH, "no scope"),
        (gives({}, "Retry-After: 0", status=429), Trouble.TRANSIENT, "429"),
        (says(200, "<html>"), Trouble.BAD_QUERY, "did not answer in JSON"),
        (gives([]), Trouble.BAD_QUERY, "another form"),
        (page(of(True)), Trouble.BAD_QUERY, "a value is true"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Server, dynatrace: Dynatrace, answer: Answer, trouble: Trouble, words: str
) -> None:
    server.answers = [answer]
    error = await refused(dynatrace, QUERY)
    assert error.trouble is trouble
    assert words in str(error)


async def test_without_an_address_the_reader_is_told_how_to_give_one() -> None:
    assert 'server "https://…"' in str(await refused(Dynatrace(), QUERY))
