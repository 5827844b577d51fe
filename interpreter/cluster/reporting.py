"""What an owner's status says, and what is said beside it when something stands in the way.

A status is written only when what it shows has changed. Trouble and refusals go into the status (a condition that
Flux and Argo CD read) and into an event; the same event is not repeated while nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsl.ir import Program
from interpreter.cluster.api import Api
from interpreter.cluster.applier import merge_patch
from interpreter.cluster.caches import Caches
from interpreter.cluster.clock import Clock
from interpreter.cluster.events import Recorder
from interpreter.cluster.flagger_status import canary_status
from interpreter.cluster.owner import CANARY, Owner
from interpreter.cluster.runs import Runs
from interpreter.cluster.status import invalid_status, rollout_status, stuck_status
from interpreter.state import State


class Reporting:
    """Writes the statuses of owners."""

    def __init__(self, api: Api, caches: Caches, recorder: Recorder, clock: Clock) -> None:
        self._api = api
        self._caches = caches
        self._recorder = recorder
        self._clock = clock
        self._told = ""

    async def tell(
        self, owner: Owner, program: Program, state: State, configs: Mapping[str, str], problems: tuple[str, ...]
    ) -> None:
        """The status of a rollout; `configs` are the tracked ones with their digests, `problems` those of a newer
        policy that cannot be taken up."""
        previous, now = owner.status, self._clock.now()
        if owner.kind == CANARY:
            status = canary_status(program, state, previous=previous, now_ms=now, configs=configs)
        else:
            status = rollout_status(
                program,
                state,
                previous=previous,
                generation=owner.generation,
                now_ms=now,
                run_name=Runs(self._api, self._caches, owner).name(state),
                configs=configs,
                problems=problems,
            )
        self._say("PolicyRefused", owner, "; ".join(problems))
        await self._write(owner, status)

    async def invalid(self, owner: Owner, problems: tuple[str, ...]) -> None:
        """The status of an object whose policy cannot be used, and that has no rollout yet."""
        self._say("PolicyRefused", owner, "; ".join(problems))
        if owner.kind != CANARY:
            status = invalid_status(
                problems, previous=owner.status, generation=owner.generation, now_ms=self._clock.now()
            )
            await self._write(owner, status)

    async def trouble(self, owner: Owner, why: str) -> None:
        """The rollout cannot go on for now."""
        self._say("Stuck", owner, why)
        if owner.kind != CANARY:
            await self._write(
                owner, stuck_status(why, previous=owner.status, generation=owner.generation, now_ms=self._clock.now())
            )

    def _say(self, reason: str, owner: Owner, message: str) -> None:
        said = f"{reason}: {message}" if message else ""
        if said and said != self._told:
            self._recorder.record(owner.manifest, reason, message, type="Warning")
        self._told = said

    async def _write(self, owner: Owner, status: dict[str, Any]) -> None:
        patch = merge_patch(owner.status, status)
        if patch:
            written = await self._api.patch(owner.ref, {"status": patch}, subresource="status")
            self._caches.put(written)
