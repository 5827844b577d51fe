"""Workloads that ask by annotation to be rolled out by a library's policy.

`rollway.dev/policy: NAME` on a Deployment, DaemonSet or StatefulSet means: as the `RolloutLibrary` NAME of its
namespace says, or the `ClusterRolloutLibrary` NAME if the value is `cluster/NAME`. A `Rollout` of the workload's name
is kept for it, with the library lent to it; what follows is as for any Rollout. Taking the annotation off deletes the
Rollout.
Workloads without the annotation are left alone, and so is a Rollout of that name that somebody else made.
"""

from __future__ import annotations

import asyncio

import structlog

from interpreter.cluster import names
from interpreter.cluster.errors import ApiError, NotLeader
from interpreter.cluster.owner import ROLLOUT
from interpreter.cluster.parts import Parts
from interpreter.cluster.policy import CLUSTER_LIBRARY, LIBRARY
from interpreter.cluster.queue import WorkQueue
from interpreter.objects import Manifest, Ref

KINDS = (("apps/v1", "Deployment"), ("apps/v1", "DaemonSet"), ("apps/v1", "StatefulSet"))
ADOPTED = f"{names.GROUP}/adopted"
"""Label of a Rollout that is kept for an annotated workload: the workload's kind."""
_CLUSTER = "cluster/"


class Adopting:
    """Keeps Rollouts for the workloads that ask for it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._queue: WorkQueue[Ref] = WorkQueue()
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()

    async def begin(self) -> None:
        """Listen to workloads. Raises `ApiError` if they may not be listed."""
        for api_version, kind in KINDS:
            await self._parts.caches.ensure(api_version, kind)
            self._parts.caches.listen(api_version, kind, self._changed)
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        self._queue.close()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _changed(self, ref: Ref, old: Manifest | None, new: Manifest | None) -> None:
        if _asked(old) != _asked(new):
            self._queue.add(ref)

    async def _work(self) -> None:
        while (ref := await self._queue.get()) is not None:
            try:
                await self._see_to(ref)
                self._queue.forget(ref)
            except ApiError as error:
                self._log.warning("a workload could not be taken on", workload=str(ref), why=str(error))
                self._queue.retry(ref)
            except NotLeader:
                return
            finally:
                self._queue.done(ref)

    async def _see_to(self, ref: Ref) -> None:
        workload = self._parts.caches.get(ref)
        kept = self._parts.caches.get(_rollout_ref(ref))
        asked = _asked(workload)
        ours = kept is not None and _made_for(kept, ref)
        if workload is None or asked is None:
            if kept is not None and ours:
                await self._parts.api.delete(_rollout_ref(ref), uid=kept["metadata"]["uid"])
            return
        if kept is not None and not ours:
            said = f"the annotation {names.POLICY} asks for a rollout, but there is a Rollout `{ref.name}` already"
            self._parts.recorder.record(workload, "NotAdopted", said, type="Warning")
            return
        self._parts.caches.put(await self._parts.api.apply(_rollout(ref, asked)))


def _asked(workload: Manifest | None) -> str | None:
    if workload is None or "deletionTimestamp" in workload["metadata"]:
        return None
    value = (workload["metadata"].get("annotations") or {}).get(names.POLICY)
    return str(value) if value else None


def _rollout_ref(ref: Ref) -> Ref:
    return Ref(names.API_VERSION, ROLLOUT, ref.namespace, ref.name)


def _made_for(rollout: Manifest, ref: Ref) -> bool:
    return (rollout["metadata"].get("labels") or {}).get(ADOPTED) == ref.kind


def _rollout(ref: Ref, asked: str) -> Manifest:
    """It goes when the annotation or the workload goes: by us, not by the garbage collector, which asks nobody."""
    kind = CLUSTER_LIBRARY if asked.startswith(_CLUSTER) else LIBRARY
    return {
        "apiVersion": names.API_VERSION,
        "kind": ROLLOUT,
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {names.MANAGED_BY: names.MANAGER, ADOPTED: ref.kind},
        },
        "spec": {
            "sourceRef": {"kind": kind, "name": asked.removeprefix(_CLUSTER)},
            "targetRef": {"apiVersion": ref.api_version, "kind": ref.kind, "name": ref.name},
        },
    }
