"""Prometheus, and whatever speaks its HTTP API: one instant query, as of a moment.

`vector` gives samples with their labels, `scalar` one without. Values are texts; "NaN" and "+Inf" are numbers to
Prometheus and mean no data or a mistake to us, so they are passed on as they are and named later. Warnings mean that a
part of the data is missing (Thanos says so when a store is down, VictoriaMetrics's cluster by `isPartial`): that is an
error, not a number. A warning that begins with `PromQL warning` is about the query, and an error too, under another
name; what newer servers call `infos` is passed on as a warning of ours.

Over httpx. `prometheus-api-client` gives the result without its type, the warnings and the kind of an error, has no
limit of time of its own, and blocks.

Who we are is told in one of five ways, the first that fits: `token`, or `username` and `password`, of the Secret; a
token for its `client_id`, `client_secret`, `token_url` and `scope` (OAuth 2.0); a signature for Amazon's managed
Prometheus (an address of `aps-workspaces`, or `aws_access_key_id` in the Secret); a token for Google's (an address of
`googleapis.com`, or `serviceAccountKey`); or the certificate of the Secret. Its `tenant` is sent as `X-Scope-OrgID`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from interpreter.credential import authorization
from interpreter.providers import amazon, answer_json, google
from interpreter.providers.http import Http
from interpreter.providers.oauth import OAuth, has_client
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble
from interpreter.providers.threads import Threads

_ABOUT_QUERY = "PromQL warning"
_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


class Prometheus:
    """Asks the server of the query, or else this one."""

    name = "prometheus"

    def __init__(
        self, server: str | None = None, headers: Mapping[str, str] | None = None, *, http: Http | None = None
    ) -> None:
        self._server = server
        self._headers = dict(headers or {})
        self._http = http or Http()
        self._oauth = OAuth(self._http)
        self._google = google.Tokens(self._http)
        self._threads = Threads("amazon")

    async def measure(self, query: RenderedQuery) -> Measurement:
        server = query.server or self._server
        if not server:
            why = "no Prometheus to ask: give one with --prometheus URL, to a controller with --metrics-server URL"
            raise ProviderError(Trouble.BAD_QUERY, why)
        own = self._headers if query.server in (None, self._server) else {}
        url = f"{server.rstrip('/')}/api/v1/query"
        content = urlencode({"query": query.text, "time": f"{query.at_ms / 1000:.3f}"}).encode()
        headers = await self._introduced(url, {**own, **_TYPE, **_tenant(query.secret)}, content, query)
        answer = await self._http.ask("POST", url, query, headers=headers, content=content)
        with answer.understood():
            return parse(answer.body)

    async def close(self) -> None:
        await self._http.close()
        self._google.close()
        self._threads.close()

    async def _introduced(
        self, url: str, headers: Mapping[str, str], content: bytes, query: RenderedQuery
    ) -> Mapping[str, str]:
        """The headers, with one that says who we are. Raises `ProviderError`."""
        secret = query.secret
        if known := authorization(secret):
            return {**headers, **known}
        if has_client(secret):
            return {**headers, **await self._oauth.headers(query)}
        if amazon.is_prometheus(url) or amazon.has_keys(secret):
            return await self._threads.run(lambda: amazon.signed("POST", url, headers, content, query))
        if google.is_googles(url) or google.KEY in secret:
            return {**headers, **await self._google.headers(secret, url)}
        return headers


def _tenant(secret: Mapping[str, str]) -> dict[str, str]:
    """As Mimir, Cortex and Loki call it."""
    return {"X-Scope-OrgID": secret["tenant"].strip()} if "tenant" in secret else {}


def parse(body: bytes, whose: str = "Prometheus") -> Measurement:
    """The samples in an answer of `whose` form. Raises `ProviderError` for one that is not so, or not whole."""
    try:
        answer = answer_json.read(body)
        if answer.get("status", "success") != "success":
            raise ProviderError(Trouble.BAD_QUERY, f"{whose} says with 200 that it failed: {answer.get('error', '')}")
        data = answer["data"]
        kind, result = data["resultType"], data["result"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProviderError(Trouble.BAD_QUERY, f"the server's answer is not {whose}'s: check its address") from error
    warnings = tuple(str(warning) for warning in answer.get("warnings") or ())
    about_query = tuple(said for said in warnings if said.startswith(_ABOUT_QUERY))
    if len(about_query) < len(warnings):
        raise ProviderError(Trouble.PARTIAL, f"the data is not whole: {'; '.join(warnings)}")
    if answer.get("isPartial") is True:
        raise ProviderError(Trouble.PARTIAL, "the data is not whole: a part of the cluster's storage did not answer")
    if about_query:
        raise ProviderError(Trouble.BAD_QUERY, f"the server warns of the query: {'; '.join(about_query)}")
    infos = tuple(str(info) for info in answer.get("infos") or ())
    if kind == "vector":
        return Measurement(tuple(_sample(row) for row in result), infos)
    if kind == "scalar":
        return Measurement((_sample({"metric": {}, "value": result}),), infos)
    raise ProviderError(Trouble.BAD_QUERY, f"the query gives a {kind}, and one number is needed: take a rate of it")


def _sample(row: Any) -> Sample:
    try:
        return Sample(dict(row["metric"]), _number(row["value"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError(Trouble.BAD_QUERY, "a sample of the answer is not a number at a time") from error


def _number(pair: Any) -> float:
    """Prometheus writes its numbers as texts, and the moment beside them. Raises `ValueError` for anything else."""
    _, text = pair
    if not isinstance(text, str) or "_" in text or not text.isascii():
        raise ValueError(text)
    return float(text)
