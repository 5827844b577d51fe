"""A cluster as Flagger's users have it, with our controller in Flagger's place.

The controller looks after the whole cluster, as Flagger does, for the samples' MetricTemplates stand in namespaces of
their own; so these tests have a control plane that nobody else's rollouts are in, one for each test process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from interpreter.providers.prometheus import Prometheus
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.fetch import find
from tests.controlplane.plane import running
from tests.controlplane.plugin import missing
from tests.flagger.planes import data_planes
from tests.flagger.stage import TAKEN, Stage, stage
from tests.flagger.town import Town, town
from tests.goprograms import UnavailableError
from tests.interpreter.traffic.ledger import SAMPLE
from tests.prometheus.server import RealPrometheus, binary, until
from tests.prometheus.server import running as prometheus_running

NAMESPACES = ("istio-system", "flagger-system", "ingress-nginx", "gloo-system", "linkerd")


@pytest.fixture(autouse=True)
def samples_are_named(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """In the run's report, for `tests.interpreter.traffic.ledger`."""
    TAKEN.clear()
    yield
    for path in sorted(TAKEN):
        record_property(SAMPLE, path)


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
        made.install_crds("rollway", "flagger", "istio", "gateway-api", "keda", "smi/linkerd-smi_trafficsplits.yaml")
        made.install_crds("apisix", "kuma", "gloo", "appmesh", "contour", "traefik")
        for name in NAMESPACES:
            made.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield made
        made.close()


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    """A Prometheus that has seen nothing but a good canary."""
    yield from _prometheus(tmp_path_factory.mktemp("prometheus"), "200")


@pytest.fixture(scope="session")
def ailing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    """One that has seen nothing but a bad one."""
    yield from _prometheus(tmp_path_factory.mktemp("prometheus"), "500")


def _prometheus(folder: Path, status: str) -> Iterator[RealPrometheus]:
    with prometheus_running(binary(), folder) as made, data_planes(status) as url, made.scraping("planes", url):
        asyncio.run(_until_scraped(made))
        yield made


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
async def around_a_bad_one(ailing: RealPrometheus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """The same, where the metrics are those of a bad canary."""
    async with town(ailing.url) as made:
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
