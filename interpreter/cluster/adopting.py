"""Workloads that ask by annotation to be rolled out by a library's policy.

`rollway.dev/policy: NAME` on a Deployment, DaemonSet or StatefulSet means: as the `RolloutLibrary` NAME of its
namespace says, or the `ClusterRolloutLibrary` NAME if the value is `cluster/NAME`. A `Rollout` of the workload's name
is kept for it, with the library lent to it; what follows is as for any Rollout. Taking the annotation off deletes the
Rollout, and so does deleting the workload. Workloads without the annotation are left alone, and so is a Rollout of that
name that somebody else made.
"""

from __future__ import annotations

from interpreter.cluster import names
from interpreter.cluster.chores import Chore
from interpreter.cluster.owner import ROLLOUT
from interpreter.cluster.parts import Parts
from interpreter.cluster.policy import CLUSTER_LIBRARY, LIBRARY
from interpreter.objects import Manifest, Ref

KINDS = (("apps/v1", "Deployment"), ("apps/v1", "DaemonSet"), ("apps/v1", "StatefulSet"))
ADOPTED = f"{names.GROUP}/adopted"
"""Label of a Rollout that is kept for an annotated workload: the workload's kind."""
_CLUSTER = "cluster/"


class Adopting(Chore):
    """Keeps Rollouts for the workloads that ask for it. Rollouts must be known when it begins."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts, KINDS)

    async def begin(self) -> None:
        """See to workloads, and to those that are gone, or ask no more, since we last looked."""
        await super().begin()
        for rollout in self.parts.caches.select(names.API_VERSION, ROLLOUT):
            kind = (rollout["metadata"].get("labels") or {}).get(ADOPTED)
            if kind is not None:
                self.add(Ref("apps/v1", kind, rollout["metadata"]["namespace"], rollout["metadata"]["name"]))

    def cares(self, old: Manifest | None, new: Manifest | None) -> bool:
        return _asked(old) != _asked(new)

    async def see_to(self, ref: Ref) -> None:
        caches, api = self.parts.caches, self.parts.api
        workload, kept, asked = caches.get(ref), caches.get(_rollout_ref(ref)), _asked(caches.get(ref))
        ours = kept is not None and _made_for(kept, ref)
        if workload is None or asked is None:
            if kept is not None and ours:
                await api.delete(_rollout_ref(ref), uid=kept["metadata"]["uid"])
        elif kept is not None and not ours:
            said = f"the annotation {names.POLICY} asks for a rollout, but there is a Rollout `{ref.name}` already"
            self.parts.recorder.record(workload, "NotAdopted", said, type="Warning")
        else:
            caches.put(await api.apply(_rollout(ref, asked)))


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
