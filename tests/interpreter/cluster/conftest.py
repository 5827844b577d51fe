"""What tests of a rollout's life have at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster import hooks as server
from tests.interpreter.cluster.hooks import Hooks


@pytest.fixture
def kubeconfig(control_plane: ControlPlane) -> str:
    """The administrator's, of a control plane that has our definitions and Istio's."""
    control_plane.install_crds("rollway", "istio")
    return str(control_plane.kubeconfig)


@pytest.fixture
async def hooks() -> AsyncIterator[Hooks]:
    """A server for webhooks and gates."""
    async with server.hooks() as made:
        yield made
