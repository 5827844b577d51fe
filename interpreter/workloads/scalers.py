"""Autoscalers: HorizontalPodAutoscalers and KEDA's ScaledObjects, and their copies for the primary.

The copy is rendered from the target's scaler as it is now, each time, so a change of that one holds at once and does
not wait for the next rollout. An HPA leaves a target with no replicas alone. A ScaledObject would scale it up again, so
it is paused while there is no canary. Source: peers.md §1.15.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from dsl.ir import Program, Scaler, WorkloadRef
from interpreter.objects import Change, Edit, Manifest, Ref
from interpreter.workloads.kind import WorkloadError
from interpreter.workloads.metadata import PLAIN, PRIMARY, Naming, metadata

HPA, SCALED_OBJECT = "HorizontalPodAutoscaler", "ScaledObject"
API_VERSIONS = {HPA: "autoscaling/v2", SCALED_OBJECT: "keda.sh/v1alpha1"}

PAUSED = "autoscaling.keda.sh/paused-replicas"
"""Annotation on a ScaledObject: KEDA keeps the workload at that many, and does not look at the triggers."""

_LIMITS = {HPA: ("minReplicas", "maxReplicas"), SCALED_OBJECT: ("minReplicaCount", "maxReplicaCount")}


def target_ref(program: Program) -> Ref | None:
    """The target's own scaler; None if the policy names none. Raises WorkloadError for a kind that is not known."""
    if program.scaler is None:
        return None
    ref = program.scaler.ref
    if ref.kind not in API_VERSIONS:
        raise WorkloadError(
            f"`{ref.kind}` is no kind of autoscaler that rollway knows; it is {HPA} (`hpa/NAME`) or {SCALED_OBJECT} "
            "(`scaledobject/NAME`)"
        )
    return Ref(API_VERSIONS[ref.kind], ref.kind, program.namespace, ref.name)


def primary_ref(program: Program) -> Ref | None:
    """The primary's copy of it."""
    own = target_ref(program)
    return None if own is None else own._replace(name=own.name + PRIMARY)


def primary_scaler(program: Program, scaler: Manifest, naming: Naming = PLAIN) -> Manifest:
    """The primary's copy of the target's scaler, with the bounds and queries that the policy has for it.

    Raises WorkloadError if the scaler is not the target's, or the bounds cross.
    """
    options, kind = program.scaler or Scaler(WorkloadRef(scaler["kind"], scaler["metadata"]["name"])), scaler["kind"]
    _check_target(program, scaler)
    name = scaler["metadata"]["name"] + PRIMARY
    spec = copy.deepcopy(scaler["spec"])
    spec["scaleTargetRef"]["name"] = program.target.name + PRIMARY
    _bound(spec, options, kind, name)
    if kind == SCALED_OBJECT:
        _for_keda(spec, options, program.target.name)
    else:
        _for_hpa(spec, program.target)
    return {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": metadata(scaler, name, naming),
        "spec": spec,
    }


def paused(scaler: Manifest) -> Change | None:
    """Keep the scaler from scaling up a target that has no replicas. None if nothing is to be done."""
    annotations = scaler["metadata"].get("annotations") or {}
    if scaler["kind"] != SCALED_OBJECT or annotations.get(PAUSED) == "0":
        return None
    after = copy.deepcopy(scaler)
    after["metadata"]["annotations"] = {**annotations, PAUSED: "0"}
    return Edit(scaler, after)


def resumed(scaler: Manifest) -> Change | None:
    """Let the scaler do its work again. None if nothing is to be done: a pause at another number is the user's."""
    annotations = scaler["metadata"].get("annotations") or {}
    if scaler["kind"] != SCALED_OBJECT or annotations.get(PAUSED) != "0":
        return None
    after = copy.deepcopy(scaler)
    del after["metadata"]["annotations"][PAUSED]
    return Edit(scaler, after)


def canary_floor(scaler: Manifest) -> int:
    """The fewest replicas that a target with this scaler is scaled up to, at least 1."""
    low, _ = _LIMITS[scaler["kind"]]
    return max(1, int(scaler["spec"].get(low) or 1))


def _bound(spec: dict[str, Any], options: Scaler, kind: str, name: str) -> None:
    low, high = _LIMITS[kind]
    if options.min_replicas is not None:
        spec[low] = options.min_replicas
    if options.max_replicas is not None:
        spec[high] = options.max_replicas
    if spec.get(low) is not None and spec.get(high) is not None and spec[low] > spec[high]:
        raise WorkloadError(
            f"{kind} `{name}` would have at least {spec[low]} and at most {spec[high]} replicas; give both bounds in "
            f"the policy, as in `primary_replicas {spec[low]}..{spec[low]}`"
        )


def _check_target(program: Program, scaler: Manifest) -> None:
    found = scaler["spec"]["scaleTargetRef"]
    if found.get("name") != program.target.name or found.get("kind", "Deployment") != program.target.kind:
        raise WorkloadError(
            f"{scaler['kind']} `{scaler['metadata']['name']}` scales {found.get('kind', 'Deployment')} "
            f"`{found.get('name')}`, not the target {program.target.kind} `{program.target.name}`; name the target's "
            "own scaler in the policy"
        )


def _for_hpa(spec: dict[str, Any], target: WorkloadRef) -> None:
    """A metric of the target itself becomes one of the primary."""
    for metric in spec.get("metrics") or ():
        described = (metric.get("object") or {}).get("describedObject") or {}
        if (described.get("kind"), described.get("name")) == (target.kind, target.name):
            described["name"] = target.name + PRIMARY


def _for_keda(spec: dict[str, Any], options: Scaler, target: str) -> None:
    spoken_of = re.compile(rf"(?<![\w-]){re.escape(target)}(?:-canary)?(?!\w|-primary)")
    for trigger in spec.get("triggers") or ():
        given = options.queries.get(trigger.get("name", ""))
        details = trigger.setdefault("metadata", {})
        if given is not None:
            details["query"] = given
        elif "query" in details:
            details["query"] = spoken_of.sub(target + PRIMARY, details["query"])
    own = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig") or {}
    if own.get("name"):
        own["name"] += PRIMARY
