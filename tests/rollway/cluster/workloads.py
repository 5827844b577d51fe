"""Workloads and pods as a cluster has them, for the tree of a rollout."""

from __future__ import annotations

from typing import Any

from interpreter.cluster.names import MANAGED_BY, MANAGER
from interpreter.objects import Manifest
from interpreter.workloads.kind import REVISION


def deployment(
    name: str, *, replicas: int = 3, ready: int = 3, image: str = "registry.example/checkout:1", revision: str = ""
) -> Manifest:
    return _workload(
        "Deployment", name, image, revision, spec={"replicas": replicas}, status=_replicas(replicas, ready)
    )


def daemonset(name: str, *, wanted: int = 2, ready: int = 2, image: str = "agent:1", revision: str = "") -> Manifest:
    status = {"desiredNumberScheduled": wanted, "currentNumberScheduled": wanted, "numberReady": ready}
    return _workload("DaemonSet", name, image, revision, spec={}, status=status)


def replicaset(of: Manifest, digest: str, *, replicas: int = 3, made: str = "2026-11-23T10:00:00Z") -> Manifest:
    name = f"{of['metadata']['name']}-{digest}"
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "creationTimestamp": made,
            "labels": {**_labels(of), "pod-template-hash": digest},
            "ownerReferences": [_reference(of)],
        },
        "spec": {"replicas": replicas, "template": of["spec"]["template"]},
        "status": _replicas(replicas, replicas),
    }


def pod(of: Manifest, name: str, *, ready: bool = True, waiting: str = "", restarts: int = 0, **more: Any) -> Manifest:
    """A pod of a ReplicaSet, or straight of a workload. `waiting` is why its container does not run."""
    state: dict[str, Any] = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    container = {"name": "app", "image": "checkout:1", "ready": ready, "restartCount": restarts, "state": state}
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "creationTimestamp": "2026-11-23T10:02:00Z",
        "labels": _labels(of),
        "ownerReferences": [_reference(of)],
        **more,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "app", "image": "checkout:1"}]},
        "status": {
            "phase": "Pending" if waiting else "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [container],
        },
    }


def _workload(
    kind: str, name: str, image: str, revision: str, *, spec: dict[str, Any], status: dict[str, Any]
) -> Manifest:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "creationTimestamp": "2026-11-20T10:00:00Z",
            "labels": {MANAGED_BY: MANAGER} if "-" in name else {},
            "annotations": {REVISION: revision} if revision else {},
        },
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
        "status": status,
    }


def _labels(of: Manifest) -> dict[str, str]:
    if of["kind"] == "ReplicaSet":
        return dict(of["metadata"]["labels"])
    return dict(of["spec"]["selector"]["matchLabels"])


def _reference(of: Manifest) -> dict[str, Any]:
    metadata = of["metadata"]
    named = {"apiVersion": of["apiVersion"], "kind": of["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return {**named, "controller": True}


def _replicas(wanted: int, ready: int) -> dict[str, int]:
    return {"replicas": wanted} | ({"readyReplicas": ready} if ready else {})
