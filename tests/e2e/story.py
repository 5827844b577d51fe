"""The story that the test checks and the demo shows: an application gets a policy, a good version is promoted, a bad
one is rolled back; all the while there is load, and every request is counted.
"""

from __future__ import annotations

import asyncio
import math
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack

from dsl.compiler import compile_file
from interpreter.plan import plan
from interpreter.plan_exposure import worst
from tests.e2e.account import AFTER, BAD, FIRST, GOOD, Account, Share
from tests.e2e.load import Load, Sent, counted
from tests.e2e.manifests import APP, HOST, NAMESPACE, POLICY, deployment, entrance, rollout
from tests.e2e.pods import Answer, Pods
from tests.e2e.routes import Routes
from tests.e2e.stage import Stage

RATE = 100.0
FAILS = 30
"""Percent of the requests that the bad version answers with 500."""
WATCHED_S = 180.0


class Story:
    """One telling. What `rollway status --watch` shows goes to standard output. `crash` kills the controller once."""

    def __init__(self, stage: Stage, say: Callable[[str], None], *, crash: bool) -> None:
        self._stage, self._say, self._crash = stage, say, crash
        self._began: dict[str, float] = {}
        self._bad_came = math.inf
        self._codes: dict[str, int] = {}
        self._phases: dict[str, str] = {}
        self._reasons: dict[str, str] = {}

    async def told(self) -> Account:
        """Raises StageError."""
        stage = self._stage
        async with AsyncExitStack() as stack:
            self._pods = await stack.enter_async_context(Pods(stage.cluster.api, NAMESPACE))
            await self._application_alone()
            self._routes = await stack.enter_async_context(Routes(stage.data_plane.support))
            self._load = Load(stage.data_plane.url, HOST, RATE)
            async with self._load:
                await self._policy_comes()
                await self._good_version()
                await self._bad_version()
                await asyncio.sleep(2)
            stopped = await asyncio.to_thread(stage.controller.stop)
        return self._account(stopped)

    async def _application_alone(self) -> None:
        await self._apply(deployment(FIRST), *entrance())
        address = self._stage.data_plane
        await self._stage.until("the application is in the data plane's routes", lambda: "8080" in address.routes())
        self._say(f"an application stands in the cluster: a Deployment (version {FIRST}), a Service, an Ingress")

    async def _policy_comes(self) -> None:
        self._part(f"version {FIRST} alone")
        self._say(f"load: {RATE:g} requests a second through the data plane, from now to the end")
        await asyncio.sleep(1)
        self._part("the policy comes")
        await asyncio.to_thread(self._stage.controller.start)
        await self._apply(rollout())
        self._say("the policy is applied, the controller started; the primary comes up beside the target")
        await self._until_phase("Initialized")
        self._say("the primary serves; the target is scaled to nothing")

    async def _good_version(self) -> None:
        self._part(f"version {GOOD} is rolled out")
        self._say(f"version {GOOD} comes, and it is good")
        await asyncio.to_thread(self._stage.change, deployment(GOOD))
        await asyncio.gather(self._watch(GOOD), self._crashing())
        await self._until_at_rest("Succeeded", GOOD)

    async def _crashing(self) -> None:
        if not self._crash:
            return
        await self._stage.until("the canary has 30%", lambda: self._routes.weight == 30)
        await asyncio.to_thread(self._stage.controller.kill)
        await asyncio.to_thread(self._stage.controller.start)

    async def _bad_version(self) -> None:
        self._part(f"version {BAD} is rolled out")
        self._bad_came = time.monotonic()
        self._say(f"version {BAD} comes, and it answers {FAILS}% of its requests with an error")
        await asyncio.to_thread(self._stage.change, deployment(BAD, fails=FAILS))
        await self._watch(BAD)
        await self._until_at_rest("Failed", BAD)
        self._part(AFTER)

    # --- what is done -----------------------------------------------------------------------------------------------

    def _part(self, name: str) -> None:
        self._began[name] = time.monotonic()

    async def _apply(self, *objects: dict[str, object]) -> None:
        await asyncio.to_thread(self._stage.apply, *objects)

    async def _watch(self, version: str) -> None:
        """As a person or a pipeline does who has just changed the Deployment."""
        command = self._stage.rollway("status", "shop", "--watch", "--timeout", f"{WATCHED_S:g}s")
        process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL)
        self._codes[version] = await process.wait()

    async def _until_phase(self, phase: str) -> None:
        await self._stage.until(f"the rollout is {phase}", lambda: self._stage.status().get("phase") == phase)

    async def _until_at_rest(self, phase: str, version: str) -> None:
        """The phase, and no pod of the canary left."""
        await self._until_phase(phase)
        await self._stage.until("the canary is down", lambda: self._stage.canaries() == 0)
        status = self._stage.status()
        self._phases[version], self._reasons[version] = phase, str(status.get("reason") or "")

    # --- what came of it --------------------------------------------------------------------------------------------

    def _account(self, stopped: int) -> Account:
        sent = self._load.sent
        bad = [one for one in self._routes.periods if one.weight > 0 and one.since >= self._bad_came]
        let_go = bad[-1].until if bad else self._bad_came
        home = next((one.since for one in self._routes.periods if one.since > let_go), let_go)
        return Account(
            started=self._load.started,
            by_part=self._by_part(sent),
            by_pods=Counter(self._pods.answered),
            shares=self._shares(sent),
            codes=self._codes,
            phases=self._phases,
            reasons=self._reasons,
            late=sum(one.began > home and one.answer.version == BAD for one in sent),
            at_worst=_at_worst_s() * RATE,
            stopped=stopped,
            troubles=tuple(self._pods.troubles),
        )

    def _by_part(self, sent: list[Sent]) -> dict[str, Counter[Answer]]:
        """By the part of the story in which a request began."""
        names = list(self._began)
        ends = [*(self._began[name] for name in names[1:]), math.inf]
        starts = [-math.inf, *ends[:-1]]
        return {
            name: counted(one for one in sent if since <= one.began < until)
            for name, since, until in zip(names, starts, ends, strict=True)
        }

    def _shares(self, sent: list[Sent]) -> tuple[Share, ...]:
        found = []
        for weight, since, until in self._routes.periods:
            version = BAD if since >= self._bad_came else GOOD
            within = [one for one in sent if since <= one.began and one.ended <= until]
            if weight > 0:
                to_canary = sum(one.workload == APP for one in within)
                found.append(Share(version, weight, len(within), to_canary))
        return tuple(found)


def _at_worst_s() -> float:
    """For how long all requests would have to fail to do as much harm as a bad version can, by `rollway plan`."""
    exposure = worst(plan(compile_file(POLICY).rollouts[0].program))
    if exposure is None or exposure.hit_ms is None:
        raise ValueError(f"{POLICY.name} has no worst case")
    return exposure.hit_ms / 1000
