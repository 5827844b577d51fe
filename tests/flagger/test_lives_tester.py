"""Protects that Flagger's own samples run with our tester in the place of Flagger's load tester: real programs, real
load, gates that a person opens, on a real control plane.

The samples name `http://flagger-loadtester.test/` and `http://podinfo-canary.test:9898/`. The controller and curl go
through the town's proxy (`HTTP_PROXY`); hey takes a proxy by an option only, so a script gives it that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from interpreter.cluster.connection import connect
from interpreter.tester.server import Server, Settings
from interpreter.tester.store import ConfigMap
from tests.controlplane.cluster import ControlPlane
from tests.flagger.stage import Stage, podinfo, sample, stage
from tests.flagger.test_lives_istio import TUTORIAL
from tests.flagger.town import LOAD_TESTER, Town
from tests.prometheus.server import RealPrometheus
from tests.testers.recipes import HEY, programs_in

ADDRESS = f"http://{LOAD_TESTER}"
GATES = {"name": "podinfo", "namespace": "test"}


class RealTown(Town):
    """A town with a real tester, and a podinfo behind its names, whose requests are counted."""

    def __init__(self, prometheus: str, tester: str) -> None:
        super().__init__(prometheus)
        self.asked: Counter[str] = Counter()
        self.answers: list[tuple[str, int, str]] = []
        self._tester = tester

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.host.startswith("podinfo"):
            self.asked[f"{request.method} {request.path}"] += 1
            return web.json_response({"token": "of a test"})
        if request.host != LOAD_TESTER:
            return await super().answer(request)
        body = await request.read()
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.request(request.method, f"{self._tester}{request.path}", content=body)
        self.answers.append((request.path, answer.status_code, answer.text))
        return web.Response(status=answer.status_code, text=answer.text)


@pytest.fixture
async def at_work(
    cluster: ControlPlane, healthy: RealPrometheus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """The stage of Flagger's tests, with a tester that keeps its gates in the cluster."""
    programs = programs_in(tmp_path / "programs", [HEY])
    hey = (programs / "hey").resolve()
    async with connected_tester(cluster) as port, real_town(healthy, port) as around:
        (programs / "hey").unlink()
        (programs / "hey").write_text(f'#!/bin/sh\nexec {hey} -x {around.url} "$@"\n')
        (programs / "hey").chmod(0o755)
        monkeypatch.setenv("PATH", str(programs), prepend=":")
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, around.url)
        async with stage(cluster, around) as made:
            yield made


@asynccontextmanager
async def connected_tester(cluster: ControlPlane) -> AsyncIterator[int]:
    namespace = "flagger-system"
    async with await connect(str(cluster.kubeconfig)) as api:
        gates, tasks = ConfigMap(api, namespace, "rollway-gates"), ConfigMap(api, namespace, "rollway-tester-tasks")
        server = Server(Settings(host="127.0.0.1", port=0, gates=gates, tasks=tasks))
        try:
            yield await server.start()
        finally:
            await server.aclose()
            for each in await gates.read():
                await gates.put(each, None)


@asynccontextmanager
async def real_town(prometheus: RealPrometheus, port: int) -> AsyncIterator[RealTown]:
    made = RealTown(prometheus.url, f"http://127.0.0.1:{port}")
    runner = web.ServerRunner(web.Server(made.answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
        await made.aclose()


async def begin(at_work: Stage) -> RealTown:
    """Flagger's sample with the hooks that it has, and a gate and a roll-back gate beside them."""
    given = sample(TUTORIAL)["spec"]["analysis"]
    hooks: list[dict[str, Any]] = [
        *given["webhooks"],
        {"name": "ask a person", "type": "confirm-promotion", "url": f"{ADDRESS}/gate/check"},
        {"name": "way back", "type": "rollback", "url": f"{ADDRESS}/rollback/check"},
    ]
    await at_work.life.apply(podinfo())
    await at_work.canary(TUTORIAL, analysis={**given, "metrics": [], "webhooks": hooks})
    await at_work.phase("Initialized")
    assert isinstance(at_work.town, RealTown)
    return at_work.town


async def move(town: RealTown, path: str) -> None:
    async with httpx.AsyncClient(trust_env=False, proxy=town.url) as client:
        answer = await client.post(f"{ADDRESS}{path}", json=GATES)
    assert answer.status_code == 202, answer.text


async def test_a_sample_is_tested_loaded_and_promoted_when_its_gate_is_opened(at_work: Stage) -> None:
    town = await begin(at_work)
    await at_work.push()
    await at_work.phase("WaitingPromotion")
    await at_work.life.so(lambda: refused(town), "the gate is asked, and shut")
    await at_work.life.so(lambda: loaded(town), "hey has sent requests")
    await move(town, "/gate/open")
    await at_work.waited_for()
    assert await at_work.life.image("podinfo-primary") == "podinfo:2"
    assert town.asked["POST /token"] == 1
    assert [status for path, status, said in town.answers if path == "/" and "has begun" in said] == [202]


async def refused(town: RealTown) -> bool:
    return ("/gate/check", 403, "Forbidden: gate closed: nobody has opened it yet") in town.answers


async def loaded(town: RealTown) -> bool:
    return town.asked["GET /"] >= 10


async def test_a_sample_is_rolled_back_by_its_gate(at_work: Stage) -> None:
    town = await begin(at_work)
    await at_work.push()
    await at_work.phase("WaitingPromotion")
    await move(town, "/rollback/open")
    await at_work.phase("Failed")
    assert await at_work.life.image("podinfo-primary") == "podinfo:1"
    assert await at_work.life.weight("podinfo") == 0
