"""The fixtures by which tests come to a real metric server: one of each for all tests of a test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import graphite_server, influxdb_server, moto, victoriametrics
from tests.servers.graphite_server import RealGraphite
from tests.servers.influxdb_server import RealInfluxDB
from tests.servers.victoriametrics import RealVictoriaMetrics


@pytest.fixture(scope="session")
def real_victoriametrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealVictoriaMetrics]:
    with victoriametrics.running(tmp_path_factory.mktemp("victoriametrics")) as made:
        yield made


@pytest.fixture(scope="session")
def real_influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealInfluxDB]:
    with influxdb_server.running(tmp_path_factory.mktemp("influxdb")) as made:
        yield made


@pytest.fixture(scope="session")
def real_graphite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGraphite]:
    with graphite_server.running(tmp_path_factory.mktemp("graphite")) as made:
        yield made


@pytest.fixture(scope="session")
def moto_cloudwatch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of moto's CloudWatch."""
    with moto.running(tmp_path_factory.mktemp("moto")) as url:
        yield url
