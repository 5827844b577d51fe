"""No provider shows a credential, whatever a server does with those that it was sent: here it sends all back, in every
place from which a provider takes words for people."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from interpreter.providers.provider import ProviderError, RenderedQuery
from interpreter.providers.registry import PROVIDERS, Providers
from tests.interpreter.providers.server import Server, gives, says

QUERIES = {
    "elasticsearch": "web/_search",
    "honeycomb": '{"calculations": [{"op": "COUNT"}]}',
    "sentry": "acme/events?field=count()",
    "web": "GET /x\n$.value",
}
KEYS = (
    "username",
    "password",
    "token",
    "tenant",
    "org",
    "api_key",
    "application_key",
    "account_id",
    "datadog_api_key",
    "datadog_application_key",
    "newrelic_account_id",
    "newrelic_api_key",
    "dynatrace_token",
    "honeycomb_api_key",
    "sentry_auth_token",
    "sf_token_key",
)
SECRET = {key: f"hidden{number:02}x{number:030}\n" for number, key in enumerate(KEYS)} | {
    "newrelic_account_id": "7654321",
    "account_id": "7654321",
}
MORE = {"newrelic": {"newrelic_query_key": "hidden99x000000000000000000099"}}
HIDDEN = ("hidden", "7654321")

Echo = Callable[[str], bytes]
ECHOES: dict[str, Echo] = {
    "refused": lambda all_sent: gives({"error": all_sent, "message": all_sent}, status=400),
    "refused in plain text": lambda all_sent: says(400, all_sent),
    "refused, and long": lambda all_sent: says(400, "x" * 270 + all_sent),
    "let out": lambda all_sent: gives({"errors": [all_sent]}, status=401),
    "error": lambda all_sent: gives({"status": "error", "error": all_sent, "errors": all_sent}),
    "error object": lambda all_sent: gives({"error": {"message": all_sent, "reason": all_sent}}),
    "errors": lambda all_sent: gives({"errors": [{"message": all_sent, "extensions": {"errorClass": "x"}}]}),
    "long errors": lambda all_sent: gives({"errors": [{"message": "x" * 270 + all_sent}]}),
    "results": lambda all_sent: gives({"results": [{"error": all_sent, "statement_id": 0}]}),
    "warnings": lambda all_sent: gives(
        {"status": "success", "data": {"resultType": "vector", "result": []}, "warnings": [all_sent]}
    ),
    "number": lambda all_sent: gives({"value": all_sent, "results": [{"count": all_sent}]}),
    "key": lambda all_sent: gives({"id": all_sent, "complete": True, "data": {"results": [{"data": {all_sent: "x"}}]}}),
    "shards": lambda all_sent: gives(
        {"_shards": {"failed": 1, "total": 1, "failures": [{"reason": {"reason": all_sent}}]}, "hits": {}}
    ),
    "stream": lambda all_sent: says(200, f'event: error\ndata: {{"errors": [{{"code": {json.dumps(all_sent)}}}]}}\n\n'),
    "page": lambda all_sent: says(200, f"<html>{all_sent}</html>"),
    "elsewhere": lambda all_sent: says(302, all_sent, "Location: http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
@pytest.mark.parametrize("name", sorted(PROVIDERS))
async def test_a_server_that_sends_credentials_back_does_not_get_them_shown(
    server: Server, name: str, echo: Echo
) -> None:
    async def hostile(writer: asyncio.StreamWriter) -> None:
        line, headers, _ = server.asked[-1]
        sent = sorted(headers.values(), key=lambda value: HIDDEN[0] not in value)
        writer.write(echo(" ".join((*sent, line, server.bodies[-1]))))
        await writer.drain()

    server.answers = [hostile]
    providers = Providers()
    try:
        for secret in {name: (SECRET, SECRET | MORE[name]) for name in MORE}.get(name, (SECRET,)):
            query = RenderedQuery(QUERIES.get(name, "up"), 1_795_413_067_184, 60_000, server.url, secret=secret)
            with pytest.raises(ProviderError) as caught:
                async with asyncio.timeout(10):
                    await providers[name].measure(query)
            assert [one for one in HIDDEN if one in str(caught.value)] == [], str(caught.value)
    finally:
        await providers.close()
