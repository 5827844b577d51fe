"""Services as targets: there is no workload to derive, and nothing to scale.

Flagger's meaning (peers.md §1.12, §3.1): a revision is the digest of the Service's spec. The primary is the Service
`T-primary` with the spec that was last promoted; `T-canary` has the present one (`interpreter.workloads.services`).
"""

# ruff: noqa: ARG002 - every kind has the signatures of the protocol

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dsl.ir import Program
from interpreter.objects import Change, Manifest
from interpreter.questions import Readiness
from interpreter.workloads import progress
from interpreter.workloads.kind import REVISION, Snapshot
from interpreter.workloads.metadata import PLAIN, PRIMARY, Naming
from interpreter.workloads.revision import cleaned
from interpreter.workloads.services import service_copy


@dataclass(frozen=True, slots=True)
class ServiceKind:
    """`v1` Services."""

    naming: Naming = PLAIN

    def template(self, target: Manifest) -> dict[str, Any]:
        """The spec, without the addresses that the cluster gave to this one object."""
        spec = cleaned(target["spec"])
        for key in ("clusterIP", "clusterIPs", "healthCheckNodePort"):
            if spec.get(key) not in ("None", ["None"]):
                spec.pop(key, None)
        return spec

    def label(self, target: Manifest) -> tuple[str, str]:
        """Of its selector; without one (a Service for an outside name), the first selector label and its own name."""
        selector = target["spec"].get("selector") or {}
        for label in self.naming.selector_labels:
            if label in selector:
                return label, selector[label]
        return self.naming.selector_labels[0], target["metadata"]["name"]

    def primary(
        self, program: Program, target: Manifest, snapshot: Snapshot, replicas: int | None, existing: Manifest | None
    ) -> Manifest:
        name = target["metadata"]["name"] + PRIMARY
        extra = program.service.options.get("primary") or {}
        return service_copy(program, snapshot.template, name, extra, {REVISION: snapshot.revision})

    def readiness(self, workload: Manifest, share: float, deadline_ms: int, now_ms: int) -> Readiness:
        return progress.READY

    def replicas(self, workload: Manifest) -> int:
        return 1

    def scaled(self, target: Manifest, replicas: int) -> Change | None:
        return None
