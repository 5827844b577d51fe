"""The `RolloutRun`s of one owner: where the state of a rollout is kept, and its history.

A run is one object. Its spec, never changed, pins what was decided on when the run began: the Program, the revision,
and what that revision is made of. Its status holds the machine's state, written with the `resourceVersion` that was
read, so that two interpreters can never both go on with one rollout. Run 0 is the coming up of the first primary.

The machine's state is a text but for the numbers of the run's checks, which stand beside it, once, for people to read
(`status.checks`).

The state of the rollout is that of the run with the highest number that has one. A run that was made and whose state
was never written (the process died in between) does not count, and is made anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import structlog

from dsl import ir_json
from dsl.ir import Program
from interpreter import series, state_json
from interpreter.cluster import names
from interpreter.cluster.api import Api, ApiError, Conflict
from interpreter.cluster.applier import label_of
from interpreter.cluster.caches import Caches
from interpreter.cluster.owner import CANARY, Owner
from interpreter.cluster.parts import KEPT
from interpreter.cluster.status import run_status
from interpreter.cluster.stripping import is_slim_run
from interpreter.frozen import changed
from interpreter.objects import Manifest, Ref, controller_reference, ref_of
from interpreter.state import CheckSeries, Outcome, State
from interpreter.workloads.kind import Snapshot

log = structlog.get_logger(__name__)

KIND = "RolloutRun"
_CHECKS = "checks"
_PLACED = "traffic"
"""Where a run's status says whose routes may be in the cluster, once that is another Program than its own."""


class Recalled(NamedTuple):
    """What a restart finds. `program` is the one that the run began with, None where it is over and no longer kept in
    memory."""

    state: State
    program: Program | None


class Runs:
    """One owner's runs."""

    def __init__(self, api: Api, caches: Caches, owner: Owner, kept: int = KEPT) -> None:
        """`kept` is how many are kept, the one under way included."""
        self._api = api
        self._kept = kept
        self._caches = caches
        self.owner = owner

    def latest(self) -> Recalled | None:
        """The state to go on from. Raises `StateError` for one of a version that is not known here."""
        for run in reversed(self._all()):
            text = (run.get("status") or {}).get("state")
            if text:
                state = with_series(state_json.decode(text), series.from_data(run["status"].get("checks")))
                data = run["spec"].get("program") or {}
                return Recalled(state, ir_json.from_data(data) if "code" in data else None)
        return None

    async def last_program(self) -> Program | None:
        """The Program that held last, asked for where it is no longer kept in memory."""
        for run in reversed(self._all()):
            whole = await self._api.get(ref_of(run))
            if whole is not None:
                return (_placed(whole) or (ir_json.from_data(whole["spec"]["program"]),))[-1]
        return None

    async def placed(self, program: Program) -> tuple[Program, ...]:
        """The Programs whose routes may be in the cluster, the one that holds last; of a rollout that has no run yet,
        none. Nothing is asked for where the latest run began with this `program`."""
        run = self._latest()
        if run is None:
            return ()
        if placed := _placed(run):
            return placed
        if run["spec"].get("digest") == ir_json.digest(program):
            return (program,)
        whole = run if "code" in (run["spec"].get("program") or {}) else await self._api.get(ref_of(run))
        return () if whole is None else (ir_json.from_data(whole["spec"]["program"]),)

    async def place(self, programs: Iterable[Program]) -> None:
        """Keep these as the ones whose routes may be in the cluster. Raises `Conflict`."""
        run = self._latest()
        if run is not None:
            text = json.dumps([ir_json.to_data(each) for each in programs], separators=(",", ":"))
            whole = await self._whole(run)
            written = {**whole, "status": {**whole["status"], _PLACED: text}}
            self._caches.put(await self._api.replace(written, subresource="status"))

    async def write(self, state: State, program: Program, snapshot: Snapshot | None) -> None:
        """Keep the state: durable when it returns. Raises `Conflict` if somebody else has written meanwhile."""
        number = state.run.number if state.run is not None else 0
        ref = self._ref(number)
        run = self._caches.get(ref)
        is_new = run is None or not _fits(run, self.owner, state)
        if run is None or is_new:
            run = await self._made(ref, number, state, program, snapshot, run)
        if not _series(state).rows:
            run = await self._whole(run)
        before = run.get("status") or {}
        kept = {key: before[key] for key in (_PLACED, _CHECKS) if key in before}
        status = {**kept, **run_status(program, state, previous=before)}
        written = {**run, "status": {**status, "state": state_json.encode(with_series(state, CheckSeries()))}}
        self._caches.put(await self._api.replace(written, subresource="status"))
        if is_new:
            await self.prune()

    async def snapshot(self, revision: str) -> Snapshot | None:
        """What a revision was made of, from the run that rolled it out."""
        for run in reversed(self._all()):
            if run["spec"].get("revision") == revision:
                whole = run if "template" in run["spec"] else await self._api.get(ref_of(run))
                if whole is not None and whole["spec"].get("template"):
                    return Snapshot(revision, whole["spec"]["template"], dict(whole["spec"].get("configs") or {}))
        return None

    async def prune(self) -> None:
        """Remove the oldest runs beyond the limit. The one by which the primary has its revision stays, whatever has
        failed since: what that is made of is known from nowhere else."""
        every = self._all()
        promoted = [run for run in every if (run.get("status") or {}).get("outcome") == Outcome.PROMOTED.value]
        origin = promoted[-1:] or every[:1]
        for run in every[: -self._kept]:
            if run in origin:
                continue
            try:
                await self._api.delete(ref_of(run), uid=run["metadata"]["uid"])
            except ApiError as error:
                log.warning("an old run cannot be removed; it is tried again with the next one", why=str(error))
                return
            self._caches.remove(ref_of(run))

    def name(self, state: State) -> str:
        """What the object is called that holds this state."""
        return self._ref(state.run.number if state.run is not None else 0).name

    # --- one run ------------------------------------------------------------------------------------------------

    async def _whole(self, run: Manifest) -> Manifest:
        """A run with all that memory leaves out of those that are over. Raises `Conflict` if it is another now."""
        if not is_slim_run(run):
            return run
        whole = await self._api.get(ref_of(run))
        if whole is None or whole["metadata"]["resourceVersion"] != run["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", f"{ref_of(run)} has been written since; it is looked at again")
        return whole

    def _latest(self) -> Manifest | None:
        """The latest that has a state."""
        return next((run for run in reversed(self._all()) if (run.get("status") or {}).get("state")), None)

    def _all(self) -> list[Manifest]:
        """Oldest first."""
        labels = {names.ROLLOUT: label_of(self.owner.name), names.OWNER_KIND: self.owner.kind}
        found = self._caches.select(names.API_VERSION, KIND, self.owner.namespace, labels)
        own = [run for run in found if run["spec"]["owner"]["uid"] == self.owner.uid]
        return sorted(own, key=lambda run: int(run["spec"]["number"]))

    def _ref(self, number: int) -> Ref:
        middle = "-canary" if self.owner.kind == CANARY else ""
        return Ref(names.API_VERSION, KIND, self.owner.namespace, f"{self.owner.name}{middle}-{number}")

    async def _made(
        self, ref: Ref, number: int, state: State, program: Program, snapshot: Snapshot | None, stale: Manifest | None
    ) -> Manifest:
        if stale is not None:
            await self._api.delete(ref, uid=stale["metadata"]["uid"])
        try:
            made = await self._api.create(self._new(ref, number, state, program, snapshot))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            # Of an owner that was deleted, or made by a process that died: what is there is read before anything else.
            there = await self._api.get(ref)
            if there is not None and there["spec"]["owner"]["uid"] != self.owner.uid:
                await self._api.delete(ref, uid=there["metadata"]["uid"])
            elif there is not None:
                self._caches.put(there)
            raise Conflict(409, "Conflict", f"{ref} was there already; it is looked at again") from error
        self._caches.put(made)
        return made

    def _new(self, ref: Ref, number: int, state: State, program: Program, snapshot: Snapshot | None) -> dict[str, Any]:
        owner = self.owner
        revision = state.run.revision if state.run is not None else (state.primary or "")
        spec: dict[str, Any] = {
            "owner": {"kind": owner.kind, "name": owner.name, "uid": owner.uid},
            "number": number,
            "revision": revision,
            "digest": ir_json.digest(program),
            "program": ir_json.to_data(program),
        }
        if snapshot is not None and snapshot.revision == revision:
            spec["template"] = snapshot.template
            spec["configs"] = snapshot.configs
        return {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": {
                "name": ref.name,
                "namespace": ref.namespace,
                "labels": {
                    names.MANAGED_BY: names.MANAGER,
                    names.ROLLOUT: label_of(owner.name),
                    names.OWNER_KIND: owner.kind,
                    names.NUMBER: str(number),
                },
                "ownerReferences": [controller_reference(owner.manifest)],
            },
            "spec": spec,
        }


def _placed(run: Manifest) -> tuple[Program, ...]:
    text = (run.get("status") or {}).get(_PLACED)
    return tuple(ir_json.from_data(each) for each in json.loads(text)) if text else ()


def _fits(run: Manifest, owner: Owner, state: State) -> bool:
    """Whether the object is this run's. One without a state was made by a process that died: it may be of another
    revision than the one that the run now has."""
    spec = run["spec"]
    if spec["owner"]["uid"] != owner.uid:
        return False
    if (run.get("status") or {}).get("state"):
        return True
    return bool(state.run is None or spec["revision"] == state.run.revision)


def with_series(state: State, checks: CheckSeries) -> State:
    """The state with these checks in its run."""
    if state.run is None or state.run.series == checks:
        return state
    return changed(state, run=changed(state.run, series=checks))


def _series(state: State) -> CheckSeries:
    return state.run.series if state.run is not None else CheckSeries()
