"""Protects the promise of interpreter.md §4: a controller that dies anywhere, and is started again, gives the data
plane the same weights one after the other, and ends with the same objects.

A moment is that before a single write to the API server, or that after a call or a message was set off: between two
such nothing happens that the world could see. The moments are numbered by the run itself: the n-th life ends at the
n-th, until one comes to its end before it can be killed. Nothing that the dead controller still had in its hands is
done: its connection takes no write any more.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, NamedTuple

import pytest

from interpreter import state_json
from interpreter.cluster.errors import NotLeader
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.history import History, World, history
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.hooks import hooks as serving
from tests.interpreter.cluster.life import Life, canary_weight, life

AT_ONCE = 6
MOST = 300
EVERY = int(os.environ.get("ROLLWAY_CRASH_EVERY", "5"))
"""Of the moments each so manieth is tried; 1 tries all."""
SEEN = ("VirtualService", "RolloutRun", "Service", "Pod")

POLICY = """
webhook probe { url "URL/probe" }
webhook smoke { url "URL/smoke" }
webhook told { url "URL/told" }

analysis slo {
  every    10s
  tolerate 1 failures
  call     probe
}

rollout web in NAMESPACE {
  target   deployment/web
  service  { port 80; target_port http }
  traffic  istio
  analysis slo
  steps {
    run smoke
    shift to 25%
    hold 1 checks
    shift to 50%
    hold 1 checks
    promote
  }
  on promoted { run told }
  on rollback { run told }
}
"""


class Killed(BaseException):
    """The process is gone."""


class Fate:
    """Ends a controller at the `at`-th moment; 0 never. `moments` are those that there were."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._begun = False
        self.moments: list[str] = []
        self.dead = False

    def boundary(self, name: str) -> None:
        begun, self._begun = self._begun, name == "Perform"
        if self.dead or (begun and self._is_last(name)):
            raise Killed

    def gate(self) -> bool:
        return not (self.dead or self._is_last("a write"))

    def _is_last(self, name: str) -> bool:
        self.moments.append(name)
        self.dead = len(self.moments) == self._at
        return self.dead


class Ending(NamedTuple):
    """What is the same for a controller that was killed and for one that was not."""

    weights: tuple[int, ...]
    phase: str
    outcome: str
    images: tuple[str, str]
    replicas: tuple[int, int]
    selectors: tuple[str, ...]
    runs: tuple[str, ...]
    calls: frozenset[str]


class Ended(NamedTuple):
    """One life: how it ended, where it was killed ("" if it was not), and what it did wrong on its way."""

    ending: Ending
    killed_at: str
    wrongs: tuple[str, ...]


@asynccontextmanager
async def begun(plane: ControlPlane, hooks: Hooks) -> AsyncIterator[Life]:
    """A rollout at rest in a namespace of its own, and no controller."""
    namespace = await asyncio.to_thread(plane.make_namespace)
    try:
        async with life(str(plane.kubeconfig), namespace, speed=20) as at_work:
            await at_work.deployment()
            await at_work.rollout(POLICY.replace("URL/", hooks.url("")))
            await at_work.phase("Initialized")
            await at_work.so(lambda: _is_down(at_work), "the target is down")
            await at_work.stop()
            yield at_work
    finally:
        await asyncio.to_thread(plane.drop_namespace, namespace)


async def _is_down(at_work: Life) -> bool:
    return await at_work.replicas("web") == 0


async def one_life(plane: ControlPlane, at: int, *, good: bool) -> Ended:
    """A whole rollout, with a controller that dies at a moment and another that goes on."""
    fate = Fate(at)
    async with serving() as hooks, begun(plane, hooks) as at_work:
        hooks.refuse = lambda call: call.hook == "probe" and call.body["weight"] == 50 and not good
        async with history(at_work, *SEEN) as seen:
            await at_work.start(boundary=fate.boundary, gate=fate.gate)
            await at_work.push("web:2")
            try:
                await at_work.so(lambda: _over(at_work, fate), "it is over, or killed")
            except NotLeader:  # killed before it was at work
                assert fate.dead
            if fate.dead:
                await at_work.kill()
                await at_work.start()
                await at_work.so(lambda: _over(at_work, None), "it is over")
        killed_at = f"{at}, at {fate.moments[at - 1]}" if fate.dead else ""
        return Ended(await _ending(at_work, seen, hooks), killed_at, tuple(_wrongs(seen, hooks)))


async def _over(at_work: Life, fate: Fate | None) -> bool:
    if fate is not None and fate.dead:
        return True
    status = await at_work.status()
    if status["phase"] not in ("Succeeded", "Failed") or not await _is_down(at_work):
        return False
    return '"stage":"over"' in (await at_work.get("RolloutRun", "web-1"))["status"]["state"]


async def _ending(at_work: Life, seen: History, hooks: Hooks) -> Ending:
    status, run = await at_work.status(), await at_work.get("RolloutRun", "web-1")
    services = [await at_work.get("Service", name) for name in ("web", "web-primary", "web-canary")]
    runs = [one["metadata"]["name"] for one in await at_work.all_of("RolloutRun")]
    return Ending(
        tuple(seen.values("VirtualService", "web", canary_weight)),
        status["phase"],
        run["status"]["outcome"],
        (await at_work.image("web-primary"), await at_work.image("web")),
        (await at_work.replicas("web-primary"), await at_work.replicas("web")),
        tuple(one["spec"]["selector"]["app"] for one in services),
        tuple(sorted(runs)),
        frozenset(call.key.replace(at_work.namespace, "NAMESPACE") for call in hooks.calls),
    )


def _wrongs(seen: History, hooks: Hooks) -> list[str]:
    wrongs = [f"{key} called {times} times" for key, times in Counter(c.key for c in hooks.calls).items() if times > 2]
    for world in seen.worlds():
        allowed, has = _allowed(world), _weight(world)
        if has > allowed:
            wrongs.append(f"{has}% on the canary, and {allowed}% written down")
    if 0 in seen.behind("web"):
        wrongs.append("nothing behind the apex")
    return wrongs


def _weight(world: World) -> int:
    return max((canary_weight(one) for ref, one in world.items() if ref.kind == "VirtualService"), default=0)


def _allowed(world: World) -> float:
    """What the latest state that is written down gives the canary."""
    runs = [one for ref, one in world.items() if ref.kind == "RolloutRun" and (one.get("status") or {}).get("state")]
    latest: Any = max(runs, key=lambda one: int(one["spec"]["number"]))
    return state_json.decode(latest["status"]["state"]).routing.weight


async def all_lives(plane: ControlPlane, *, good: bool) -> list[Ended]:
    """A life for each moment (or each so manieth), up to the first that a controller survives."""
    ends: list[Ended] = []
    numbers = count(1, EVERY)

    async def work() -> None:
        for number in numbers:
            assert number < MOST
            ended = await one_life(plane, number, good=good)
            if not ended.killed_at:
                return
            ends.append(ended)

    async with asyncio.TaskGroup() as workers:
        for _ in range(AT_ONCE):
            workers.create_task(work())
    return ends


@pytest.mark.parametrize("good", [True, False], ids=["promoted", "rolled back"])
async def test_killed_anywhere_and_started_again_it_ends_the_same(control_plane: ControlPlane, good: bool) -> None:
    control_plane.install_crds("rollway", "istio")
    whole = await one_life(control_plane, 0, good=good)
    assert whole.wrongs == ()
    assert whole.ending.weights == (0, 25, 50, 0)
    assert whole.ending.outcome == ("promoted" if good else "rolled_back")
    assert whole.ending.images[0] == ("web:2" if good else "web:1")
    ends = await all_lives(control_plane, good=good)
    print(f"{len(ends)} lives, each {EVERY}. moment")
    assert len(ends) * EVERY >= 40
    other = {one.killed_at: _difference(one.ending, whole.ending) for one in ends if one.ending != whole.ending}
    assert other == {}
    assert {one.killed_at: one.wrongs for one in ends if one.wrongs} == {}


def _difference(one: Ending, other: Ending) -> dict[str, Any]:
    return {
        name: (ours, theirs) for name, ours, theirs in zip(Ending._fields, one, other, strict=True) if ours != theirs
    }
