"""StatefulSets.

The primary has pods, volume claims and DNS names of its own: its governing Service is a copy of the target's, named
`-primary` too (`interpreter.workloads.services`). Nothing of the data is shared or copied.

Kubernetes lets only a few fields of a StatefulSet change. An existing primary keeps the others as they are. A
`partition` is left behind: with one, the primary would run two revisions.
"""

# ruff: noqa: ARG002 - every kind has the signatures of the protocol

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from dsl.ir import Program
from interpreter.objects import Change, Manifest
from interpreter.questions import Readiness
from interpreter.workloads import progress
from interpreter.workloads.daemonset import check_rolling
from interpreter.workloads.deployment import DeploymentKind
from interpreter.workloads.derivation import (
    apply_replicas,
    primary_like,
    title,
)
from interpreter.workloads.kind import Snapshot, WorkloadError
from interpreter.workloads.metadata import PLAIN, PRIMARY, Naming

MOST_NAME = 52
"""Longest name of a StatefulSet: its pods carry the name and a hash of 10 digits in a label of 63 (Kubernetes'
`controller-revision-hash`)."""

_COPIED = ("minReadySeconds", "ordinals", "persistentVolumeClaimRetentionPolicy", "revisionHistoryLimit")


@dataclass(frozen=True, slots=True)
class StatefulSetKind:
    """`apps/v1` StatefulSets."""

    naming: Naming = PLAIN

    def template(self, target: Manifest) -> dict[str, Any]:
        return self._like.template(target)

    def label(self, target: Manifest) -> tuple[str, str]:
        return self._like.label(target)

    def primary(
        self, program: Program, target: Manifest, snapshot: Snapshot, replicas: int | None, existing: Manifest | None
    ) -> Manifest:
        check_rolling(target)
        _check_name(target)
        made = primary_like(target, snapshot, self.naming, self.label(target), existing, _COPIED)
        made["spec"] |= _fixed(target, existing)
        if "updateStrategy" in target["spec"]:
            made["spec"]["updateStrategy"] = _whole(target["spec"]["updateStrategy"])
        apply_replicas(program, made, ("spec", "replicas"), replicas, existing)
        return made

    def readiness(self, workload: Manifest, share: float, deadline_ms: int, now_ms: int) -> Readiness:
        """Never `failed`: a StatefulSet does not say since when it has made no progress."""
        stale = progress.unobserved(workload)
        if stale is not None:
            return stale
        wanted, there = self.replicas(workload), progress.count(workload, "replicas")
        found = progress.status(workload)
        done = found.get("updateRevision") == found.get("currentRevision")
        updated = there if done else progress.count(workload, "updatedReplicas")
        if updated < wanted:
            held = ((workload["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition") or 0
            missing = progress.behind(updated, wanted, "updated")
            if held and not done:
                return Readiness(False, f"{missing.reason}; `partition: {held}` holds back the others: set it to 0")
            return missing
        if there > wanted:
            return Readiness(False, f"there are {there} pods still, {there - wanted} more than wanted")
        available = progress.count(workload, "availableReplicas")
        if progress.enough(available, wanted, share):
            return progress.READY
        return progress.behind(available, wanted, "available")

    def replicas(self, workload: Manifest) -> int:
        return self._like.replicas(workload)

    def scaled(self, target: Manifest, replicas: int) -> Change | None:
        return self._like.scaled(target, replicas)

    @property
    def _like(self) -> DeploymentKind:
        """Template, selector and replicas stand where a Deployment has them."""
        return DeploymentKind(self.naming)


def _fixed(target: Manifest, existing: Manifest | None) -> dict[str, Any]:
    """The fields that cannot be changed: an existing primary's own, else those made from the target's."""
    source = (existing or target)["spec"]
    made = {
        key: copy.deepcopy(source[key]) for key in ("podManagementPolicy", "volumeClaimTemplates") if source.get(key)
    }
    governing = source.get("serviceName")
    if governing:
        made["serviceName"] = governing if existing is not None else governing + PRIMARY
    claims = [_claim(each) for each in target["spec"].get("volumeClaimTemplates") or ()]
    if [_claim(each) for each in made.get("volumeClaimTemplates", ())] != claims:
        name = target["metadata"]["name"]
        raise WorkloadError(
            f"{title(target)} has other `volumeClaimTemplates` than its primary, where they cannot be changed; delete "
            f"`{name}{PRIMARY}` with `--cascade=orphan`, and it is made anew around its pods and volumes"
        )
    for claim in made.get("volumeClaimTemplates", ()):
        claim.pop("status", None)
    return made


def _claim(claim: dict[str, Any]) -> tuple[str, Any]:
    return claim["metadata"]["name"], claim.get("spec")


def _whole(strategy: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(strategy)
    if "partition" in (made.get("rollingUpdate") or {}):
        made["rollingUpdate"]["partition"] = 0
    return made


def _check_name(target: Manifest) -> None:
    name = target["metadata"]["name"] + PRIMARY
    if len(name) > MOST_NAME:
        raise WorkloadError(
            f"{title(target)}: the name of its primary, `{name}`, is longer than {MOST_NAME} characters, with which a "
            "StatefulSet cannot make pods; give the StatefulSet a shorter name"
        )
