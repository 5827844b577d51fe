"""Which metric provider has which name. Each stands in a module of its own, imported when it is first asked for: an
installation pays for the servers that it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from interpreter.providers.provider import Provider

if TYPE_CHECKING:
    from interpreter.providers.http import Http

PROVIDERS: Mapping[str, str] = {
    "cloudwatch": "interpreter.providers.cloudwatch:CloudWatch",
    "datadog": "interpreter.providers.datadog:Datadog",
    "dynatrace": "interpreter.providers.dynatrace:Dynatrace",
    "elasticsearch": "interpreter.providers.elasticsearch:Elasticsearch",
    "externalmetrics": "interpreter.providers.externalmetrics:ExternalMetrics",
    "graphite": "interpreter.providers.graphite:Graphite",
    "honeycomb": "interpreter.providers.honeycomb:Honeycomb",
    "influxdb": "interpreter.providers.influxdb:InfluxDB",
    "job": "interpreter.providers.job:Job",
    "kayenta": "interpreter.providers.kayenta:Kayenta",
    "keptn": "interpreter.providers.keptn:Keptn",
    "loki": "interpreter.providers.loki:Loki",
    "newrelic": "interpreter.providers.newrelic:NewRelic",
    "prometheus": "interpreter.providers.prometheus:Prometheus",
    "sentry": "interpreter.providers.sentry:Sentry",
    "splunk": "interpreter.providers.splunk:Splunk",
    "stackdriver": "interpreter.providers.stackdriver:Stackdriver",
    "web": "interpreter.providers.web:Web",
}
"""By the name that the language has for it: the module, and the class in it."""
_WITHOUT_HTTP = frozenset(("job", "keptn"))
"""These speak to the cluster alone."""


class Providers(Mapping[str, Provider]):
    """All providers, each made when it is first asked for. `settings` are the arguments of some, by name: the server
    that is asked where a policy names none (`{"prometheus": {"server": URL}}`). All speak HTTP by way of `http`;
    without it, each on its own."""

    def __init__(self, settings: Mapping[str, Mapping[str, Any]] | None = None, http: Http | None = None) -> None:
        self._settings = dict(settings or {})
        self._http = http
        self._made: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> Provider:
        if name not in self._made:
            module, kind = PROVIDERS[name].split(":")
            given = {} if name in _WITHOUT_HTTP else {"http": self._http}
            self._made[name] = getattr(import_module(module), kind)(**given, **self._settings.get(name, {}))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(PROVIDERS)

    def __len__(self) -> int:
        return len(PROVIDERS)

    async def close(self) -> None:
        """Let go of the connections of those that were made."""
        for provider in self._made.values():
            await provider.close()
        self._made.clear()
        if self._http is not None:
            await self._http.close()
