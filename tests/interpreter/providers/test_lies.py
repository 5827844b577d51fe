"""Whatever a metric server does, over real HTTP: no provider raises anything but `ProviderError`, takes it for a number
or waits longer than its limit or takes much memory; what it says names the provider and the server."""

from __future__ import annotations

import asyncio
import math
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from interpreter.providers import google, provider
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery
from interpreter.providers.registry import PROVIDERS, Providers
from interpreter.providers.sharing import Sharing
from tests.interpreter.providers.lies import AT_MS, LARGE, QUERIES, QUICK, SLOW, TRUE, Lie, truth
from tests.interpreter.providers.server import Server, serving

NOT_HTTP = {"keptn", "job"}
NAMES = sorted(set(PROVIDERS) - NOT_HTTP)
SECRET = {
    "token": "t",
    "project": "p",
    "region": "eu-x-1",
    "datadog_api_key": "k",
    "datadog_application_key": "k",
    "dynatrace_token": "k",
    "honeycomb_api_key": "k",
    "newrelic_account_id": "1",
    "newrelic_api_key": "k",
    "sentry_auth_token": "k",
    "sf_token_key": "k",
    "aws_access_key_id": "k",
    "aws_secret_access_key": "k",
}
ITS_OWN = {("influxdb", "true"), ("newrelic", "an object")}
"""InfluxDB has truths for numbers, New Relic objects of percentiles."""
MOST_MB = 50
HANGS_S = 30
"""Much longer than any limit here: whoever waits for this long has none."""


@pytest.fixture
async def providers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Providers]:
    async def token(*_: object) -> dict[str, str]:
        return {"Authorization": "Bearer google"}

    monkeypatch.setattr(google.Tokens, "headers", token)
    monkeypatch.setattr(provider, "LONGEST_WAIT_S", 0.001)
    made = Providers({"honeycomb": {"poll": 0.001}, "kayenta": {"poll": 0.001}})
    yield made
    await made.close()


async def ask(providers: Providers, name: str, server: Server, lie: Lie, limit: float) -> Measurement | ProviderError:
    """What the provider makes of it, in the end."""

    async def said(writer: asyncio.StreamWriter) -> None:
        await lie(TRUE[name], writer)

    server.answers = [said]
    query = RenderedQuery(QUERIES.get(name, "up"), AT_MS, 60_000, server.url, secret=SECRET)
    async with asyncio.timeout(HANGS_S):
        try:
            return await Sharing().measure(providers[name], query, timeout=limit)
        except ProviderError as error:
            return error


def is_no_number(name: str, server: Server, got: Measurement | ProviderError) -> None:
    if isinstance(got, Measurement):
        assert [sample for sample in got.samples if math.isfinite(sample.value)] == []
        return
    said = str(got)
    assert name in said.lower().replace(" ", "")
    assert server.url.removeprefix("http://") in said
    assert len(said) < 1000


def test_every_provider_that_is_asked_over_http_is_lied_to() -> None:
    assert set(TRUE) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
async def test_the_truth_is_a_number(providers: Providers, server: Server, name: str) -> None:
    got = await ask(providers, name, server, truth, limit=HANGS_S)
    assert isinstance(got, Measurement), got
    assert [sample.value for sample in got.samples] == [7.0]


@pytest.mark.parametrize("lie", sorted(QUICK))
@pytest.mark.parametrize("name", NAMES)
async def test_a_lie_is_no_number(providers: Providers, server: Server, name: str, lie: str) -> None:
    if (name, lie) not in ITS_OWN:
        is_no_number(name, server, await ask(providers, name, server, QUICK[lie], limit=5))


@pytest.mark.parametrize("name", NAMES)
async def test_the_truth_of_another_kind_of_server_is_no_number(
    providers: Providers, server: Server, name: str
) -> None:
    for other in NAMES:
        if TRUE[other] == TRUE[name]:
            continue

        async def said(_: bytes, writer: asyncio.StreamWriter, body: bytes = TRUE[other]) -> None:
            await truth(body, writer)

        is_no_number(name, server, await ask(providers, name, server, said, limit=0.5))


@pytest.mark.parametrize("lie", SLOW.values(), ids=SLOW.keys())
async def test_a_server_that_takes_its_time_is_left_in_time(providers: Providers, lie: Lie) -> None:
    async def one(name: str) -> None:
        async with serving() as server:
            got = await ask(providers, name, server, lie, limit=0.5)
            is_no_number(name, server, got)
            assert "gave no answer within 0.5s" in str(got)

    await asyncio.gather(*map(one, NAMES))


@pytest.mark.parametrize("lie", LARGE.values(), ids=LARGE.keys())
@pytest.mark.parametrize("name", NAMES)
async def test_a_server_that_says_too_much_is_not_listened_to(
    providers: Providers, server: Server, name: str, lie: Lie
) -> None:
    tracemalloc.start()
    try:
        got = await ask(providers, name, server, lie, limit=5)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    is_no_number(name, server, got)
    assert peak < MOST_MB
