"""The object that an object of another controller becomes when we take it over.

Flagger's objects are found where ours should be. Applied over, they would keep every field that only Flagger set, for
ever, for nobody owns those any more. So the object is written once as a whole: ours, with what makes it the same object
(its name, uid and version), what the server gave it (addresses, node ports), what cannot be changed, and what others
have a say in (replicas that an autoscaler set, labels and annotations, finalizers).

A PUT would own what it changes as an `Update`, beside Flagger's own entry for the rest, and no later apply of ours
could remove a field of either. So the PUT carries the bookkeeping of an apply, as a dry run of that apply has shown it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interpreter.cluster.names import MANAGER
from interpreter.objects import Manifest

_IDENTITY = ("uid", "resourceVersion", "finalizers")
_SERVER_GIVEN: Mapping[str, tuple[str, ...]] = {
    "Service": (
        "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort", "loadBalancerClass",
        "loadBalancerIP",
    ),
    "Deployment": ("selector", "replicas"),
    "DaemonSet": ("selector",),
    "StatefulSet": ("selector", "replicas", "serviceName", "podManagementPolicy", "volumeClaimTemplates"),
}  # fmt: skip
"""Fields of `spec` that stay as they are where ours say nothing."""


def to_try(ours: Manifest) -> Manifest:
    """What to apply in the dry run: ours, without the owner, for the present one may still be there."""
    return {**ours, "metadata": {key: value for key, value in ours["metadata"].items() if key != "ownerReferences"}}


def taken_over(ours: Manifest, live: Manifest, dry_run: Manifest) -> Manifest:
    """What to PUT. It fails with a conflict if `live` is not the latest any more."""
    before, metadata = live["metadata"], dict(ours["metadata"])
    metadata |= {key: before[key] for key in _IDENTITY if key in before}
    for key in ("labels", "annotations"):
        together = {**(before.get(key) or {}), **(metadata.get(key) or {})}
        if together:
            metadata[key] = together
    own = metadata.get("ownerReferences") or []
    uids = {owner["uid"] for owner in own}
    others = [
        owner
        for owner in before.get("ownerReferences") or ()
        if owner["uid"] not in uids and not owner.get("controller")
    ]  # fmt: skip
    if own or others:
        metadata["ownerReferences"] = own + others
    metadata["managedFields"] = [
        entry
        for entry in dry_run["metadata"].get("managedFields") or ()
        if entry.get("subresource") or (entry.get("manager") == MANAGER and entry.get("operation") == "Apply")
    ]
    whole = {**ours, "metadata": metadata}
    if "status" in live:
        whole["status"] = live["status"]
    if isinstance(ours.get("spec"), dict):
        whole["spec"] = _spec(ours, live)
    return whole


def _spec(ours: Manifest, live: Manifest) -> dict[str, Any]:
    theirs = live.get("spec") or {}
    kept = {key: theirs[key] for key in _SERVER_GIVEN.get(ours["kind"], ()) if key in theirs}
    spec = {**kept, **ours["spec"]}
    if ours["kind"] == "Service" and "ports" in spec:
        spec["ports"] = [_with_node_port(port, theirs.get("ports") or ()) for port in spec["ports"]]
    return spec


def _with_node_port(port: Mapping[str, Any], theirs: Any) -> dict[str, Any]:
    """The port, with the node port that the same port has had."""
    for other in theirs:
        same = (other.get("port"), other.get("protocol", "TCP")) == (port.get("port"), port.get("protocol", "TCP"))
        if same and "nodePort" in other:
            return {"nodePort": other["nodePort"], **port}
    return dict(port)
