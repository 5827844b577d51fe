"""Services of Knative: one object that is target and primary in one.

Knative makes a Revision of every template that its Service has had, keeps it while traffic leads to it, and scales it
by requests. So no copy is made and nothing is scaled. The primary is a Revision by its name, noted on the Service in
`PRIMARY`; the canary is the Revision that Knative made last (`status.latestCreatedRevisionName`). To promote is to note
that one as the primary; what leads all requests to it is `interpreter.traffic.knative`.

What Knative has not seen yet it has made no Revision of, so nothing is said of a Service whose
`status.observedGeneration` is behind. Source of the fields: Knative Serving's API, serving.knative.dev/v1. Flagger
notes the primary in an annotation of its own (peers.md §3.4), which is believed where ours is missing, and kept up.
"""

# ruff: noqa: ARG002 - every kind has the signatures of the protocol

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dsl.ir import Program
from interpreter.cluster.names import GROUP
from interpreter.masking import mask
from interpreter.objects import Change, Edit, Manifest
from interpreter.questions import Readiness
from interpreter.workloads import progress
from interpreter.workloads.kind import REVISION, Snapshot, WorkloadError
from interpreter.workloads.metadata import PLAIN, Naming
from interpreter.workloads.revision import cleaned

API = "serving.knative.dev"
API_VERSION = f"{API}/v1"
PRIMARY = f"{GROUP}/primary-revision"
"""Annotation on the Service: the name of the Revision that is the primary."""
FLAGGERS_PRIMARY = "flagger.app/primary-revision"

_MOST = 300
Target = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KnativeKind:
    """`serving.knative.dev/v1` Services."""

    naming: Naming = PLAIN

    def template(self, target: Manifest) -> dict[str, Any]:
        """With a name for the container that has none, which Knative allows and names so."""
        made = cleaned(target["spec"].get("template") or {})
        for container in (made.get("spec") or {}).get("containers") or ():
            container.setdefault("name", "user-container")
        return made

    def label(self, target: Manifest) -> tuple[str, str]:
        """Knative's own label on what it makes of a Service. Nothing is selected by it here."""
        return f"{API}/service", target["metadata"]["name"]

    def primary(
        self, program: Program, target: Manifest, snapshot: Snapshot, replicas: int | None, existing: Manifest | None
    ) -> Manifest:
        name = target["metadata"]["name"]
        raise WorkloadError(f"Knative's Service `{name}` has no primary of its own: its Revisions are both")

    def readiness(self, workload: Manifest, share: float, deadline_ms: int, now_ms: int) -> Readiness:
        """Of the Revision that was made last. `failed` when Knative has given it up."""
        latest = latest_revision(workload)
        if not latest:
            return Readiness(False, "Knative has not made a Revision of the latest change yet")
        if (workload.get("status") or {}).get("latestReadyRevisionName") == latest:
            return progress.READY
        made = progress.condition(workload, "ConfigurationsReady") or {}
        if made.get("status") == "False":
            said = mask(str(made.get("message") or made.get("reason") or "no reason given"))[:_MOST]
            return Readiness(False, f"Revision `{latest}`: {said}", failed=True)
        return Readiness(False, f"Revision `{latest}` is not ready yet")

    def replicas(self, workload: Manifest) -> int:
        return 1

    def scaled(self, target: Manifest, replicas: int) -> Change | None:
        return None


def latest_revision(service: Target) -> str:
    """The Revision that was made last; empty while there is a change that none was made of."""
    status = service.get("status") or {}
    if int(status.get("observedGeneration") or 0) < int(service["metadata"].get("generation") or 0):
        return ""
    return newest_revision(service)


def newest_revision(service: Target) -> str:
    """The same, whether there is a later change or not."""
    return str((service.get("status") or {}).get("latestCreatedRevisionName") or "")


def primary_revision(service: Target) -> str:
    """The Revision that is the primary; empty before there is one."""
    annotations = service["metadata"].get("annotations") or {}
    return str(annotations.get(PRIMARY) or annotations.get(FLAGGERS_PRIMARY) or "")


def shared_out(service: Target, shares: Mapping[str, int]) -> list[dict[str, Any]]:
    """`spec.traffic` with these shares in whole percent, by name of Revision; the empty name is whichever is the latest
    that is ready. Targets that have a tag, and so an address of their own, keep that, and get no share."""
    kept = [dict(each) for each in (service.get("spec") or {}).get("traffic") or () if each.get("tag")]
    for each in kept:
        if each.get("percent"):
            each["percent"] = 0
    named = [
        {**({"revisionName": name} if name else {"latestRevision": True}), "percent": percent}
        for name, percent in shares.items()
    ]
    return [*named, *kept]


def alike(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    """Whether two lists of targets say the same: Knative writes out that a named Revision is not the latest."""
    return [_bare(each) for each in one] == [_bare(each) for each in other]


def promoted(service: Manifest, revision: str) -> Change | None:
    """The Service with the Revision that was made last noted as its primary. `revision` is ours of its template. None
    if it is so, or if there is no such Revision that is ready."""
    name = latest_revision(service)
    if not name or (service.get("status") or {}).get("latestReadyRevisionName") != name:
        return None
    after = copy.deepcopy(service)
    annotations = after["metadata"].setdefault("annotations", {})
    annotations |= {PRIMARY: name, REVISION: revision}
    if FLAGGERS_PRIMARY in annotations:
        annotations[FLAGGERS_PRIMARY] = name
    return None if after == service else Edit(service, after)


def _bare(target: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in target.items() if not (key == "latestRevision" and value is False)}
