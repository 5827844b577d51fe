"""Grafana Loki: one instant query in LogQL, as of a moment.

Loki answers a query for a metric (`sum(rate({app="web"} |= "error" [1m]))`) in the form that Prometheus has; one for
lines of a log gives streams, which are no number. Several tenants are told apart by the header `X-Scope-OrgID`, from
the Secret's `tenant` or from the metric's own headers.

Source: Loki's HTTP API, `GET /loki/api/v1/query`. There is no client library for it.
"""

from __future__ import annotations

from interpreter.credential import authorization
from interpreter.providers import prometheus
from interpreter.providers.access import found_key, server_of
from interpreter.providers.http import Http
from interpreter.providers.provider import Measurement, RenderedQuery


class Loki:
    """Asks the server of the query. A Secret has `username` and `password`, or `token`, and may have `tenant`."""

    name = "loki"

    def __init__(self, server: str | None = None, *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        tenant = found_key(query, "tenant")
        answer = await self._http.ask(
            "GET",
            f"{server_of(query, self._server, 'Loki')}/loki/api/v1/query",
            query,
            headers={**authorization(query.secret), **({"X-Scope-OrgID": tenant} if tenant else {})},
            params={"query": query.text, "time": str(query.at_ms * 1_000_000)},
        )
        with answer.understood():
            return prometheus.parse(answer.body, "Loki")

    async def close(self) -> None:
        await self._http.close()
