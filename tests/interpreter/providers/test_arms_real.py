"""On a real Prometheus that holds the series of several workloads and of all their arms, what `std/http` selects for an
arm is that arm's series and no other's, also where one name begins or ends with another.

The series are named and labelled as the data planes do it, those of one plane in one place of `PLANES`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from dsl.capabilities import PROVIDERS
from dsl.ir import Unit
from interpreter.providers.metrics import variables
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import RenderedQuery, guarded
from interpreter.questions import MetricQuestion
from interpreter.templates import render
from tests.prometheus.server import PATIENCE_S, SCRAPED_EVERY_S, RealPrometheus, as_of_now
from tests.stdlib.test_http import metric, program

NAMES = ("web", "web-2", "my-web", "web-canary", "web-primary-x", "web-baseline-x")
"""What is rolled out beside each other, in one namespace, each under the Service of its own name."""

ARMS = ("canary", "primary", "baseline")
NAMESPACE = "my-shop"
SETTLED_MS = 1000
"""Scrapes that began before then have ended, so that all queries see the same samples."""
POD = "-7d9f8c6b5-x2x4z"
SELECTOR = re.compile(r"(\w+\{.*?\})\[90s\]")

Labels = dict[str, str]


def _workload(name: str, arm: str) -> str:
    return name if arm == "canary" else f"{name}-{arm}"


def _plain(text: str) -> str:
    return re.sub(r"\W", "_", text)


def _istio(name: str, arm: str) -> Labels:
    workload = _workload(name, arm)
    return {"reporter": "destination", "destination_workload_namespace": NAMESPACE, "destination_workload": workload}


def _envoy(cluster: str) -> Callable[[str, str], Labels]:
    return lambda name, arm: {"envoy_cluster_name": cluster.format(ns=NAMESPACE, name=name, arm=arm)}


def _nginx(name: str, arm: str) -> Labels:
    canary = {"canary": f"{NAMESPACE}-{name}-canary-80"} if arm == "canary" else {}
    return {"namespace": NAMESPACE, "ingress": name, **canary}


def _skipper(name: str, arm: str) -> Labels:
    where = f"{_plain(NAMESPACE)}__{_plain(name)}_canary__shop_test____{_plain(name)}_{arm}"
    return {"route": f"kube_{where}{'_0' if arm == 'canary' else ''}"}


PLANES: dict[str, tuple[str, str, Callable[[str, str], Labels]]] = {
    "istio": ("istio_requests_total", "istio_request_duration_milliseconds", _istio),
    "linkerd": (
        "response_total",
        "response_latency_ms",
        lambda name, arm: {"namespace": NAMESPACE, "pod": _workload(name, arm) + POD, "direction": "inbound"},
    ),
    "osm": (
        "osm_request_total",
        "osm_request_duration_ms",
        lambda name, arm: {"destination_namespace": NAMESPACE, "destination_name": _workload(name, arm)},
    ),
    "appmesh": (
        "envoy_cluster_upstream_rq",
        "envoy_cluster_upstream_rq_time",
        lambda name, arm: {"kubernetes_namespace": NAMESPACE, "kubernetes_pod_name": _workload(name, arm) + POD},
    ),
    "gloo": (
        "envoy_cluster_upstream_rq",
        "envoy_cluster_upstream_rq_time",
        _envoy("{ns}-{name}-{arm}upstream-80_gloo-system"),
    ),
    "contour": ("envoy_cluster_upstream_rq", "envoy_cluster_upstream_rq_time", _envoy("{ns}_{name}-{arm}_80")),
    "kuma": (
        "envoy_cluster_upstream_rq",
        "envoy_cluster_upstream_rq_time",
        lambda name, arm: {"service": f"{name}-{arm}_{NAMESPACE}_svc_80"},
    ),
    "knative": (
        "envoy_cluster_upstream_rq",
        "envoy_cluster_upstream_rq_time",
        lambda name, arm: {"envoy_cluster_name": f"{NAMESPACE}/{_workload(name, arm)}"},
    ),
    "nginx": ("nginx_ingress_controller_requests", "nginx_ingress_controller_response_duration_seconds", _nginx),
    "traefik": (
        "traefik_service_requests_total",
        "traefik_service_request_duration_seconds",
        lambda name, arm: {"service": f"{NAMESPACE}-{name}-{arm}-http-web@kubernetescrd"},
    ),
    "skipper": ("skipper_response_duration_seconds_count", "skipper_serve_route_duration_seconds", _skipper),
    "apisix": (
        "apisix_http_status",
        "apisix_http_latency",
        lambda name, arm: {"route": f"{NAMESPACE}_{name}-{name}-canary_{arm}-weight-of-rule", "type": "request"},
    ),
    "local": (
        "rollway_proxy_requests_total",
        "rollway_proxy_request_duration_seconds",
        lambda name, arm: {"workload": _workload(name, arm)},
    ),
    "": (
        "http_request_duration_seconds_count",
        "http_request_duration_seconds",
        lambda name, arm: {"namespace": NAMESPACE, "pod": _workload(name, arm) + POD},
    ),
}
"""The counter, the histogram, and the labels of an arm. Those without a word of their own have the application's."""

ALIKE = {"smi": "istio"}
FAILED = {
    "code": "503",
    "status": "503",
    "response_code": "503",
    "envoy_response_code": "503",
    "classification": "failure",
}


class Planes(Collector):
    """All series of all planes; `of` says which workload and arm one is of. Counters are exposed under their bare
    names, for not all data planes end theirs as Prometheus's library does."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        families: dict[str, CounterMetricFamily] = {}
        for plane, (counter, histogram, labels) in PLANES.items():
            for name in NAMES:
                for arm in ARMS:
                    own = {**labels(name, arm), **FAILED, "of": f"{plane}/{name}/{arm}", "le": "+Inf"}
                    for series in (counter, f"{histogram}_bucket"):
                        family = families.setdefault(series, CounterMetricFamily(series, "Of a plane."))
                        family.add_sample(series, own, 1.0)
        yield from families.values()


@pytest.fixture(scope="module")
def told(real_prometheus: RealPrometheus) -> Iterator[str]:
    registry = CollectorRegistry()
    registry.register(Planes())
    server, thread = start_http_server(0, "127.0.0.1", registry)
    with real_prometheus.scraping("planes", f"http://127.0.0.1:{server.server_port}"):
        yield real_prometheus.url
    server.shutdown()
    server.server_close()
    thread.join()


def selectors(provider: str, name: str, arm: str, unit: Unit) -> list[str]:
    """What the metric selects of an arm of a workload."""
    of = program(provider)
    options = {key: name if value == "web" else value for key, value in of.traffic.options.items()}
    of = replace(
        of,
        target=replace(of.target, name=name),
        service=replace(of.service, name=name),
        traffic=replace(of.traffic, options=options),
    )
    found_name, found = metric(of, unit)
    question = MetricQuestion(found_name, arm, 90_000, 0)  # type: ignore[arg-type]
    texts = [render(query.text, variables(of, found, question)) for query in found.queries]
    return [selector for text in texts for selector in SELECTOR.findall(text)]


def arms(provider: str, name: str) -> tuple[str, ...]:
    """Those that can be told apart: an Ingress of nginx has but two."""
    return ARMS if PROVIDERS[provider].baseline and provider != "nginx" else ARMS[:2]


async def whole(prometheus: Prometheus) -> RenderedQuery:
    """A question as of a moment at which all series were there. A busy machine may miss a scrape."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            asking = as_of_now('count({of!=""})')
            asking = asking._replace(at_ms=asking.at_ms - SETTLED_MS)
            measured = await guarded(prometheus, asking)
            if measured.samples and measured.samples[0].value == 2 * len(PLANES) * len(NAMES) * len(ARMS):
                return asking
            await asyncio.sleep(SCRAPED_EVERY_S)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_arm_is_asked_about_itself_and_nobody_else(told: str, provider: str) -> None:
    prometheus = Prometheus(told)
    asking = await whole(prometheus)
    plane = ALIKE.get(provider, provider if provider in PLANES else "")
    for name in NAMES:
        for arm in arms(provider, name):
            for unit in (Unit.EVENTS, Unit.HISTOGRAM):
                asked = " or ".join(selectors(provider, name, arm, unit))
                measured = await prometheus.measure(asking._replace(text=f"count by (of) ({asked})"))
                of = {sample.labels["of"] for sample in measured.samples}
                mine = {one for one in of if one.split("/")[0] == plane}
                expected = {f"{plane}/{name}/{arm}"}
                if plane == "nginx" and arm == "primary":
                    expected |= {f"{plane}/{name}/baseline"}
                assert (mine, asked) == (expected, asked)
    await prometheus.close()
