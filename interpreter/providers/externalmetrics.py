"""Kubernetes's External Metrics API: what autoscalers read, from whatever adapter the cluster has (KEDA, and others).

The query is Flagger's: `namespace/metric?labelSelector=app%3Dshop`; without a namespace it is `default`. It is asked of
the interpreter's own cluster, or of the query's server with the Secret's `token`. Each item is a series, and its value
a Kubernetes quantity: "1500m" is 1.5. That no item matches is no data; a metric that the API does not know is an
error, for an adapter that is not installed looks the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

from interpreter.cluster.equality import quantity
from interpreter.credential import authorization
from interpreter.providers.cluster_api import Ask, NotThere
from interpreter.providers.http import Http
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

API = "/apis/external.metrics.k8s.io/v1beta1"


class Metric(NamedTuple):
    """What a query names."""

    namespace: str
    name: str
    selector: str

    @property
    def path(self) -> str:
        return f"{API}/namespaces/{quote(self.namespace, safe='')}/{quote(self.name, safe='')}"

    @property
    def query(self) -> dict[str, str]:
        return {"labelSelector": self.selector} if self.selector else {}


class ExternalMetrics:
    """Asks through `ask`, where there is a cluster, what names no server."""

    name = "externalmetrics"

    def __init__(self, ask: Ask | None = None, *, http: Http | None = None) -> None:
        self._ask = ask
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        metric = read(query.text)
        try:
            return parse(await self._asked(metric, query))
        except NotThere as error:
            why = (
                f"there is no external metric `{metric.name}` in namespace `{metric.namespace}`, or no adapter: {error}"
            )
            raise ProviderError(Trouble.BAD_QUERY, why) from error

    async def close(self) -> None:
        await self._http.close()

    async def _asked(self, metric: Metric, query: RenderedQuery) -> Any:
        if not query.server:
            if self._ask is None:
                why = "external metrics are a cluster's, and there is none here: give its API server as the `server`"
                raise ProviderError(Trouble.BAD_QUERY, why)
            return await self._ask("GET", metric.path, metric.query)
        url = f"{query.server.rstrip('/')}{metric.path}"
        headers = authorization(query.secret)
        answer = await self._http.ask("GET", url, query, headers=headers, params=metric.query)
        with answer.understood():
            return answer.json()


def read(text: str) -> Metric:
    """The metric that a query names. Raises `ProviderError`."""
    path, _, rest = text.strip().partition("?")
    namespace, _, name = path.lstrip("/").rpartition("/")
    parameters = parse_qs(rest)
    selector = parameters.pop("labelSelector", [""])
    if not name or "/" in namespace or any(character.isspace() for character in path) or parameters:
        why = "the query of external metrics is `namespace/metric?labelSelector=…`, and this is not"
        raise ProviderError(Trouble.BAD_QUERY, why)
    return Metric(namespace or "default", name, selector[-1])


def parse(answer: Any) -> Measurement:
    """The items of an `ExternalMetricValueList`. Raises `ProviderError`."""
    try:
        return Measurement(tuple(_sample(item) for item in answer["items"] or ()))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ProviderError(Trouble.BAD_QUERY, "the answer is no list of external metrics") from error


def _sample(item: Mapping[str, Any]) -> Sample:
    text = item["value"]
    value = quantity(text) if isinstance(text, str) and text.isascii() else None
    if value is None:
        raise ProviderError(Trouble.BAD_QUERY, "the value of an external metric is no quantity")
    return Sample(dict(item.get("metricLabels") or {}), float(value))
