"""The set-ups for Knative: the user's own Service, of which Knative has made two Revisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dsl.capabilities import PROVIDERS
from dsl.ir import Program, Service, Traffic, WorkloadRef
from interpreter.objects import Manifest
from interpreter.traffic.provider import Site
from interpreter.workloads.knative import API_VERSION, FLAGGERS_PRIMARY
from tests.interpreter.traffic import rigs as common

if TYPE_CHECKING:
    from tests.interpreter.traffic.rigs import Rig

OLD, NEW = "podinfo-00001", "podinfo-00002"


def site(namespace: str) -> Site:
    target = WorkloadRef("Service", "podinfo", API_VERSION)
    program = Program("podinfo", namespace, target, Traffic("knative", {}), Service("podinfo"), ())
    return Site(program, "podinfo", "podinfo-primary", "podinfo-canary", 80, workload="podinfo")


def service(namespace: str, traffic: list[dict[str, Any]] | None, **annotations: str) -> Manifest:
    """With the status that Knative writes."""
    spec: dict[str, Any] = {"template": {"spec": {"containers": [{"name": "user-container", "image": "podinfo:2"}]}}}
    if traffic is not None:
        spec["traffic"] = traffic
    more = {"annotations": annotations} if annotations else {}
    made = common.manifest(namespace, API_VERSION, "Service", "podinfo", spec, **more)
    return {**made, "status": {"latestCreatedRevisionName": NEW, "latestReadyRevisionName": NEW}}


def _flaggers(namespace: str) -> Rig:
    """The primary is known from Flagger, and the user has a target of an address of its own."""
    traffic = [{"revisionName": OLD, "percent": 100, "tag": "stable", "latestRevision": False}]
    users = service(namespace, traffic, **{FLAGGERS_PRIMARY: OLD})
    return common.Rig(site(namespace), PROVIDERS["knative"], (users,), definitions=("knative",))


KNATIVE_RIGS: Mapping[str, Callable[[str], Rig]] = {"knative": _flaggers}
