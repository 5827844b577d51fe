"""What makes one revision differ from another: the digest of a pod template and of the configs that it names.

The template is taken as the API server gives it, defaults and all. Kubernetes itself rolls the pods of a Deployment
when its template differs in any way, so a new version of it does not add a default to stored templates; what it may
leave out is `null`, which says nothing and is left out here first. What rollway writes into a target's template (the
node selector that scales a DaemonSet to nothing) is no part of a revision. Replicas are not in the template;
`kubectl rollout restart` writes an annotation there, and so makes a revision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from interpreter.cluster.names import GROUP
from interpreter.workloads.kind import Snapshot

SCALED_TO_ZERO = f"{GROUP}/scale-to-zero"
"""Node selector of a DaemonSet that is to run nowhere; its value is `true`."""
FLAGGER_SCALED_TO_ZERO = "flagger.app/scale-to-zero"
"""Flagger's own (peers.md §1.11)."""
ZERO_SELECTORS = (SCALED_TO_ZERO, FLAGGER_SCALED_TO_ZERO)

_DIGITS = 10


def cleaned(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template without what says nothing, and without what rollway or Flagger wrote into it. Idempotent."""
    made: dict[str, Any] = _said(template)
    metadata = made.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("creationTimestamp", None)
        _without(metadata, "annotations", [key for key in metadata.get("annotations", ()) if key.startswith(_OURS)])
    if isinstance(made.get("spec"), dict):
        _without(made["spec"], "nodeSelector", ZERO_SELECTORS)
    return made


_OURS = f"{GROUP}/"


def revision_of(template: Mapping[str, Any], configs: Mapping[str, str]) -> str:
    """The revision: 10 hexadecimal digits. `configs` as in `Snapshot.configs`."""
    text = json.dumps([cleaned(template), dict(configs)], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def differences(old: Snapshot, new: Snapshot) -> tuple[str, ...]:
    """What changed from one revision to the next, in words and by name: images with both values, which say most, and
    of everything else only where it is, since values may be secret."""
    found = list(_images(old.template, new.template))
    paths = _paths(cleaned(old.template), cleaned(new.template), ())
    found += sorted({".".join(path[:_DEPTH]) for path in paths if path[-1] != "image"})
    for key in sorted({*old.configs, *new.configs}):
        before, after = old.configs.get(key), new.configs.get(key)
        if before != after:
            what = "is tracked now" if before is None else "is no longer tracked" if after is None else "changed"
            found.append(f"{key} {what}")
    return tuple(found)


_DEPTH = 4


def _images(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    before = {each["name"]: each.get("image") for each in _containers(old)}
    return [
        f"image of {each['name']}: {before[each['name']]} → {each.get('image')}"
        for each in _containers(new)
        if each["name"] in before and before[each["name"]] != each.get("image")
    ]


def _containers(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    spec = template.get("spec") or {}
    return [each for part in ("initContainers", "containers") for each in spec.get(part) or ()]


def _paths(old: Any, new: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Where two templates differ. A list of named things is looked into by name."""
    if old == new:
        return []
    left, right = _keyed(old), _keyed(new)
    if left is None or right is None:
        return [path or ("template",)]
    keys = dict.fromkeys((*left, *right))
    return [found for key in keys for found in _paths(left.get(key), right.get(key), (*path, str(key)))]


def _keyed(value: Any) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and all(isinstance(each, dict) and "name" in each for each in value):
        return {each["name"]: each for each in value}
    return None


def _without(holder: dict[str, Any], field: str, keys: Any) -> None:
    """Drop keys of a map, and the map when nothing is left."""
    pairs = holder.get(field)
    if isinstance(pairs, dict):
        for key in keys:
            pairs.pop(key, None)
        if not pairs:
            del holder[field]


def _said(value: Any) -> Any:
    """A copy without nulls."""
    if isinstance(value, Mapping):
        return {key: _said(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_said(each) for each in value]
    return value
