"""One number out of any server's JSON, and a word for each thing that is not one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from interpreter.providers.provider import RenderedQuery, Sample, Trouble
from interpreter.providers.web import Web
from tests.interpreter.providers.server import Answer, Server, gives, refused, says

QUERY = RenderedQuery(
    "GET /v1/score?service=web\n$.scores[0].value",
    at_ms=1_795_413_067_184,
    window_ms=60_000,
    secret={"token": "web-secret-token"},
)
POST = QUERY._replace(text='\n  POST /v1/score\n  {"service": "web"}\n  $.value\n')


@pytest.fixture
async def web(server: Server) -> AsyncIterator[Web]:
    made = Web(server.url + "/base/")
    yield made
    await made.close()


async def test_a_get_is_asked_with_the_secret(server: Server, web: Web) -> None:
    server.answers = [gives({"scores": [{"value": 0.5}]})]
    assert (await web.measure(QUERY)).samples == (Sample({}, 0.5),)
    assert server.target() == ("GET", "/base/v1/score", {"service": ["web"]})
    assert server.asked[0][1]["authorization"] == "Bearer web-secret-token"


async def test_a_post_has_its_body(server: Server, web: Web) -> None:
    server.answers = [gives({"value": "12.5"})]
    assert (await web.measure(POST)).samples == (Sample({}, 12.5),)
    assert server.target()[0] == "POST"
    assert server.bodies == ['{"service":"web"}']


@pytest.mark.parametrize("answer", [{"scores": []}, {"scores": [{"value": None}]}, {"scores": None}])
async def test_null_and_an_empty_list_are_no_data(server: Server, web: Web, answer: object) -> None:
    server.answers = [gives(answer)]
    assert (await web.measure(QUERY)).samples == ()


@pytest.mark.parametrize(
    ("answer", "trouble", "words"),
    [
        (gives({"scores": [{"worth": 1}]}), Trouble.BAD_QUERY, "there is no `value` at `$.scores[0]`"),
        (gives({"scores": [{"value": True}]}), Trouble.BAD_QUERY, "`$.scores[0].value` is true"),
        (gives({"scores": [{"value": [1]}]}), Trouble.BAD_QUERY, "is a list"),
        (gives({"scores": [{"value": {}}]}), Trouble.BAD_QUERY, "is an object"),
        (gives({"scores": [{"value": "fine"}]}), Trouble.BAD_QUERY, "is `fine`"),
        (says(200, '{"scores": [{"value": 1' + "0" * 400 + "}]}"), Trouble.BAD_QUERY, "too large"),
        (says(200, "<html>"), Trouble.BAD_QUERY, "did not answer in JSON"),
        (says(200, "[" * 100_000), Trouble.BAD_QUERY, "did not answer in JSON"),
        (says(400, "[" * 100_000), Trouble.BAD_QUERY, "refused the query (400)"),
        (says(302, "", "Location: http://elsewhere.test/"), Trouble.BAD_QUERY, "(302)"),
        (says(403, "no"), Trouble.AUTH, "(403)"),
        (says(429, "", "Retry-After: 0"), Trouble.TRANSIENT, "429"),
    ],
)
async def test_what_is_wrong_is_named(server: Server, web: Web, answer: Answer, trouble: Trouble, words: str) -> None:
    server.answers = [answer]
    error = await refused(web, QUERY)
    assert error.trouble is trouble
    assert words in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/v1/score",
        "$.a",
        "http://elsewhere.test/\n$.a",
        "@elsewhere.test/\n$.a",
        "DELETE /v1\n$.a",
        "GET /v1\n{}\n$.a",
        "POST /v1\n{\n$.a",
        "GET /v1\na.b",
        "GET /v1\n$..a",
    ],
)
async def test_what_is_no_query_is_not_sent(server: Server, web: Web, text: str) -> None:
    assert (await refused(web, QUERY._replace(text=text))).trouble is Trouble.BAD_QUERY
    assert server.asked == []
