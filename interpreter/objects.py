"""Kubernetes objects as plain data: how one is named, and what can be done to one.

A manifest is the JSON of an object, as a `dict`. Pure code says what should be done as a `Change`; the cluster's shell
(`interpreter.cluster`) does it, and leaves it when nothing would differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Manifest = dict[str, Any]


class Ref(NamedTuple):
    """What an object is called. `namespace` is empty for cluster-scoped kinds."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} `{self.namespace + '/' if self.namespace else ''}{self.name}`"


Objects = Mapping[Ref, Manifest]
"""Objects that exist, as the cluster has them. What is not in it does not exist."""


class Apply(NamedTuple):
    """An object of ours, whole: made if it does not exist, and every field that stands here is ours from then on
    (server-side apply, forced). The shell adds the owner reference, and labels that say who manages it."""

    manifest: Manifest


class Edit(NamedTuple):
    """An object of somebody else's with our changes made in it: only what differs from `before` is written, and only
    if nobody else has written since `before` was read."""

    before: Manifest
    after: Manifest


class Delete(NamedTuple):
    """Remove an object of ours; one that does not exist is no error."""

    ref: Ref


Change = Apply | Edit | Delete


def ref_of(manifest: Mapping[str, Any]) -> Ref:
    """The name of an object, from its JSON."""
    metadata = manifest["metadata"]
    return Ref(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])


def ref_of_change(change: Change) -> Ref:
    """The object that a change is about."""
    match change:
        case Apply(manifest):
            return ref_of(manifest)
        case Edit(before, _):
            return ref_of(before)
        case Delete(ref):
            return ref


def controller_reference(owner: Mapping[str, Any]) -> dict[str, Any]:
    """The owner reference that makes an object go when `owner` goes. It holds within a namespace only."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
