"""Has the tests of traffic providers say in the run's report what they show, for `ledger`.

Of the contract's tests the rig's name tells the provider; a test at a real data plane names its providers itself, by
`pytestmark = pytest.mark.data_plane("traefik")`.
"""

from __future__ import annotations

import pytest

from tests.interpreter.traffic.ledger import CONTRACT, DATA_PLANE, GOLDENS, SCHEMA, SHOWS

_CONTRACT = "tests/interpreter/traffic/test_contract.py"
_SCHEMA = "tests/interpreter/traffic/test_on_a_control_plane.py"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "data_plane(*providers): a real data plane shows what these providers render")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for provider, column in shown(item):
            item.user_properties.append((SHOWS, f"{provider}/{column}"))


def shown(item: pytest.Item) -> list[tuple[str, str]]:
    """The provider and the column of which a test says something."""
    marks = [mark.args for mark in item.iter_markers("data_plane")]
    found = [(str(provider), DATA_PLANE) for providers in marks for provider in providers]
    rig = getattr(item, "callspec", None) and item.callspec.params.get("name")  # type: ignore[attr-defined]
    if not isinstance(rig, str):
        return found
    provider = rig.partition("-")[0]
    if item.nodeid.startswith(_SCHEMA):
        found.append((provider, SCHEMA))
    elif item.nodeid.startswith(_CONTRACT):
        found.append((provider, GOLDENS if "golden" in item.name else CONTRACT))
    return found
