"""The page of metrics, in Prometheus's text format, on a port of its own that only this machine can reach.

The numbers are read from the proxy's own counters when somebody asks; nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from interpreter.local.metering import Metering, Subject
from interpreter.local.proxy import Proxy

_LABELS = ("arm", "workload", "revision")


class Page:
    """Collects the proxy's counters for Prometheus."""

    def __init__(self, metering: Metering, proxy: Proxy, target: str) -> None:
        self._metering = metering
        self._proxy = proxy
        self._target = target

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("rollway_proxy_requests", "Requests answered.", labels=(*_LABELS, "code"))
        durations = HistogramMetricFamily(
            "rollway_proxy_request_duration_seconds", "From arrival to the end of the answer.", labels=_LABELS
        )
        for subject, counts in self._metering.everything():
            labels = self._labels(subject)
            for code, count in counts.codes.items():
                requests.add_metric((*labels, str(code)), count)
            durations.add_metric(labels, _buckets(counts.tally().cumulative()), counts.seconds)
        yield requests
        yield durations
        yield from self._others()

    def describe(self) -> list[Metric]:
        """Nothing is known before it is asked for."""
        return []

    def _others(self) -> Iterator[Metric]:
        mirrored = CounterMetricFamily("rollway_proxy_mirrored_requests", "Requests copied to the canary.")
        mirrored.add_metric((), self._metering.mirrored)
        yield mirrored
        dropped = CounterMetricFamily("rollway_proxy_mirror_dropped", "Copies not made, for there were too many.")
        dropped.add_metric((), self._metering.mirror_dropped)
        yield dropped
        yield GaugeMetricFamily("rollway_proxy_canary_weight", "The canary's percentage.", self._proxy.routing.weight)

    def _labels(self, subject: Subject) -> tuple[str, str, str]:
        ending = "" if subject.role == "canary" else f"-{subject.role}"
        return subject.role, f"{self._target}{ending}", subject.revision


class Admin:
    """Serves `/metrics`."""

    def __init__(self, page: Page) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(page)
        self._runner: web.ServerRunner | None = None

    async def start(self, port: int = 0) -> int:
        """Listen on this machine only; the port is returned. Raises `OSError` if it cannot be had."""
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/metrics":
            return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
        return web.Response(status=404, text="there is /metrics here\n")


def _buckets(cumulative: tuple[tuple[float, float], ...]) -> list[tuple[str, float]]:
    return [("+Inf" if bound == float("inf") else f"{bound:g}", count) for bound, count in cumulative]
