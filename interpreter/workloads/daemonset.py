"""DaemonSets.

There is no number of replicas: a DaemonSet runs on every node, or on none. It is scaled to nothing by a node selector
that no node has. Flagger's own is understood, and taken away too.
"""

# ruff: noqa: ARG002 - every kind has the signatures of the protocol

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from dsl.ir import Program
from interpreter.objects import Change, Edit, Manifest
from interpreter.questions import Readiness
from interpreter.workloads import progress
from interpreter.workloads.derivation import (
    primary_like,
    selector_label,
    title,
)
from interpreter.workloads.kind import Snapshot, WorkloadError
from interpreter.workloads.metadata import PLAIN, Naming
from interpreter.workloads.revision import ZERO_SELECTORS, cleaned

_COPIED = ("minReadySeconds", "revisionHistoryLimit", "updateStrategy")


@dataclass(frozen=True, slots=True)
class DaemonSetKind:
    """`apps/v1` DaemonSets."""

    naming: Naming = PLAIN

    def template(self, target: Manifest) -> dict[str, Any]:
        return cleaned(target["spec"]["template"])

    def label(self, target: Manifest) -> tuple[str, str]:
        labels = target["spec"]["selector"].get("matchLabels")
        return selector_label(target, labels, self.naming, "`spec.selector.matchLabels`")

    def primary(
        self, program: Program, target: Manifest, snapshot: Snapshot, replicas: int | None, existing: Manifest | None
    ) -> Manifest:
        check_rolling(target)
        return primary_like(target, snapshot, self.naming, self.label(target), existing, _COPIED)

    def readiness(self, workload: Manifest, share: float, deadline_ms: int, now_ms: int) -> Readiness:
        """Never `failed`: a DaemonSet does not say since when it has made no progress."""
        stale = progress.unobserved(workload)
        if stale is not None:
            return stale
        if self.replicas(workload) == 0:
            return progress.READY
        wanted = progress.count(workload, "desiredNumberScheduled")
        if wanted == 0:
            return Readiness(False, "no node of the cluster is one that its pods may run on")
        updated = progress.count(workload, "updatedNumberScheduled")
        if updated < wanted:
            return progress.behind(updated, wanted, "updated")
        available = progress.count(workload, "numberAvailable")
        if progress.enough(available, wanted, share):
            return progress.READY
        return progress.behind(available, wanted, "available")

    def replicas(self, workload: Manifest) -> int:
        """0 for one that is scaled to nothing; else one a node, and at least 1."""
        if any(key in _node_selector(workload) for key in ZERO_SELECTORS):
            return 0
        return max(1, progress.count(workload, "desiredNumberScheduled"))

    def scaled(self, target: Manifest, replicas: int) -> Change | None:
        """On every node for any number but 0."""
        selector = _node_selector(target)
        marks = {key for key in ZERO_SELECTORS if key in selector}
        if bool(marks) == (replicas == 0):
            return None
        after = copy.deepcopy(target)
        kept = {key: value for key, value in selector.items() if key not in marks}
        if replicas == 0:
            kept[self.naming.zero] = "true"
        after["spec"]["template"]["spec"].pop("nodeSelector", None)
        if kept:
            after["spec"]["template"]["spec"]["nodeSelector"] = kept
        return Edit(target, after)


def check_rolling(target: Manifest) -> None:
    """Refuse a workload whose pods are replaced only when somebody deletes them. Raises WorkloadError."""
    strategy = (target["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")
    if strategy != "RollingUpdate":
        raise WorkloadError(
            f"{title(target)} has `spec.updateStrategy.type: {strategy}`, with which a change of its template does not "
            "reach its pods; set it to `RollingUpdate`"
        )


def _node_selector(workload: Manifest) -> dict[str, str]:
    return workload["spec"]["template"]["spec"].get("nodeSelector") or {}
