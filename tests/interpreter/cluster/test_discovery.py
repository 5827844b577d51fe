"""What is asked, and how often, by a clock of the test's own; and one look at a real API server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from interpreter.cluster.api import Unreachable
from interpreter.cluster.discovery import Discovery, Resource
from interpreter.cluster.errors import NotFound, NotServed
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.tools import connected

ROUTES = {"name": "routes", "kind": "Route", "namespaced": True}


class Server:
    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[str] = []
        self.pages: dict[str, Any] = {}
        self.discovery = Discovery(self.fetch, clock=lambda: self.now)

    async def fetch(self, path: str) -> Any:
        self.asked.append(path)
        await asyncio.sleep(0)
        if path not in self.pages:
            raise NotFound(404, "NotFound", "no such page")
        if isinstance(self.pages[path], Exception):
            raise self.pages[path]
        return self.pages[path]


@pytest.fixture
def server() -> Server:
    made = Server()
    made.pages["/apis/x.io/v1"] = {"resources": [ROUTES, {**ROUTES, "name": "routes/status"}]}
    return made


async def test_a_version_is_asked_for_once_however_many_want_it(server: Server) -> None:
    found = await asyncio.gather(*(server.discovery.resource("x.io/v1", "Route") for _ in range(3)))
    assert set(found) == {Resource("x.io/v1", "Route", "routes", True, frozenset({"status"}))}
    assert found[0].path("n", "a", "status") == "/apis/x.io/v1/namespaces/n/routes/a/status"
    assert found[0].path() == "/apis/x.io/v1/routes"
    assert server.asked == ["/apis/x.io/v1"]


async def test_a_miss_is_believed_for_half_a_minute(server: Server) -> None:
    for _ in range(3):
        with pytest.raises(NotServed, match=r"serves no Gate in x.io/v1: install what defines it"):
            await server.discovery.resource("x.io/v1", "Gate")
    assert len(server.asked) == 1
    server.pages["/apis/x.io/v1"] = {"resources": [{"name": "gates", "kind": "Gate", "namespaced": False}]}
    server.now += 30
    assert (await server.discovery.resource("x.io/v1", "Gate")).path("n", "a") == "/apis/x.io/v1/gates/a"
    assert len(server.asked) == 2


async def test_what_is_forgotten_is_asked_for_again(server: Server) -> None:
    await server.discovery.resource("x.io/v1", "Route")
    del server.pages["/apis/x.io/v1"]
    server.now += 60
    await server.discovery.resource("x.io/v1", "Route")
    server.discovery.forget("x.io/v1")
    with pytest.raises(NotServed):
        await server.discovery.resource("x.io/v1", "Route")


async def test_a_server_that_does_not_answer_says_nothing_of_what_it_serves(server: Server) -> None:
    server.pages["/apis/x.io/v1"] = Unreachable("cut")
    for _ in range(2):
        with pytest.raises(Unreachable):
            await server.discovery.resource("x.io/v1", "Route")
    server.pages["/apis/x.io/v1"] = {"resources": [ROUTES]}
    assert await server.discovery.resource("x.io/v1", "Route")


async def test_the_preferred_version_comes_first(server: Server) -> None:
    server.pages["/apis/x.io"] = {
        "versions": [{"version": "v1beta1"}, {"version": "v1"}],
        "preferredVersion": {"version": "v1"},
    }
    for _ in range(2):
        assert await server.discovery.served("x.io") == ("v1", "v1beta1")
        assert await server.discovery.served("y.io") == ()
    assert server.asked == ["/apis/x.io", "/apis/y.io"]


async def test_a_real_one(control_plane: ControlPlane) -> None:
    async with connected(control_plane.kubeconfig) as api:
        deployments = await api.discovery.resource("apps/v1", "Deployment")
        assert deployments.plural == "deployments"
        assert {"scale", "status"} <= deployments.subresources
        assert not (await api.discovery.resource("v1", "Namespace")).namespaced
        assert await api.discovery.served("") == ("v1",)
        with pytest.raises(NotServed, match="install KEDA"):
            await api.discovery.resource("keda.sh/v9", "ScaledObject")
