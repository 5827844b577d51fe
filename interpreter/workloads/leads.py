"""Whom a Service leads to: the target's pods, the primary's, or both. Pure.

The pods of target and primary carry the same labels but one, the selector label. A Service of one side selects by that
one. A Service of both selects by what the two have in common, all of it, and must find nobody else: the labels that a
whole release shares would lead requests to its database. So who has pods with all of these labels is looked for, and
where there is somebody, or nothing is common, both cannot be led to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from interpreter.cluster.names import ORIGINAL
from interpreter.objects import Manifest
from interpreter.workloads.metadata import PRIMARY, is_ours
from interpreter.workloads.selectors import selects

Label = tuple[str, str]
"""The selector label, and its value for the target's pods."""


class Leads(Enum):
    """Whose pods the apex Service leads to."""

    TARGET = "target"
    PRIMARY = "primary"
    BOTH = "both"


def led(apex: Manifest, label: Label, target: Manifest | None, primary: Manifest | None) -> Leads | None:
    """Whom it leads to now; None if to neither, as far as can be told."""
    key, value = label
    selector = _selector(apex)
    if key in selector:
        return {value: Leads.TARGET, value + PRIMARY: Leads.PRIMARY}.get(selector[key])
    both = target is not None and primary is not None and _finds(selector, target) and _finds(selector, primary)
    return Leads.BOTH if both else None


def selecting(apex: Manifest, label: Label, leads: Leads, common: Mapping[str, str]) -> dict[str, str]:
    """The selector with which it leads so. `common` is what `in_common` gave, for both."""
    key, value = label
    if leads is Leads.BOTH:
        return dict(common)
    serving = value + PRIMARY if leads is Leads.PRIMARY else value
    return {key: serving} if is_ours(apex) else {**_own(apex, key), key: serving}


def in_common(apex: Manifest | None, label: Label, target: Manifest, primary: Manifest) -> dict[str, str]:
    """The labels by which both are found. While the Service finds both already it keeps its selector: a new revision
    that brings labels of its own must not lose it the pods that do not have them yet."""
    if apex is not None and led(apex, label, target, primary) is Leads.BOTH:
        return dict(_selector(apex))
    others = pod_labels(primary)
    return {key: value for key, value in pod_labels(target).items() if key != label[0] and others.get(key) == value}


def strangers(labels: Mapping[str, str], neighbours: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Who else has pods with all of these labels. `neighbours` are the labels of others' pods, by who they are."""
    return tuple(sorted(name for name, theirs in neighbours.items() if theirs.items() >= labels.items()))


def pod_labels(workload: Mapping[str, Any]) -> dict[str, str]:
    """The labels that a workload's pods are made with."""
    template = (workload.get("spec") or {}).get("template") or {}
    return dict((template.get("metadata") or {}).get("labels") or {})


def _own(apex: Manifest, key: str) -> dict[str, str]:
    """What the user's Service selects by beside the selector label. While it leads to both, that is in the note of what
    stood there before."""
    selector = _selector(apex)
    if key in selector:
        return selector
    kept = _parsed((apex["metadata"].get("annotations") or {}).get(ORIGINAL)).get("selector")
    return dict(kept) if isinstance(kept, dict) else selector


def _selector(apex: Mapping[str, Any]) -> dict[str, str]:
    return dict((apex.get("spec") or {}).get("selector") or {})


def _finds(selector: Mapping[str, str], workload: Manifest) -> bool:
    return bool(selector) and selects({"matchLabels": selector}, pod_labels(workload))


def _parsed(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
