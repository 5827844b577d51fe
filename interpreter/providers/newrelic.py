"""New Relic: a query in NRQL, by NerdGraph, or by the older Insights API for policies that were made for it.

A Secret with `newrelic_query_key` is one for Insights, as Flagger's are; any other has a user's key for NerdGraph. A
query that does not say since when is asked about the window. NerdGraph answers errors with 200, so `errors` are looked
at first; by what class they are of, they may pass or are about the key.

Rows are objects of aggregates: `{"count": 12}`, `{"percentile.duration": {"99": 0.3}}`, with `FACET` also the facet.
Sources: New Relic's documentation of NerdGraph (NRQL) and of the Insights query API. No client library speaks NRQL.
"""

from __future__ import annotations

import re
from typing import Any

from interpreter.providers.access import found_key, key_header, needed_key, server_of
from interpreter.providers.http import Http
from interpreter.providers.numbers import leaves
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

INSIGHTS = "https://insights-api.newrelic.com"
TIMEOUT_S = 8
"""For the query at New Relic, whose own limit is 5 s; ours for the whole is 10."""
_QUOTED = re.compile(r"'[^']*'|`[^`]*`|\"[^\"]*\"")
_TIMED = re.compile(r"\b(?:since|until)\b", re.IGNORECASE)
_ASKED = (
    "query($id: Int!, $q: Nrql!, $t: Seconds)"
    " { actor { account(id: $id) { nrql(query: $q, timeout: $t) { results } } } }"
)
_BESIDE = frozenset(("facet", "beginTimeSeconds", "endTimeSeconds"))
_PASSES = re.compile(r"TIMEOUT|TIMED_OUT|TOO_MANY|RATE_LIMIT|SERVER_ERROR|UNAVAILABLE")
_AUTH = re.compile(r"AUTH|API_KEY|ACCESS_DENIED|FORBIDDEN")


class NewRelic:
    """Asks the server of the query, or else New Relic in the United States."""

    name = "newrelic"

    def __init__(self, server: str = "https://api.newrelic.com", *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        account = needed_key(query, "New Relic", "newrelic_account_id", "account_id")
        if not account.isdecimal():
            raise ProviderError(Trouble.AUTH, "the account in New Relic's Secret is not a number")
        if found_key(query, "newrelic_query_key") is not None:
            return await self._insights(query, account)
        server = server_of(query, self._server, "New Relic").removesuffix("/graphql")
        variables = {"id": int(account), "q": timed(query), "t": TIMEOUT_S}
        answer = await self._http.ask(
            "POST",
            f"{server}/graphql",
            query,
            headers=key_header(query, "New Relic", "API-Key", "newrelic_api_key", "api_key"),
            body={"query": _ASKED, "variables": variables},
        )
        with answer.understood():
            return parse_nerdgraph(answer.json())

    async def _insights(self, query: RenderedQuery, account: str) -> Measurement:
        server = server_of(query, INSIGHTS, "New Relic")
        answer = await self._http.ask(
            "GET",
            f"{server}/v1/accounts/{account}/query",
            query,
            headers=key_header(query, "New Relic", "X-Query-Key", "newrelic_query_key"),
            params={
                "nrql": query.text if _has_time(query.text) else f"{query.text} SINCE {_seconds(query)} seconds ago"
            },
        )
        with answer.understood():
            return parse_insights(answer.json())

    async def close(self) -> None:
        await self._http.close()


def timed(query: RenderedQuery) -> str:
    """The query with its window, in milliseconds since 1970, if it names no time of its own."""
    if _has_time(query.text):
        return query.text
    return f"{query.text} SINCE {query.at_ms - query.window_ms} UNTIL {query.at_ms}"


def _has_time(text: str) -> bool:
    return _TIMED.search(_QUOTED.sub("", text)) is not None


def _seconds(query: RenderedQuery) -> int:
    return max(1, query.window_ms // 1000)


def parse_nerdgraph(answer: Any) -> Measurement:
    """The numbers of all rows. Raises `ProviderError` for errors, which come with 200."""
    if answer.get("errors"):
        raise _graph_error(answer["errors"])
    account = answer["data"]["actor"]["account"]
    return _rows(account["nrql"]["results"])


def _graph_error(errors: list[Any]) -> ProviderError:
    kinds = " ".join(str(error.get("extensions") or "") for error in errors).upper()
    said = "; ".join(str(error.get("message", "")) for error in errors)
    trouble = Trouble.BAD_QUERY
    if _PASSES.search(kinds):
        trouble = Trouble.TRANSIENT
    elif _AUTH.search(kinds):
        trouble = Trouble.AUTH
    return ProviderError(trouble, f"New Relic says: {said}")


def parse_insights(answer: Any) -> Measurement:
    """The same, of the older API."""
    if answer.get("error"):
        raise ProviderError(Trouble.BAD_QUERY, f"New Relic says: {answer['error']}")
    return _rows(answer["results"])


def _rows(rows: list[dict[str, Any]]) -> Measurement:
    found: list[Sample] = []
    for row in rows:
        facet = row.get("facet")
        labels = {} if facet is None else {"facet": str(facet)}
        if any(key in row for key in ("beginTimeSeconds", "endTimeSeconds")):
            labels["begin"] = str(row.get("beginTimeSeconds", ""))
        beside = _BESIDE | set(_names(facet, row))
        found += leaves({key: value for key, value in row.items() if key not in beside}, "", labels)
    return Measurement(tuple(found))


def _names(facet: object, row: dict[str, Any]) -> list[str]:
    """The attributes that a row is grouped by stand in it once more, under their names."""
    values = facet if isinstance(facet, list) else [facet]
    return [key for key, value in row.items() if facet is not None and isinstance(value, str) and value in values]
