"""Policies and manifests for the tests of workloads."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import yaml

from dsl.ir import Program, Scaler, Service, Traffic, WorkloadRef
from interpreter.objects import Apply, Change, Edit, Manifest, Ref, ref_of
from interpreter.workloads.kind import Snapshot, WorkloadKind
from interpreter.workloads.revision import revision_of
from tests.controlplane.definitions import reference

NAMESPACE = "test"


def program(
    kind: str = "Deployment",
    name: str = "web",
    *,
    service: Service | None = None,
    scaler: Scaler | None = None,
    namespace: str = NAMESPACE,
    **more: Any,
) -> Program:
    made = Program(
        name=name,
        namespace=namespace,
        target=WorkloadRef(kind, name),
        traffic=Traffic("istio"),
        service=service or Service(name, 80),
        code=(),
        scaler=scaler,
    )
    return replace(made, **more)


def deployment(name: str = "web", **spec: Any) -> Manifest:
    """A Deployment with what primaries must get right: affinity, spread, configs, two containers, GitOps marks."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "generation": 1,
            "labels": {"app": name, "team": "shop", "kustomize.toolkit.fluxcd.io/name": "apps"},
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "deployment.kubernetes.io/revision": "3",
                "configmap.reloader.stakater.com/reload": "settings",
                "rollway.dev/policy": "canary",
                "example.com/owner": "shop",
            },
        },
        "spec": {
            "replicas": 3,
            "progressDeadlineSeconds": 60,
            "minReadySeconds": 1,
            "revisionHistoryLimit": 4,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
            "selector": {"matchLabels": {"app": name, "tier": "front"}},
            "template": template(name),
            **spec,
        },
    }


def template(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "creationTimestamp": None,
            "labels": {"app": name, "tier": "front", "version": "1"},
            "annotations": {"prometheus.io/scrape": "true", "argocd.argoproj.io/tracking-id": "x"},
        },
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "image": "example.com/web:1",
                    "ports": [
                        {"name": "http", "containerPort": 8080, "protocol": "TCP"},
                        {"name": "metrics", "containerPort": 9090, "protocol": "TCP"},
                        {"containerPort": 53, "protocol": "UDP"},
                    ],
                    "env": [
                        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
                        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "t"}}},
                        {"name": "PLAIN", "value": "1"},
                    ],
                    "envFrom": [{"configMapRef": {"name": "more", "optional": True}}, {"secretRef": {"name": "token"}}],
                },
                {"name": "istio-proxy", "image": "example.com/proxy:1", "ports": [{"containerPort": 15090}]},
            ],
            "initContainers": [
                {
                    "name": "init",
                    "image": "example.com/init:1",
                    "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "first", "key": "a"}}}],
                }
            ],
            "volumes": [
                {"name": "settings", "configMap": {"name": "settings"}},
                {"name": "tls", "secret": {"secretName": "tls"}},
                {
                    "name": "all",
                    "projected": {
                        "sources": [
                            {"configMap": {"name": "more"}},
                            {"secret": {"name": "extra", "optional": True}},
                            {"serviceAccountToken": {"path": "token"}},
                        ]
                    },
                },
                {"name": "scratch", "emptyDir": {}},
            ],
            "affinity": {
                "podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {
                                "matchExpressions": [{"key": "app", "operator": "In", "values": [name, "other"]}]
                            },
                        },
                        {
                            "topologyKey": "kubernetes.io/hostname",
                            "namespaces": ["elsewhere"],
                            "labelSelector": {"matchLabels": {"app": name}},
                        },
                    ],
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 50,
                            "podAffinityTerm": {
                                "topologyKey": "topology.kubernetes.io/zone",
                                "labelSelector": {"matchLabels": {"app": name}},
                            },
                        }
                    ],
                },
                "podAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 1,
                            "podAffinityTerm": {
                                "topologyKey": "topology.kubernetes.io/zone",
                                "labelSelector": {"matchLabels": {"app": "cache"}},
                            },
                        }
                    ]
                },
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app": name}},
                }
            ],
            **spec,
        },
    }


CONFIGS = {
    "configmap/settings": "1",
    "configmap/first": "2",
    "configmap/more": "3",
    "secret/token": "4",
    "secret/tls": "5",
}


def daemonset(name: str = "agent") -> Manifest:
    found = deployment(name)
    for field in ("replicas", "progressDeadlineSeconds", "strategy"):
        del found["spec"][field]
    found["kind"] = "DaemonSet"
    found["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    return found


def statefulset(name: str = "db") -> Manifest:
    found = deployment(name)
    for field in ("progressDeadlineSeconds", "strategy"):
        del found["spec"][field]
    found["kind"] = "StatefulSet"
    found["spec"] |= {
        "serviceName": f"{name}-pods",
        "podManagementPolicy": "Parallel",
        "ordinals": {"start": 1},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}},
        "volumeClaimTemplates": [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                "status": {"phase": "Pending"},
            }
        ],
    }
    return found


def snapshot(kind: WorkloadKind, target: Manifest, configs: Mapping[str, str] = {}) -> Snapshot:
    found = kind.template(target)
    return Snapshot(revision_of(found, configs), found, dict(configs))


def primary(
    kind: WorkloadKind,
    target: Manifest,
    *,
    configs: Mapping[str, str] = {},
    replicas: int | None = 2,
    existing: Manifest | None = None,
    policy: Program | None = None,
) -> Manifest:
    policy = policy or program(target["kind"], target["metadata"]["name"])
    return kind.primary(policy, target, snapshot(kind, target, configs), replicas, existing)


def applied(changes: tuple[Change, ...]) -> dict[str, Manifest]:
    """What is applied, by name."""
    return {ref_of(each.manifest).name: each.manifest for each in changes if isinstance(each, Apply)}


def edited(change: Change | None) -> Manifest:
    assert isinstance(change, Edit)
    return change.after


def service(name: str, spec: Mapping[str, Any], **metadata: Any) -> tuple[Ref, Manifest]:
    found: Manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, **metadata},
        "spec": copy.deepcopy(dict(spec)),
    }
    return ref_of(found), found


def sample(path: str) -> Manifest | None:
    """A manifest of Flagger's own samples, where they are to be had."""
    file = reference() / "samples" / "flagger" / path
    return yaml.safe_load(file.read_text()) if file.exists() else None
