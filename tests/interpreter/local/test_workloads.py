"""Workloads change without a gap: the old revision answers until the new one is ready, nobody who is no longer wanted
gets a request, and readiness says what is so."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from interpreter.desired import CanaryScale, Desired, Role, Routing
from interpreter.local.command import Command
from interpreter.local.processes import Stage
from interpreter.local.upstreams import Upstreams
from interpreter.local.workloads import Workloads
from interpreter.questions import ReadyQuestion
from tests.interpreter.local.programs import app

FULL = CanaryScale("full")
V1, V2 = app("1"), app("2")
BROKEN = Command(shlex.join([sys.executable, "-S", "-c", "raise SystemExit('cannot start')"]))
COMMANDS = {command.revision: command for command in (V1, V2, BROKEN)}


class Bench:
    def __init__(self, folder: Path, replicas: int = 1) -> None:
        self.upstreams = Upstreams()
        self._changed = asyncio.Event()
        self.workloads = Workloads(self.upstreams, folder, replicas=replicas, changed=self._changed.set)

    def arrange(self, primary: Command, canary: Command | None = None, scale: CanaryScale = FULL, **more: bool) -> None:
        scale = scale if canary else CanaryScale()
        desired = Desired(Routing(), primary.revision, canary.revision if canary else None, scale, **more)
        self.workloads.arrange(desired, COMMANDS)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def ready(self, role: Role, command: Command, scale: CanaryScale = FULL, share: float = 100.0) -> bool:
        return self.workloads.readiness(ReadyQuestion(role, command.revision, scale), 0.0, share).ready

    def answering(self, role: Role) -> str | None:
        endpoint = self.upstreams.pick(role)
        return endpoint.revision if endpoint else None


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.workloads.close()


async def test_the_old_primary_answers_until_the_new_one_is_ready(bench: Bench) -> None:
    bench.arrange(V1)
    await bench.until(lambda: bench.ready("primary", V1))
    old = bench.workloads["primary"].processes[0]
    bench.arrange(V2)
    assert not bench.ready("primary", V2)
    assert bench.answering("primary") == V1.revision
    await bench.until(lambda: bench.ready("primary", V2))
    assert bench.answering("primary") == V2.revision
    await bench.until(lambda: old.stage is Stage.STOPPED)


async def test_a_primary_that_cannot_start_leaves_the_old_one_in_its_place(bench: Bench) -> None:
    bench.arrange(V1)
    await bench.until(lambda: bench.ready("primary", V1))
    bench.arrange(BROKEN)
    question = ReadyQuestion("primary", BROKEN.revision, FULL)
    await bench.until(lambda: bench.workloads.readiness(question, 0.0, 100.0).failed)
    readiness = bench.workloads.readiness(question, 0.0, 100.0)
    assert "0 of 1 ready: the process ended with exit code 1; its last words: cannot start" in readiness.reason
    assert bench.answering("primary") == V1.revision
    bench.arrange(V1)
    await bench.until(lambda: bench.ready("primary", V1))


async def test_another_canary_never_answers_with_the_revision_before_it(bench: Bench) -> None:
    bench.arrange(V1, V1)
    await bench.until(lambda: bench.ready("canary", V1))
    bench.arrange(V1, V2)
    assert bench.answering("canary") is None
    assert not bench.ready("canary", V1)
    await bench.until(lambda: bench.ready("canary", V2))
    assert bench.answering("canary") == V2.revision


async def test_a_process_is_stopped_only_when_its_requests_are_answered(bench: Bench) -> None:
    bench.arrange(V1, V2)
    await bench.until(lambda: bench.ready("canary", V2))
    process = bench.workloads["canary"].processes[0]
    process.endpoint.enter()
    bench.arrange(V1)
    assert bench.answering("canary") is None
    await asyncio.sleep(0.1)
    assert process.stage is Stage.READY
    process.endpoint.leave()
    await bench.until(lambda: process.stage is Stage.STOPPED)


async def test_scale_and_readiness_thresholds(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replicas=4)
    half = CanaryScale("share", 50.0)
    try:
        bench.arrange(V1, V2, half, baseline=True)
        assert {role: len(bench.workloads[role].processes) for role in ("primary", "canary", "baseline")} == {
            "primary": 4,
            "canary": 2,
            "baseline": 2,
        }
        await bench.until(lambda: bench.ready("primary", V1) and bench.ready("canary", V2, half))
        assert not bench.ready("canary", V2, FULL, 75.0)
        assert bench.ready("canary", V2, half, 50.0)
        bench.arrange(V1, V2, CanaryScale("replicas", 1))
        assert len(bench.workloads["canary"].processes) == 1
        assert bench.workloads["baseline"].processes == []
        assert bench.answering("baseline") == V1.revision
    finally:
        await bench.workloads.close()


@pytest.mark.parametrize(
    ("scale", "weight", "many"),
    [
        (CanaryScale(), 50.0, 0),
        (FULL, 0.0, 4),
        (CanaryScale("share", 1.0), 0.0, 1),
        (CanaryScale("share", 60.0), 0.0, 3),
        (CanaryScale("replicas", 3.0), 0.0, 3),
        (CanaryScale("replicas", 900.0), 0.0, 16),
        (CanaryScale("traffic"), 0.0, 1),
        (CanaryScale("traffic"), 51.0, 3),
    ],
)
def test_what_a_scale_comes_to(tmp_path: Path, scale: CanaryScale, weight: float, many: int) -> None:
    workloads = Workloads(Upstreams(), tmp_path, replicas=4, changed=lambda: None)
    assert workloads.replicas(scale, weight) == many
