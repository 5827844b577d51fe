"""The primary, the canary and the baseline as sets of processes, brought to what is desired.

`arrange` says what should run and returns; processes start and stop meanwhile, and `changed` is called whenever
something became ready, died or was given up.

No request is lost on the way. A primary that gets another revision keeps answering with the old one until the new one
is ready as a whole. A process that is no longer wanted is first taken out of the proxy's list, then left to finish
what it has in hand, and then stopped. A canary or a baseline with another revision starts from nothing: by then it has
no traffic, and the old revision must not answer for the new one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from interpreter.desired import CanaryScale, Desired, Role
from interpreter.local.command import Command
from interpreter.local.keeper import Keeper
from interpreter.local.processes import Process, Stage
from interpreter.local.upstreams import ARMS, Upstreams
from interpreter.questions import Readiness, ReadyQuestion

DRAIN_S = 10.0
MOST_REPLICAS = 16


class Wish(NamedTuple):
    """What one role is to run."""

    command: Command | None = None
    replicas: int = 0


class Workload:
    """One role: the processes of its revision, and those of the one before that still answer."""

    def __init__(self, role: Role, make: Callable[[Command, Role], Process], publish: Callable[[], None]) -> None:
        self.role = role
        self.wish = Wish()
        self.processes: list[Process] = []
        self.former: list[Process] = []
        self._make = make
        self._publish = publish
        self._farewells: set[asyncio.Task[None]] = set()

    def wants(self, wish: Wish) -> None:
        """Bring this role to `wish`."""
        if wish.command != self.wish.command:
            self._change_revision()
        self.wish = wish
        while wish.command is not None and len(self.processes) < wish.replicas:
            process = self._make(wish.command, self.role)
            self.processes.append(process)
            process.start()
        surplus = self.processes[wish.replicas :]
        del self.processes[wish.replicas :]
        self.settle()
        self._dismiss(surplus)

    def settle(self) -> None:
        """Something changed: publish who answers now, and dismiss those who are not needed any more."""
        done: list[Process] = []
        if self.former and (self.complete or not self.wish.replicas):
            done, self.former = self.former, []
        self._publish()
        self._dismiss(done)

    @property
    def ready(self) -> list[Process]:
        return [process for process in self.processes if process.stage is Stage.READY]

    @property
    def complete(self) -> bool:
        return bool(self.processes) and len(self.ready) >= self.wish.replicas

    @property
    def answering(self) -> list[Process]:
        """Who gets this role's requests: the revision before, until this one is ready as a whole."""
        former = [process for process in self.former if process.stage is Stage.READY]
        return former if former and not self.complete else self.ready

    def readiness(self, replicas: int, share: float) -> Readiness:
        """Do enough of the `replicas` wanted answer?"""
        needed = max(1, math.ceil(replicas * share / 100 - 1e-9)) if replicas else 0
        ready = len(self.ready)
        if ready >= needed and len(self.processes) >= replicas:
            return Readiness(True)
        given_up = [process for process in self.processes if process.stage is Stage.GIVEN_UP]
        troubled = given_up or [process for process in self.processes if process.stage is not Stage.READY]
        why = troubled[0].reason if troubled else "not started yet"
        hopeless = len(self.processes) - len(given_up) < needed
        return Readiness(False, f"{ready} of {replicas} ready: {why}", failed=hopeless and bool(given_up))

    async def close(self) -> None:
        """Stop everything, now."""
        await asyncio.gather(*(process.stop() for process in (*self.processes, *self.former)))
        await asyncio.gather(*self._farewells, return_exceptions=True)

    def _change_revision(self) -> None:
        leaving, self.processes = self.processes, []
        if self.role == "primary":
            still_needed = [process for process in leaving if process.stage is Stage.READY]
            self.former += still_needed
            leaving = [process for process in leaving if process not in still_needed]
        self._publish()
        self._dismiss(leaving)

    def _dismiss(self, leaving: list[Process]) -> None:
        for process in leaving:
            task = asyncio.create_task(self._farewell(process))
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

    @staticmethod
    async def _farewell(process: Process) -> None:
        await process.endpoint.drained(DRAIN_S)
        await process.stop()


class Workloads:
    """All three roles, and the list of endpoints that the proxy has of them."""

    def __init__(
        self,
        upstreams: Upstreams,
        logs: Path,
        *,
        replicas: int = 1,
        health_path: str = "/healthz",
        changed: Callable[[], None],
    ) -> None:
        self._upstreams = upstreams
        self._logs = logs
        self._replicas = replicas
        self._health_path = health_path
        self._changed = changed
        self._keeper: Keeper | None = None
        self._roles: dict[Role, Workload] = {role: Workload(role, self._make, self._publisher(role)) for role in ARMS}

    def __getitem__(self, role: Role) -> Workload:
        return self._roles[role]

    def arrange(self, desired: Desired, commands: Mapping[str, Command]) -> None:
        """Start and stop what `desired` asks for; does not wait for it."""
        primary = commands.get(desired.primary) if desired.primary is not None else None
        canary = commands.get(desired.canary) if desired.canary is not None else None
        many = self.replicas(desired.canary_scale, desired.routing.weight)
        with_baseline = desired.baseline and canary is not None and many > 0
        self._roles["primary"].wants(Wish(primary, self._replicas if primary else 0))
        self._roles["canary"].wants(Wish(canary if many else None, many if canary else 0))
        self._roles["baseline"].wants(Wish(primary if with_baseline else None, many if with_baseline else 0))

    def readiness(self, question: ReadyQuestion, weight: float, share: float) -> Readiness:
        """The answer to a question of the machine."""
        workload = self._roles[question.role]
        revision = workload.wish.command.revision if workload.wish.command else None
        if revision != question.revision:
            return Readiness(False, "not started yet")
        return workload.readiness(self._expected(question, weight), share)

    def replicas(self, scale: CanaryScale, weight: float) -> int:
        """How many processes a scale comes to here."""
        match scale.mode:
            case "off":
                return 0
            case "full":
                return self._replicas
            case "share":
                wanted = math.ceil(self._replicas * scale.value / 100)
            case "replicas":
                wanted = math.ceil(scale.value)
            case "traffic":
                wanted = math.ceil(self._replicas * weight / 100)
        return min(MOST_REPLICAS, max(1, wanted))

    async def close(self) -> None:
        """Stop everything. Nothing is left behind."""
        await asyncio.gather(*(workload.close() for workload in self._roles.values()))
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def _expected(self, question: ReadyQuestion, weight: float) -> int:
        return self._replicas if question.role == "primary" else self.replicas(question.scale, weight)

    def _make(self, command: Command, role: Role) -> Process:
        self._keeper = self._keeper or Keeper()
        log = self._logs / f"{role}-{command.revision}.log"
        return Process(
            command,
            role,
            log=log,
            keeper=self._keeper,
            changed=lambda: self._on_change(role),
            health_path=self._health_path,
        )

    def _on_change(self, role: Role) -> None:
        self._roles[role].settle()
        self._changed()

    def _publisher(self, role: Role) -> Callable[[], None]:
        def publish() -> None:
            workload = self._roles[role]
            revision = workload.wish.command.revision if workload.wish.command else None
            self._upstreams.put(role, revision, tuple(process.endpoint for process in workload.answering))

        return publish
