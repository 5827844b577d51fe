"""Each server of the tests is a real one, runs, and is found; without one a test fails in CI and is left out
elsewhere."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.servers.graphite_server import RealGraphite
from tests.servers.influxdb_server import RealInfluxDB
from tests.servers.process import program
from tests.servers.recipes import SERVERS, Server
from tests.servers.victoriametrics import RealVictoriaMetrics


def said(url: str, **params: str) -> str:
    with httpx.Client(trust_env=False, timeout=10) as client:
        return client.get(url, params=params).raise_for_status().text


def test_who_they_are(
    real_victoriametrics: RealVictoriaMetrics, real_influxdb: RealInfluxDB, real_graphite: RealGraphite
) -> None:
    assert "vm_app_version" in said(f"{real_victoriametrics.url}/metrics")
    with httpx.Client(trust_env=False, timeout=10) as client:
        assert client.get(f"{real_influxdb.url}/ping").headers["X-Influxdb-Version"].startswith("v1.7.")
    assert said(f"{real_graphite.url}/version/").startswith("1.1.")


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.folder)
def test_without_one_a_test_fails_in_ci_and_is_left_out_elsewhere(server: Server, tmp_path: Path) -> None:
    nowhere = {"XDG_CACHE_HOME": str(tmp_path)}
    with pytest.raises(pytest.skip.Exception, match=f"no {server.name} for the tests: run `make servers`"):
        program(server, nowhere)
    with pytest.raises(pytest.fail.Exception, match=f"no {server.name} for the tests"):
        program(server, {**nowhere, "CI": "true"})
    with pytest.raises(pytest.skip.Exception, match=f"{server.variable} is `nowhere`, which is no program"):
        program(server, {**nowhere, server.variable: "nowhere"})
