"""Whose an object is, and how a provider puts its whole spec into it without losing what a user had there.

An object that a provider keeps is its own (an `Apply`) if it does not exist, if the label says that rollway manages
it, if it carries a noted routing, or if it belongs to a Canary, since Flagger made it and rollway goes on with it. Any
other object of that name is somebody's: it is taken over by an `Edit`, with what stood there kept in `ORIGINAL`, and
`put_back` restores it. Users may apply their own form again at any time; a provider sees by the destinations whether a
spec is in the user's form, and then that is the original from then on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from interpreter.cluster.names import MANAGED_BY, MANAGER
from interpreter.objects import Apply, Change, Delete, Edit, Manifest, Objects, Ref, ref_of
from interpreter.traffic.provider import ORIGINAL, Site
from interpreter.traffic.reading import NOTE, annotate, annotated, copied, unnote

FLAGGER_ORIGINAL = "flagger.kubernetes.io/original-configuration"
"""Flagger's annotation: the JSON of the whole spec as it was before Flagger took the object over."""

_FLAGGER_GROUP = "flagger.app/"


def manifest(site: Site, ref: Ref, spec: Mapping[str, Any]) -> Manifest:
    """An object of ours."""
    metadata = {"name": ref.name, "namespace": site.namespace, "labels": {MANAGED_BY: MANAGER}}
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata, "spec": dict(spec)}


def is_ours(live: Mapping[str, Any]) -> bool:
    """Whether the object may be replaced and deleted."""
    metadata = live["metadata"]
    annotations = metadata.get("annotations") or {}
    if any(owner["apiVersion"].startswith(_FLAGGER_GROUP) for owner in metadata.get("ownerReferences") or ()):
        return True
    if ORIGINAL in annotations or FLAGGER_ORIGINAL in annotations:
        return False
    return (metadata.get("labels") or {}).get(MANAGED_BY) == MANAGER or NOTE in annotations


def put(site: Site, wanted: Manifest, existing: Objects, routed: Callable[[Mapping[str, Any]], bool]) -> list[Change]:
    """The change that gives an object this spec and these annotations; none if a user's object has them already.
    `routed` says of a spec whether it is one that we made."""
    live = existing.get(ref_of(wanted))
    if live is None or is_ours(live):
        return [Apply(wanted)]
    after = copied(live)
    keep_original(after, site.apex, {"spec": _original_spec(site, live, routed)})
    after["spec"] = wanted["spec"]
    after["metadata"].setdefault("annotations", {}).update(wanted["metadata"].get("annotations") or {})
    return edit(live, after)


def put_back(site: Site, ref: Ref, existing: Objects, routed: Callable[[Mapping[str, Any]], bool]) -> list[Change]:
    """The change that undoes `put`."""
    live = existing.get(ref)
    if live is None:
        return []
    if is_ours(live):
        return [Delete(ref)]
    after = copied(live)
    after["spec"] = _original_spec(site, live, routed)
    forget(after, site.apex)
    return edit(live, after)


def put_back_without(
    site: Site, wanted: Manifest, existing: Objects, routed: Callable[[Mapping[str, Any]], bool]
) -> list[Change]:
    """The change that undoes `put` of this manifest, where its annotations say something to the data plane: a user's
    object keeps none of them that still has our value."""
    ref, ours = ref_of(wanted), wanted["metadata"].get("annotations") or {}
    changes = put_back(site, ref, existing, routed)
    for change in changes:
        if isinstance(change, Edit):
            annotations = change.after["metadata"].get("annotations") or {}
            kept = {key: text for key, text in annotations.items() if ours.get(key) != text}
            change.after["metadata"]["annotations"] = kept
            if not kept:
                del change.after["metadata"]["annotations"]
    return changes


def edit(before: Manifest, after: Manifest) -> list[Change]:
    """An `Edit`, if anything differs."""
    return [] if before == after else [Edit(before, after)]


def original(live: Mapping[str, Any], apex: str) -> Mapping[str, Any] | None:
    """What was kept for this apex Service."""
    kept = annotated(live, ORIGINAL).get(apex)
    return kept if isinstance(kept, dict) else None


def keep_original(changed: Manifest, apex: str, part: Mapping[str, Any]) -> None:
    """Keep a part of an object as it stood, for this apex Service."""
    annotate(changed, ORIGINAL, {**annotated(changed, ORIGINAL), apex: part})


def forget(changed: Manifest, apex: str) -> None:
    """Take our annotations for this apex Service off, and Flagger's."""
    annotate(changed, ORIGINAL, {key: part for key, part in annotated(changed, ORIGINAL).items() if key != apex})
    annotate(changed, FLAGGER_ORIGINAL, {})
    unnote(changed, apex)


def _original_spec(site: Site, live: Mapping[str, Any], routed: Callable[[Mapping[str, Any]], bool]) -> Any:
    spec = live.get("spec", {})
    if not routed(spec):
        return spec
    kept = original(live, site.apex)
    if kept is not None:
        return kept.get("spec", {})
    flaggers = (live["metadata"].get("annotations") or {}).get(FLAGGER_ORIGINAL)
    return spec if flaggers is None else _parsed(flaggers, spec)


def _parsed(text: str, otherwise: Any) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return otherwise
    return found if isinstance(found, dict) else otherwise
