"""A rollout as Flagger leaves it, in the middle or at rest: its objects, with its field manager, marks and statuses.

Written down from Flagger's source (peers.md §1.3 to §1.14): no Flagger runs here. The Canary is Flagger's sample by
weights; the user's Deployment has been applied by `kubectl`, everything else was made by a controller `flagger`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from interpreter.objects import Manifest
from tests.flagger.stage import Stage, podinfo

MANAGER = "flagger"
GITOPS = {"kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled"}
OF_FLAGGER = (
    ("Deployment", "podinfo-primary"),
    ("Service", "podinfo"),
    ("Service", "podinfo-primary"),
    ("Service", "podinfo-canary"),
    ("DestinationRule", "podinfo-primary"),
    ("DestinationRule", "podinfo-canary"),
    ("VirtualService", "podinfo"),
)
_MESSAGES = {
    "Initialized": ("True", "Deployment initialization completed."),
    "Waiting": ("Unknown", "Waiting for approval."),
    "Progressing": ("Unknown", "New revision detected, progressing canary analysis."),
    "WaitingPromotion": ("Unknown", "Waiting for approval."),
    "Promoting": ("Unknown", "Canary analysis completed, starting primary rolling update."),
    "Finalising": ("Unknown", "Canary analysis completed, routing all traffic to primary."),
    "Succeeded": ("True", "Canary analysis completed successfully, promotion finished."),
    "Failed": ("False", "Canary analysis failed, Deployment scaled to zero."),
}
_OLD, _NEW = "3516384437", "1853249761"
"""Hashes of pod templates, as Flagger writes them."""


class Left(NamedTuple):
    """How far Flagger had come. `shown` is the weight in the status, `weight` that of the route."""

    phase: str
    weight: int = 0
    shown: int = 0
    failed: int = 0
    iterations: int = 0
    target: str = "podinfo:2"
    primary: str = "podinfo:1"
    replicas: int = 2


async def leave(stage: Stage, left: Left, canary: Manifest) -> None:
    """Have it all in the cluster, and the pods ready."""
    life = stage.life
    await life.apply(podinfo(image=left.target, replicas=max(1, left.replicas)), canary)
    owned = await life.get("Canary", "podinfo")
    owner = {
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": owned["metadata"]["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    for manifest in (_primary(left.primary), *_services(), *_rules(), _route(left.weight)):
        await _make(stage, manifest, owner)
    if left.replicas == 0:
        path = (await life.api.discovery.resource("apps/v1", "Deployment")).path(life.namespace, "podinfo")
        body = {"spec": {"replicas": 0}}
        await life.api.raw("PATCH", path, {"fieldManager": MANAGER}, body, "application/merge-patch+json")
    await life.api.patch(life.ref("Canary", "podinfo"), {"status": _status(left)}, "status")
    await life.so(lambda: _ready(stage, left), "the pods are ready")


async def _make(stage: Stage, manifest: Manifest, owner: dict[str, Any]) -> None:
    life = stage.life
    found = await life.api.discovery.resource(manifest["apiVersion"], manifest["kind"])
    metadata = {**manifest["metadata"], "namespace": life.namespace, "ownerReferences": [owner]}
    body = {**manifest, "metadata": metadata}
    await life.api.raw("POST", found.path(life.namespace), {"fieldManager": MANAGER}, body)


def _primary(image: str) -> Manifest:
    made = podinfo("podinfo-primary", image=image)
    made["spec"]["template"]["metadata"]["annotations"] = {"flagger-id": "4f3c0ac5-5d5f-4f6b-a3b5-3f2f3a0c2a91"}
    return made


def _services() -> list[Manifest]:
    selected = {"podinfo": "podinfo-primary", "podinfo-primary": "podinfo-primary", "podinfo-canary": "podinfo"}
    ports = [
        {"name": "http", "port": 9898, "targetPort": 9898, "protocol": "TCP"},
        {"name": "grpc", "port": 9999, "targetPort": 9999, "protocol": "TCP"},
    ]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": {"app": name}, "annotations": GITOPS},
            "spec": {"type": "ClusterIP", "selector": {"app": value}, "ports": ports},
        }
        for name, value in selected.items()
    ]


def _rules() -> list[Manifest]:
    return [
        {
            "apiVersion": "networking.istio.io/v1beta1",
            "kind": "DestinationRule",
            "metadata": {"name": name},
            "spec": {"host": name},
        }
        for name in ("podinfo-primary", "podinfo-canary")
    ]


def _route(weight: int) -> Manifest:
    headers = {
        "x-envoy-max-retries": "10",
        "x-envoy-retry-on": "gateway-error,connect-failure,refused-stream",
        "x-envoy-upstream-rq-timeout-ms": "15000",
    }
    split = [
        {"destination": {"host": "podinfo-primary"}, "weight": 100 - weight},
        {"destination": {"host": "podinfo-canary"}, "weight": weight},
    ]
    return {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "VirtualService",
        "metadata": {"name": "podinfo", "annotations": GITOPS},
        "spec": {
            "hosts": ["podinfo"],
            "gateways": ["mesh"],
            "http": [{"headers": {"request": {"add": headers}}, "route": split}],
        },
    }


def _status(left: Left) -> dict[str, Any]:
    truth, message = _MESSAGES[left.phase]
    at = "2026-11-23T10:00:00Z"
    return {
        "phase": left.phase,
        "canaryWeight": left.shown,
        "failedChecks": left.failed,
        "iterations": left.iterations,
        "lastAppliedSpec": _OLD if left.phase in ("Initialized", "Waiting") else _NEW,
        "lastPromotedSpec": _NEW if left.phase == "Succeeded" else _OLD,
        "lastTransitionTime": at,
        "trackedConfigs": {},
        "conditions": [
            {
                "type": "Promoted", "status": truth, "reason": left.phase, "message": message,
                "lastUpdateTime": at, "lastTransitionTime": at,
            }
        ],
    }  # fmt: skip


async def _ready(stage: Stage, left: Left) -> bool:
    for name, wanted in (("podinfo-primary", 2), ("podinfo", left.replicas)):
        status = (await stage.life.get("Deployment", name)).get("status") or {}
        if (status.get("readyReplicas", 0), status.get("replicas", 0)) != (wanted, wanted):
            return False
    return True


async def pods_of_primary(stage: Stage) -> list[str]:
    """Those that there are, told apart also from their successors of the same name."""
    found = await stage.life.all_of("Pod", "app=podinfo-primary")
    return sorted(one["metadata"]["uid"] for one in found)


async def flaggers_own(stage: Stage) -> list[str]:
    """What of Flagger's is its own still."""
    found = [await stage.life.get(kind, name) for kind, name in OF_FLAGGER]
    return [f"{one['kind']} {one['metadata']['name']}" for one in found if _is_flaggers(one)]


def _is_flaggers(manifest: Manifest) -> bool:
    entries = manifest["metadata"]["managedFields"]
    return any(entry["manager"] == MANAGER and "subresource" not in entry for entry in entries)


async def let_go_of(stage: Stage, kept: tuple[str, ...] = ()) -> bool:
    """Whether nothing of what Flagger made is its own any more, but for what is `kept`."""
    return await flaggers_own(stage) == list(kept)
