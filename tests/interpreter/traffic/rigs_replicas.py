"""The set-ups for splitting by pods: a Service of the user's, and the two workloads, all of whose pods are ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dsl.capabilities import PROVIDERS
from interpreter.objects import Manifest
from tests.interpreter.traffic import rigs as common

if TYPE_CHECKING:
    from tests.interpreter.traffic.rigs import Rig

PODS = 4
COMMON = {"example.com/service": "podinfo"}


def workload(namespace: str, name: str, *, replicas: int = PODS, ready: int | None = None) -> Manifest:
    """A Deployment whose pods say whose they are by `app`."""
    labels = {"app": name, **COMMON}
    container = {"name": "app", "image": "podinfo:1", "ports": [{"name": "http", "containerPort": 9898}]}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    made = common.manifest(namespace, "apps/v1", "Deployment", name, spec)
    return {**made, "status": {"readyReplicas": replicas if ready is None else ready}}


def apex(namespace: str) -> Manifest:
    """The user's own, which leads to the primary already."""
    spec = {
        "type": "ClusterIP",
        "selector": {"app": "podinfo-primary"},
        "ports": [{"name": "http", "port": 9898, "targetPort": "http", "protocol": "TCP"}],
    }
    return common.manifest(namespace, "v1", "Service", "podinfo", spec)


def replicas(namespace: str) -> Rig:
    given = (apex(namespace), workload(namespace, "podinfo"), workload(namespace, "podinfo-primary"))
    return common.Rig(common.site(namespace, "replicas"), PROVIDERS["replicas"], given, restores=False)


REPLICAS_RIGS: Mapping[str, Callable[[str], Rig]] = {"replicas": replicas}
