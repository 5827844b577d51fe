"""Loki's metric queries are read as Prometheus's are; a query for lines of a log is no number."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from interpreter.providers.loki import Loki
from interpreter.providers.provider import RenderedQuery, Sample, Trouble
from tests.interpreter.providers.server import Answer, Server, gives, refused, says, vector

QUERY = RenderedQuery(
    'sum(rate({app="web"} |= "error" [1m]))',
    at_ms=1_795_413_067_184,
    window_ms=60_000,
    secret={"username": "ann", "password": "pa55word", "tenant": "shop"},
)


@pytest.fixture
async def loki(server: Server) -> AsyncIterator[Loki]:
    made = Loki(server.url)
    yield made
    await made.close()


async def test_it_is_asked_as_of_its_moment_in_nanoseconds(server: Server, loki: Loki) -> None:
    server.answers = [vector(('{"app":"web"}', "0.5")), vector()]
    assert (await loki.measure(QUERY)).samples == (Sample({"app": "web"}, 0.5),)
    asked = {"query": [QUERY.text], "time": ["1795413067184000000"]}
    assert server.target() == ("GET", "/loki/api/v1/query", asked)
    headers = server.asked[0][1]
    assert (headers["x-scope-orgid"], headers["authorization"]) == ("shop", "Basic YW5uOnBhNTV3b3Jk")
    assert (await loki.measure(QUERY)).samples == ()


@pytest.mark.parametrize(
    ("answer", "trouble", "words"),
    [
        (gives({"data": {"resultType": "streams", "result": []}}), Trouble.BAD_QUERY, "gives a streams"),
        (says(400, "parse error : unexpected IDENTIFIER"), Trouble.BAD_QUERY, "unexpected IDENTIFIER"),
        (says(429, "too many outstanding requests", "Retry-After: 0"), Trouble.TRANSIENT, "too many outstanding"),
        (says(401, "no org id"), Trouble.AUTH, "no org id"),
        (says(200, "<html>"), Trouble.BAD_QUERY, "is not Loki's"),
        (vector(("{}", "1"), warnings='["one ingester is down"]'), Trouble.PARTIAL, "one ingester is down"),
    ],
)
async def test_what_is_wrong_is_named(server: Server, loki: Loki, answer: Answer, trouble: Trouble, words: str) -> None:
    server.answers = [answer]
    error = await refused(loki, QUERY)
    assert error.trouble is trouble
    assert words in str(error)
