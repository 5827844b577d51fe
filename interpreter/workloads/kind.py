"""What a workload kind is: pure functions from a target's manifest to its primary, its revision and its readiness.

The *target* is the user's own workload. It runs the canary: it is scaled up for a rollout and to nothing between
rollouts. The *primary* is a copy of ours with names, labels and selectors rewritten, and serves the traffic. A
*revision* is the digest of what makes pods differ: the pod template, and the tracked ConfigMaps and Secrets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from dsl.ir import Program
from interpreter.desired import CanaryScale
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.questions import Readiness

SELECTOR_LABELS = ("app", "name", "app.kubernetes.io/name")
"""The first of these in a target's selector tells the target's pods from the primary's."""

REVISION = "rollway.dev/revision"
"""Annotation on a primary (object and pod template): the revision that it runs. On a target's pods nothing is set."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a revision is made of, pinned when its run begins, so that what is promoted is what was analysed.

    `template` is the pod template (for a Service, its spec); `configs` maps `configmap/NAME` or `secret/NAME` to the
    digest of its data.
    """

    revision: str
    template: dict[str, Any]
    configs: dict[str, str] = field(default_factory=dict)


class WorkloadError(Exception):
    """The target cannot be rolled out as it is. The message says which field, why, and what to do."""


class WorkloadKind(Protocol):
    """One kind of workload."""

    def template(self, target: Manifest) -> dict[str, Any]:
        """What of the target a revision is made of."""

    def label(self, target: Manifest) -> tuple[str, str]:
        """The selector label that tells target from primary, and its value. Raises `WorkloadError` if it has none."""

    def primary(
        self, program: Program, target: Manifest, snapshot: Snapshot, replicas: int | None, existing: Manifest | None
    ) -> Manifest:
        """The primary that runs this revision, to be applied. `existing` is the one that there is: it keeps what cannot
        be changed. `replicas` None leaves them to an autoscaler. Each copy that `snapshot.configs` names
        (`interpreter.workloads.configs.copy`) must exist before. Raises `WorkloadError`."""

    def readiness(self, workload: Manifest, share: float, deadline_ms: int, now_ms: int) -> Readiness:
        """Whether `share` percent of the wanted replicas are up with the latest template. `failed` once the deadline
        has passed without progress, of a kind that says since when; `reason` in words."""

    def replicas(self, workload: Manifest) -> int:
        """How many it is asked to run."""

    def scaled(self, target: Manifest, replicas: int) -> Change | None:
        """The target with so many replicas, None if it has them."""


__all__ = ["REVISION", "SELECTOR_LABELS", "CanaryScale", "Objects", "Ref", "Snapshot", "WorkloadError", "WorkloadKind"]
