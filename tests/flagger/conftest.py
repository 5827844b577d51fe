"""A cluster as Flagger's users have it, with our controller in Flagger's place.

The controller looks after the whole cluster, as Flagger does, for the samples' MetricTemplates stand in namespaces of
their own; so these tests have a control plane that nobody else's rollouts are in, one for each test process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from interpreter.providers.prometheus import Prometheus
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.fetch import find
from tests.controlplane.plane import running
from tests.controlplane.plugin import missing
from tests.flagger.planes import DataPlanes, data_planes
from tests.flagger.stage import Stage, stage
from tests.flagger.town import Town, town
from tests.goprograms import UnavailableError
from tests.prometheus.server import RealPrometheus, binary, until
from tests.prometheus.server import running as prometheus_running

NAMESPACES = ("istio-system", "flagger-system", "ingress-nginx")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    try:
        binaries = find(may_build=False)
    except UnavailableError as error:
        missing(f"no control plane for the tests: {error}")
        raise
    folder = tmp_path_factory.mktemp("flagger") / "plane"
    with running(binaries, folder) as layout:
        made = ControlPlane(layout.kubeconfig, folder, str(binaries), binaries=binaries, audit_log=layout.audit_log)
        made.install_crds("rollway", "flagger", "istio", "gateway-api", "keda")
        for name in NAMESPACES:
            made.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield made
        made.close()


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    """A Prometheus that has seen nothing but good canaries."""
    with (
        prometheus_running(binary(), tmp_path_factory.mktemp("prometheus")) as made,
        data_planes() as exporter,
        made.scraping("planes", exporter.url),
    ):
        asyncio.run(_until_scraped(made))
        yield made


class Failing:
    """A Prometheus, and the data planes that it scrapes."""

    def __init__(self, prometheus: RealPrometheus, planes: DataPlanes) -> None:
        self.prometheus, self.planes = prometheus, planes


@pytest.fixture
def own_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failing]:
    """For a test of a bad canary, since a Prometheus remembers it."""
    with (
        prometheus_running(binary(), tmp_path_factory.mktemp("prometheus")) as made,
        data_planes() as exporter,
        made.scraping("planes", exporter.url),
    ):
        asyncio.run(_until_scraped(made))
        yield Failing(made, exporter)


async def _until_scraped(prometheus: RealPrometheus) -> None:
    """Twice at least: a rate needs two samples."""
    asked = Prometheus(prometheus.url)
    try:
        await until(asked, "rate(istio_requests_total[1m])")
    finally:
        await asked.close()


@pytest.fixture
async def around(healthy: RealPrometheus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """The servers that samples name; the controller is led to them."""
    async with town(healthy.url) as made:
        _lead(made, monkeypatch)
        yield made


@pytest.fixture
async def around_failing(own_prometheus: Failing, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """The same, with a Prometheus that can be shown a bad canary."""
    async with town(own_prometheus.prometheus.url) as made:
        _lead(made, monkeypatch)
        yield made


def _lead(made: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, made.url)


@pytest.fixture
async def at_work(cluster: ControlPlane, around: Town) -> AsyncIterator[Stage]:
    """The namespace `test`, empty, and a controller that takes a Canary without a provider for Istio's."""
    async with stage(cluster, around) as made:
        yield made
