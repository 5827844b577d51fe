"""What all primaries have in common, whatever their kind.

A primary `T-primary` is a copy of the target `T`. Its pods carry the target's labels, but for one, the selector label,
whose value ends in `-primary`; by that one label it selects its pods. So neither workload ever selects a pod of the
other. Its template names the copies of the tracked configs, and the revision, so that a promotion of nothing but a
config rolls the pods too.

Selectors cannot be changed. An existing primary keeps its own, and its pods get the labels that it asks for.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from dsl.ir import Program
from interpreter.cluster.names import GROUP
from interpreter.objects import Manifest
from interpreter.workloads.configs import renamed
from interpreter.workloads.kind import REVISION, Snapshot, WorkloadError
from interpreter.workloads.metadata import FLAGGER_ID, PRIMARY, Naming, carried, metadata
from interpreter.workloads.revision import cleaned
from interpreter.workloads.scheduling import reschedule
from interpreter.workloads.selectors import selects

MOST_LABEL = 63
"""Longest value of a label, and name of a Service (Kubernetes' own limit)."""

REPLICAS = f"{GROUP}/replicas"
"""Annotation on a primary: the replicas that were applied to it."""

_KEYED_LISTS = {"env": "name", "imagePullSecrets": "name", "hostAliases": "ip"}


def title(target: Manifest) -> str:
    """How a workload is called in a message."""
    return f"{target['kind']} `{target['metadata']['name']}`"


def selector_label(target: Manifest, labels: Mapping[str, str] | None, naming: Naming, where: str) -> tuple[str, str]:
    """The first of the naming's selector labels among `labels`, and its value. Raises WorkloadError."""
    found = labels or {}
    for label in naming.selector_labels:
        value = found.get(label)
        if value:
            if len(value + PRIMARY) > MOST_LABEL:
                raise WorkloadError(
                    f"{title(target)}: the value `{value}` of its label `{label}` is too long: with `{PRIMARY}` it "
                    f"must have at most {MOST_LABEL} characters; give its pods a shorter one"
                )
            return label, value
    raise WorkloadError(
        f"{title(target)}: {where} has none of the labels {', '.join(f'`{each}`' for each in naming.selector_labels)}, "
        "so its pods could not be told from the primary's; select its pods by one of them"
    )


def primary_like(
    target: Manifest,
    snapshot: Snapshot,
    naming: Naming,
    label: tuple[str, str],
    existing: Manifest | None,
    fields: tuple[str, ...],
) -> Manifest:
    """The primary of a workload of `apps/v1`, without replicas: these fields of the target's spec as they are, and a
    selector and a template of its own."""
    labels = target["spec"]["template"]["metadata"].get("labels") or {}
    spec = {field: copy.deepcopy(target["spec"][field]) for field in fields if field in target["spec"]}
    spec["selector"] = primary_selector(target, label, labels, existing)
    before = existing["spec"]["template"] if existing is not None else None
    spec["template"] = primary_template(target, snapshot, label, spec["selector"], existing, before)
    return {
        "apiVersion": "apps/v1",
        "kind": target["kind"],
        "metadata": primary_metadata(target, snapshot, naming, label),
        "spec": spec,
    }


def primary_metadata(target: Manifest, snapshot: Snapshot, naming: Naming, label: tuple[str, str]) -> dict[str, Any]:
    """Name, namespace, labels and annotations of a primary."""
    made = metadata(target, target["metadata"]["name"] + PRIMARY, naming)
    key, value = label
    if made.get("labels", {}).get(key) == value:
        made["labels"][key] = value + PRIMARY
    made.setdefault("annotations", {})[REVISION] = snapshot.revision
    return made


def primary_selector(
    target: Manifest, label: tuple[str, str], labels: Mapping[str, str], existing: Manifest | None
) -> dict[str, Any]:
    """By what a primary selects its pods. `labels` are those of the target's pods. Raises WorkloadError for an existing
    primary that selects those too, or that could never select its own."""
    found = existing["spec"].get("selector") if existing is not None else None
    key, wanted = label[0], label[1] + PRIMARY
    if not found:
        return {"matchLabels": {key: wanted}}
    if selects(found, labels) or (found.get("matchLabels") or {}).get(key, wanted) != wanted:
        name = target["metadata"]["name"] + PRIMARY
        raise WorkloadError(
            f"the selector of {target['kind']} `{name}` is not `{key}: {wanted}`, which would tell its pods from those "
            f"of `{target['metadata']['name']}`, and it cannot be changed; rename or delete `{name}`"
        )
    return copy.deepcopy(dict(found))


def primary_template(
    target: Manifest,
    snapshot: Snapshot,
    label: tuple[str, str],
    selector: Mapping[str, Any],
    existing: Manifest | None,
    before: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The pod template of a primary. `before` is that of `existing`: one made by Flagger stays as it is if it runs the
    same, so that taking over rolls no pods."""
    key, value = label
    made = renamed(cleaned(snapshot.template), snapshot.configs)
    found = made.setdefault("metadata", {})
    labels = {**(found.get("labels") or {}), key: value + PRIMARY, **(selector.get("matchLabels") or {})}
    found["labels"] = labels
    annotations = carried(found.get("annotations"))
    found["annotations"] = {**annotations, REVISION: snapshot.revision}
    namespace = target["metadata"].get("namespace", "")
    made["spec"] = _distinct(reschedule(made.get("spec") or {}, namespace, key, value, value + PRIMARY))
    if existing is None or _annotations(existing).get(REVISION, snapshot.revision) != snapshot.revision:
        return made
    mark = _annotations(before or {}).get(FLAGGER_ID)
    as_flagger_did = {**made, "metadata": {**found, "annotations": {**annotations, FLAGGER_ID: mark}}}
    return as_flagger_did if mark and cleaned(before or {}) == as_flagger_did else made


def apply_replicas(
    program: Program, primary: Manifest, path: tuple[str, ...], replicas: int | None, existing: Manifest | None
) -> None:
    """Put the replicas into a primary that is to be applied, or leave them out (None) for an autoscaler.

    Server-side apply takes a field back to its default, here 1, when its only owner no longer applies it. So a number
    that was applied once is applied on until somebody else has written another. The annotation `REPLICAS` says which
    number that was. Of a policy with a scaler the number is but the first, with which a primary is made, not applied.
    """
    wanted = replicas
    if wanted is None and existing is not None:
        noted = _annotations(existing).get(REPLICAS)
        has: Any = existing
        for part in path:
            has = has.get(part) if isinstance(has, dict) else None
        wanted = has if noted is not None and str(has) == noted else None
    if wanted is None:
        return
    if program.scaler is None or replicas is None:
        primary["metadata"].setdefault("annotations", {})[REPLICAS] = str(wanted)
    holder = primary
    for part in path[:-1]:
        holder = holder.setdefault(part, {})
    holder[path[-1]] = wanted


def _annotations(holder: Mapping[str, Any]) -> Mapping[str, str]:
    return (holder.get("metadata") or {}).get("annotations") or {}


def _distinct(spec: dict[str, Any]) -> dict[str, Any]:
    """Entries that a list has twice, once: the last, which is the one that counts. An update lets them pass, but
    server-side apply, which tells entries by their key, refuses them."""
    for container in [each for part in ("initContainers", "containers") for each in spec.get(part) or ()]:
        _last_of_each(container, "env")
    for field in ("imagePullSecrets", "hostAliases"):
        _last_of_each(spec, field)
    return spec


def _last_of_each(holder: dict[str, Any], field: str) -> None:
    if holder.get(field):
        key = _KEYED_LISTS[field]
        last = {each.get(key): index for index, each in enumerate(holder[field])}
        holder[field] = [each for index, each in enumerate(holder[field]) if last[each.get(key)] == index]
