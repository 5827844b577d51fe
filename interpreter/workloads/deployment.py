"""Deployments.

The primary takes over strategy, history and deadlines. It is never paused, even when the target is.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from dsl.ir import Program
from interpreter.durations import duration
from interpreter.masking import mask
from interpreter.objects import Change, Edit, Manifest
from interpreter.questions import Readiness
from interpreter.workloads import progress
from interpreter.workloads.derivation import (
    apply_replicas,
    primary_like,
    selector_label,
)
from interpreter.workloads.kind import Snapshot
from interpreter.workloads.metadata import PLAIN, Naming
from interpreter.workloads.revision import cleaned

_MOST = 200
_COPIED = ("progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy")


@dataclass(frozen=True, slots=True)
class DeploymentKind:
    """`apps/v1` Deployments."""

    naming: Naming = PLAIN

    def template(self, target: Manifest) -> dict[str, Any]:
        return cleaned(target["spec"]["template"])

    def label(self, target: Manifest) -> tuple[str, str]:
        labels = target["spec"]["selector"].get("matchLabels")
        return selector_label(target, labels, self.naming, "`spec.selector.matchLabels`")

    def primary(
        self, program: Program, target: Manifest, snapshot: Snapshot, replicas: int | None, existing: Manifest | None
    ) -> Manifest:
        made: Manifest = primary_like(target, snapshot, self.naming, self.label(target), existing, _COPIED)
        apply_replicas(program, made, ("spec", "replicas"), replicas, existing)
        return made

    def readiness(self, workload: Manifest, share: float, deadline_ms: int, now_ms: int) -> Readiness:
        stale = progress.unobserved(workload)
        if stale is not None:
            return stale
        wanted = self.replicas(workload)
        if workload["spec"].get("paused") and wanted:
            name = workload["metadata"]["name"]
            return Readiness(False, f"it is paused (`spec.paused`); `kubectl rollout resume deployment/{name}` goes on")
        rolling = progress.condition(workload, "Progressing")
        if rolling is not None and rolling.get("reason") == "ProgressDeadlineExceeded":
            return Readiness(False, _of(rolling, "it made no progress within its deadline"), failed=True)
        updated, available = progress.count(workload, "updatedReplicas"), progress.count(workload, "availableReplicas")
        if updated < wanted:
            return Readiness(False, progress.behind(updated, wanted, "updated").reason + _refused(workload))
        old = progress.count(workload, "replicas") - updated
        if old > 0:
            return Readiness(False, f"{old} old pod{'s are' if old > 1 else ' is'} still there")
        if progress.enough(available, updated, share):
            return progress.READY
        missing = progress.behind(available, updated, "available")
        if _overdue(workload, deadline_ms, now_ms):
            return Readiness(False, f"{missing.reason} after {duration(deadline_ms)}", failed=True)
        return missing

    def replicas(self, workload: Manifest) -> int:
        wanted = workload["spec"].get("replicas")
        return 1 if wanted is None else int(wanted)

    def scaled(self, target: Manifest, replicas: int) -> Change | None:
        if target["spec"].get("replicas") == replicas:
            return None
        after = copy.deepcopy(target)
        after["spec"]["replicas"] = replicas
        return Edit(target, after)


def _overdue(workload: Manifest, deadline_ms: int, now_ms: int) -> bool:
    """Whether too few pods have been available for longer than the deadline, with no progress since.

    Without a look at the progress, a primary that has long been broken would fail at once when its repair is promoted.
    """
    available = progress.condition(workload, "Available")
    if available is None or (available.get("status"), available.get("reason")) != (
        "False",
        "MinimumReplicasUnavailable",
    ):
        return False
    rolling = progress.condition(workload, "Progressing") or {}
    moments = [progress.instant(each.get("lastUpdateTime")) for each in (available, rolling)]
    known = [moment for moment in moments if moment is not None]
    return bool(known) and max(known) + deadline_ms <= now_ms


def _refused(workload: Manifest) -> str:
    """Why no pod could be made: a quota, an admission webhook. The name of the pod, new with each try, is left out."""
    failure = progress.condition(workload, "ReplicaFailure")
    if failure is None or failure.get("status") != "True":
        return ""
    said = mask(str(failure.get("message") or failure.get("reason") or "no pod can be made"))
    return f": {said.rpartition(' is forbidden: ')[2][:_MOST]}"


def _of(condition: Any, otherwise: str) -> str:
    return str(condition.get("message") or otherwise)
