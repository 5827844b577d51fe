"""The baseline: a fresh copy of the primary, for the canary to be compared with.

The primary that serves today has warm caches and long-lived connections, and another size than the canary; a canary
that is compared with it loses, or wins, for reasons that no new code is to blame for. The baseline begins when the
canary begins, with as many pods.

It is made from the primary as it is, which has the revision that was promoted last and names its own copies of
ConfigMaps and Secrets: those are shared. Only what tells the pods of one workload from those of another is rewritten:
the name, the selector, the selector label, and the rules of scheduling that speak of it. The number of the run is
written on the pods, so that each run has fresh ones. A StatefulSet has volumes of its own, empty to begin with, which
go with it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from interpreter.cluster.names import NUMBER
from interpreter.objects import Manifest
from interpreter.workloads.derivation import MOST_LABEL, title
from interpreter.workloads.kind import REVISION, WorkloadError
from interpreter.workloads.metadata import BASELINE, PLAIN, PRIMARY, Naming, carried, metadata
from interpreter.workloads.revision import cleaned
from interpreter.workloads.scheduling import reschedule
from interpreter.workloads.selectors import selects
from interpreter.workloads.statefulset import MOST_NAME

_COPIED: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit", "strategy"),
    "StatefulSet": (
        "minReadySeconds",
        "ordinals",
        "podManagementPolicy",
        "revisionHistoryLimit",
        "updateStrategy",
        "volumeClaimTemplates",
    ),
}

_GOES_WITH_IT = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"}}


def baseline(
    target: Manifest, primary: Manifest, label: tuple[str, str], *, replicas: int, run: int, naming: Naming = PLAIN
) -> Manifest:
    """The baseline of this run, to be applied. `label` is the target's, as `WorkloadKind.label` has it.

    Raises WorkloadError for names that would be too long, and for a primary that would select the baseline's pods.
    """
    kind, name = target["kind"], target["metadata"]["name"] + BASELINE
    key, value = label
    _check_names(target, kind, name, label)
    labels = {**_labels(primary["spec"]["template"]), key: value + BASELINE}
    if selects(primary["spec"].get("selector"), labels):
        raise WorkloadError(
            f"{title(primary)} selects its pods by other labels than `{key}: {value}{PRIMARY}`, so it would take those "
            "of a baseline for its own; take `baseline` out of the policy, or delete the primary: it is made anew"
        )
    spec = {field: copy.deepcopy(primary["spec"][field]) for field in _COPIED[kind] if field in primary["spec"]}
    spec |= {"replicas": replicas, "selector": {"matchLabels": {key: value + BASELINE}}}
    spec["template"] = _template(primary, labels, label, run)
    if kind == "StatefulSet":
        spec |= copy.deepcopy(_GOES_WITH_IT) | _governed(primary)
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": _metadata(primary, name, label, run, naming),
        "spec": spec,
    }


def is_of(found: Manifest, revision: str, run: int) -> bool:
    """Whether a baseline is of this revision of the primary, and of this run."""
    annotations = found["metadata"].get("annotations") or {}
    return (annotations.get(REVISION), annotations.get(NUMBER)) == (revision, str(run))


def governing_service(primary: Manifest) -> str:
    """What the governing Service of a StatefulSet's baseline is called; empty if there is none."""
    name = primary["spec"].get("serviceName") or ""
    return name.removesuffix(PRIMARY) + BASELINE if name else ""


def _governed(primary: Manifest) -> dict[str, Any]:
    name = governing_service(primary)
    claims = [
        {key: copy.deepcopy(part) for key, part in claim.items() if key != "status"}
        for claim in primary["spec"].get("volumeClaimTemplates") or ()
    ]
    return {**({"serviceName": name} if name else {}), **({"volumeClaimTemplates": claims} if claims else {})}


def _template(primary: Manifest, labels: Mapping[str, str], label: tuple[str, str], run: int) -> dict[str, Any]:
    key, value = label
    found = primary["spec"]["template"]
    made = cleaned(found)
    annotations = {**carried(_annotations(found)), NUMBER: str(run)}
    if REVISION in _annotations(primary):
        annotations[REVISION] = _annotations(primary)[REVISION]
    made["metadata"] = {**(made.get("metadata") or {}), "labels": dict(labels), "annotations": annotations}
    namespace = primary["metadata"].get("namespace", "")
    made["spec"] = reschedule(made.get("spec") or {}, namespace, key, value + PRIMARY, value + BASELINE)
    return made


def _metadata(primary: Manifest, name: str, label: tuple[str, str], run: int, naming: Naming) -> dict[str, Any]:
    key, value = label
    made = metadata(primary, name, naming)
    if made.get("labels", {}).get(key) == value + PRIMARY:
        made["labels"][key] = value + BASELINE
    revision = _annotations(primary).get(REVISION, "")
    made["annotations"] = {**(made.get("annotations") or {}), REVISION: revision, NUMBER: str(run)}
    return made


def _check_names(target: Manifest, kind: str, name: str, label: tuple[str, str]) -> None:
    key, value = label
    if len(value + BASELINE) > MOST_LABEL:
        raise WorkloadError(
            f"{title(target)}: the value `{value}` of its label `{key}` is too long for a baseline: with `{BASELINE}` "
            f"it must have at most {MOST_LABEL} characters; give its pods a shorter one, or do without `baseline`"
        )
    if kind == "StatefulSet" and len(name) > MOST_NAME:
        raise WorkloadError(
            f"{title(target)}: the name of its baseline, `{name}`, is longer than {MOST_NAME} characters, with which a "
            "StatefulSet cannot make pods; give the StatefulSet a shorter name, or do without `baseline`"
        )


def _labels(template: Mapping[str, Any]) -> Mapping[str, str]:
    return (template.get("metadata") or {}).get("labels") or {}


def _annotations(holder: Mapping[str, Any]) -> Mapping[str, str]:
    return (holder.get("metadata") or {}).get("annotations") or {}
