"""Graphite is asked about the window and past its cache, in Flagger's form or as a plain target. The server is a fake
that answers in the documented form: graphite-web runs from PyPI, but with Django under it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from interpreter.providers.graphite import Graphite
from interpreter.providers.provider import RenderedQuery, Sample, Trouble
from tests.interpreter.providers.server import Answer, Server, gives, refused, says

QUERY = RenderedQuery("sumSeries(web.*.errors)", at_ms=1_795_413_067_184, window_ms=60_000)


def of(*values: object) -> dict[str, object]:
    return {
        "target": "t",
        "tags": {"name": "t"},
        "datapoints": [[value, 1795413000 + i] for i, value in enumerate(values)],
    }


@pytest.fixture
async def graphite(server: Server) -> AsyncIterator[Graphite]:
    made = Graphite(server.url)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (
            "sumSeries(\n  web.*.errors\n)",
            {"target": ["sumSeries( web.*.errors )"], "from": ["1795413007"], "until": ["1795413067"]},
        ),
        (
            "target=asPercent(\n  a, b)\n&from=-5min&format=png",
            {"target": ["asPercent( a, b)"], "from": ["-5min"]},
        ),
        ("target=a", {"target": ["a"], "from": ["1795413007"], "until": ["1795413067"]}),
    ],
)
async def test_it_is_asked_as_documented(
    server: Server, graphite: Graphite, text: str, asked: dict[str, list[str]]
) -> None:
    server.answers = [gives([of(1.5)])]
    query = QUERY._replace(text=text, secret={"username": "ann", "password": "pa55word"})
    assert (await graphite.measure(query)).samples == (Sample({"target": "t"}, 1.5),)
    assert server.target() == ("GET", "/render", {**asked, "format": ["json"], "noCache": ["true"]})
    assert server.asked[0][1]["authorization"] == "Basic YW5uOnBhNTV3b3Jk"


async def test_the_newest_value_that_is_not_null_counts(server: Server, graphite: Graphite) -> None:
    server.answers = [gives([of(1, 2, None)]), gives([of("3", None)]), gives([of(None)]), gives([])]
    got = [tuple(sample.value for sample in (await graphite.measure(QUERY)).samples) for _ in range(4)]
    assert got == [(2.0,), (3.0,), (), ()]


async def test_several_series_stay_several(server: Server, graphite: Graphite) -> None:
    server.answers = [gives([of(1), of(2), of(None)])]
    assert [sample.value for sample in (await graphite.measure(QUERY)).samples] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("answer", "trouble", "words"),
    [
        (says(400, "<h1>Invalid target</h1>"), Trouble.BAD_QUERY, "Invalid target"),
        (says(401, ""), Trouble.AUTH, "(401)"),
        (says(429, "", "Retry-After: 0"), Trouble.TRANSIENT, "429"),
        (says(200, "<html>login</html>"), Trouble.BAD_QUERY, "did not answer in JSON"),
        (gives({"error": "x"}), Trouble.BAD_QUERY, "another form"),
        (gives([of([1])]), Trouble.BAD_QUERY, "a point is a list"),
    ],
)
async def test_what_is_wrong_is_named(
    server: Server, graphite: Graphite, answer: Answer, trouble: Trouble, words: str
) -> None:
    server.answers = [answer]
    error = await refused(graphite, QUERY)
    assert error.trouble is trouble
    assert words in str(error)
