"""A real Prometheus, one for all tests of a test process that want one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.prometheus.server import RealPrometheus, binary, running


@pytest.fixture(scope="session")
def real_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    with running(binary(), tmp_path_factory.mktemp("prometheus")) as made:
        yield made
