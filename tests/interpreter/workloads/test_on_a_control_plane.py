"""Protects that a real API server takes what is derived: strictly, twice without a change, and with pods that the
controllers tell apart."""

from __future__ import annotations

from typing import Any

import pytest

from dsl.ir import Scaler, Service, WorkloadRef
from interpreter.objects import Apply, Edit, Manifest, ref_of
from interpreter.workloads import configs, scalers
from interpreter.workloads.baseline import baseline
from interpreter.workloads.daemonset import DaemonSetKind
from interpreter.workloads.deployment import DeploymentKind
from interpreter.workloads.kind import REVISION, WorkloadKind
from interpreter.workloads.leads import Leads
from interpreter.workloads.services import release_services, service_refs, services
from interpreter.workloads.statefulset import StatefulSetKind
from tests.controlplane.api import APPLY, Api
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.workloads import made

PLURALS = {
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "DaemonSet": "apis/apps/v1/namespaces/{}/daemonsets",
    "StatefulSet": "apis/apps/v1/namespaces/{}/statefulsets",
    "Service": "api/v1/namespaces/{}/services",
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "Secret": "api/v1/namespaces/{}/secrets",
    "HorizontalPodAutoscaler": "apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
}
KINDS: list[tuple[WorkloadKind, Any]] = [
    (DeploymentKind(), made.deployment),
    (DaemonSetKind(), made.daemonset),
    (StatefulSetKind(), made.statefulset),
]
LAX = {"replicas": 2, "minReadySeconds": 0}


class Cluster:
    """One namespace."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.api: Api = plane.api
        self.namespace = namespace

    def path(self, manifest: Manifest) -> str:
        return f"/{PLURALS[manifest['kind']].format(self.namespace)}/{manifest['metadata']['name']}"

    def make(self, manifest: Manifest, **metadata: Any) -> Manifest:
        """As a user does; the API server fills in its defaults."""
        found = {**manifest, "metadata": {**manifest["metadata"], "namespace": self.namespace, **metadata}}
        answer: Manifest = self.api.call("POST", self.path(found).rpartition("/")[0] + "?fieldValidation=Strict", found)
        return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], **answer}

    def apply(self, manifest: Manifest) -> Manifest:
        """As rollway does."""
        query = "fieldManager=rollway&force=true&fieldValidation=Strict"
        answer: Manifest = self.api.call("PATCH", f"{self.path(manifest)}?{query}", manifest, kind=APPLY)
        return answer

    def edit(self, edit: Edit) -> Manifest:
        answer: Manifest = self.api.call("PUT", self.path(edit.after), edit.after)
        return answer

    def pods(self, selector: dict[str, str]) -> set[str]:
        query = ",".join(f"{key}={value}" for key, value in selector.items())
        found = self.api.get(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={query}")
        return {each["metadata"]["name"] for each in found["items"]}


@pytest.fixture
def cluster(control_plane: ControlPlane, namespace: str) -> Cluster:
    return Cluster(control_plane, namespace)


def light(target: Manifest) -> Manifest:
    """Without what keeps pods from running on two nodes without configs."""
    spec = target["spec"]["template"]["spec"]
    del spec["volumes"], spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    spec["containers"] = [{"name": "web", "image": "example.com/web:1"}]
    spec["initContainers"] = []
    target["spec"] |= {key: value for key, value in LAX.items() if key in target["spec"]}
    target["spec"].pop("volumeClaimTemplates", None)
    return target


@pytest.mark.parametrize(("kind", "target"), KINDS)
def test_a_primary_is_taken_strictly_and_a_second_time_changes_nothing(
    cluster: Cluster, kind: WorkloadKind, target: Any
) -> None:
    found = cluster.make(target())

    first = cluster.apply(made.primary(kind, found, configs=made.CONFIGS))
    again = cluster.apply(made.primary(kind, found, configs=made.CONFIGS, existing=first))

    assert again["metadata"]["generation"] == first["metadata"]["generation"] == 1
    assert again["metadata"]["managedFields"] == first["metadata"]["managedFields"]
    spec = first["spec"]["template"]["spec"]
    name = found["metadata"]["name"]
    preferred = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]
    assert preferred["podAffinityTerm"]["labelSelector"] == {"matchLabels": {"app": f"{name}-primary"}}
    assert spec["topologySpreadConstraints"][0]["labelSelector"] == {"matchLabels": {"app": f"{name}-primary"}}
    # What the server filled in for the target, it finds in the primary: only what had to differ does.
    fresh = kind.template({"spec": {"template": first["spec"]["template"]}})["spec"]
    assert fresh["containers"][1] == kind.template(found)["spec"]["containers"][1]


@pytest.mark.parametrize(("kind", "target"), KINDS)
def test_the_controllers_tell_the_pods_of_both_apart_and_readiness_sees_them(
    cluster: Cluster, kind: WorkloadKind, target: Any
) -> None:
    found = cluster.make(light(target()))
    primary = cluster.apply(made.primary(kind, found))

    def ready(workload: Manifest) -> bool:
        return kind.readiness(workload, 100, 600_000, 0).ready

    cluster.api.until(cluster.path(found), ready)
    cluster.api.until(cluster.path(primary), ready)

    targets = cluster.pods(found["spec"]["selector"]["matchLabels"])
    primaries = cluster.pods(primary["spec"]["selector"]["matchLabels"])
    assert len(targets) == len(primaries) == 2
    assert not targets & primaries

    live = cluster.api.get(cluster.path(found))
    change = kind.scaled({**found, **live}, 0)
    assert isinstance(change, Edit)
    nothing = cluster.edit(change)
    assert kind.replicas(nothing) == 0
    cluster.api.until(cluster.path(found), ready)
    assert made.snapshot(kind, nothing) == made.snapshot(kind, found)
    deadline = cluster.api.until(cluster.path(found), lambda each: not _pods_of(each))
    assert kind.readiness(deadline, 100, 600_000, 0).ready


@pytest.mark.parametrize(("kind", "target"), [each for each in KINDS if not isinstance(each[0], DaemonSetKind)])
def test_a_baseline_is_taken_strictly_and_its_pods_are_its_own(
    cluster: Cluster, kind: WorkloadKind, target: Any
) -> None:
    found = cluster.make(light(target()))
    primary = cluster.apply(made.primary(kind, found))
    primary |= {key: found[key] for key in ("apiVersion", "kind")}

    def wanted(replicas: int) -> Manifest:
        return baseline(found, primary, kind.label(found), replicas=replicas, run=1)

    first, again = cluster.apply(wanted(1)), cluster.apply(wanted(1))
    assert again["metadata"]["generation"] == first["metadata"]["generation"] == 1
    cluster.api.until(cluster.path(wanted(1)), lambda each: kind.readiness(each, 100, 600_000, 0).ready)
    (own,) = cluster.pods(first["spec"]["selector"]["matchLabels"])
    assert own not in cluster.pods(primary["spec"]["selector"]["matchLabels"])
    assert own not in cluster.pods(found["spec"]["selector"]["matchLabels"])


def _pods_of(workload: Manifest) -> int:
    status = workload["status"]
    return int(status.get("replicas") or status.get("currentNumberScheduled") or 0)


def test_a_promotion_rolls_the_pods_even_if_only_a_config_changed(cluster: Cluster) -> None:
    kind, found = DeploymentKind(), cluster.make(light(made.deployment()))
    first = cluster.apply(made.primary(kind, found, configs={"configmap/settings": "1"}))

    second = cluster.apply(made.primary(kind, found, configs={"configmap/settings": "2"}, existing=first))

    assert second["metadata"]["generation"] == 2
    assert first["metadata"]["annotations"][REVISION] != second["metadata"]["annotations"][REVISION]
    done = cluster.api.until(cluster.path(second), lambda each: kind.readiness(each, 100, 600_000, 0).ready)
    assert done["status"]["observedGeneration"] == 2


def test_replicas_that_were_applied_do_not_fall_back_when_an_autoscaler_takes_over(cluster: Cluster) -> None:
    kind, found = DeploymentKind(), cluster.make(made.deployment())
    policy = made.program(scaler=Scaler(WorkloadRef("HorizontalPodAutoscaler", "web")))
    first = cluster.apply(made.primary(kind, found, replicas=5))

    left = cluster.apply(made.primary(kind, found, replicas=None, policy=policy, existing=first))
    scaled = cluster.api.merge(f"{cluster.path(left)}?fieldManager=autoscaler", {"spec": {"replicas": 7}})
    later = cluster.apply(made.primary(kind, found, replicas=None, policy=policy, existing=scaled))

    assert [each["spec"]["replicas"] for each in (first, left, scaled, later)] == [5, 5, 7, 7]


def test_a_template_that_names_things_twice_is_taken(cluster: Cluster) -> None:
    target = made.deployment()
    spec = target["spec"]["template"]["spec"]
    spec["containers"][0]["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    spec["imagePullSecrets"] = [{"name": "pull"}, {"name": "pull"}]
    spec["hostAliases"] = [{"ip": "10.0.0.1", "hostnames": ["a"]}, {"ip": "10.0.0.1", "hostnames": ["b"]}]

    applied = cluster.apply(made.primary(DeploymentKind(), cluster.make(target)))

    assert applied["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "2"}]


def test_configs_are_copied_and_the_copies_can_be_changed(cluster: Cluster) -> None:
    source = cluster.make(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "data": {"a": "YQ=="}, "immutable": True}
    )
    binary = cluster.make(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}, "binaryData": {"b": "YQ=="}}
    )

    copied = cluster.apply(configs.copy(source, "tls-primary"))
    changed = cluster.apply(configs.copy({**source, "data": {"a": "Yg=="}}, "tls-primary"))

    assert (copied["data"], changed["data"], copied["type"]) == ({"a": "YQ=="}, {"a": "Yg=="}, "Opaque")
    assert cluster.apply(configs.copy(binary, "more-primary"))["binaryData"] == {"b": "YQ=="}


@pytest.mark.parametrize("headless", [False, True])
def test_services_are_taken_and_a_users_own_apex_comes_back_as_it_was(cluster: Cluster, headless: bool) -> None:
    target = cluster.make(made.statefulset("web"))
    policy = made.program("StatefulSet", namespace=cluster.namespace, service=Service("web", 80, port_discovery=True))
    shape = {"clusterIP": "None"} if headless else {"type": "NodePort"}
    ports = [{"name": "web", "port": 80, "targetPort": "http"}, {"name": "admin", "port": 81}]
    users = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    users |= {"spec": {"selector": {"app": "web", "tier": "front"}, "ports": ports, **shape}}
    before = cluster.make(users)

    def pass_(leads: Leads) -> int:
        live = cluster.api.get(f"/api/v1/namespaces/{cluster.namespace}/services")["items"]
        known = {ref_of(each): each for each in [{"apiVersion": "v1", "kind": "Service", **one} for one in live]}
        existing = {ref: known[ref] for ref in service_refs(policy, target) if ref in known}
        moved = 0
        for change in services(policy, "app", "web", target, existing, leads=leads):
            if isinstance(change, Apply):
                labelled = change.manifest["metadata"]["labels"] | {"app.kubernetes.io/managed-by": "rollway"}
                manifest = {**change.manifest, "metadata": {**change.manifest["metadata"], "labels": labelled}}
                was = existing.get(ref_of(manifest), {}).get("metadata", {}).get("resourceVersion")
                moved += cluster.apply(manifest)["metadata"]["resourceVersion"] != was
            elif isinstance(change, Edit):
                cluster.edit(change)
                moved += 1
        return moved

    assert pass_(Leads.TARGET) == 4  # primary, canary and governing Service, and the discovered ports of the apex
    assert pass_(Leads.TARGET) == 0
    assert pass_(Leads.PRIMARY) == 1
    assert pass_(Leads.PRIMARY) == 0
    live = cluster.api.get(cluster.path(before))
    assert live["spec"]["selector"] == {"app": "web-primary", "tier": "front"}
    assert [each.get("nodePort") for each in live["spec"]["ports"]][:2] == _node_ports(before)

    (released,) = release_services(
        policy, "app", "web", target, {ref_of(before): {"apiVersion": "v1", "kind": "Service", **live}}
    )
    assert isinstance(released, Edit)
    after = cluster.edit(released)

    assert after["spec"] == before["spec"]
    assert "rollway.dev/original" not in (after["metadata"].get("annotations") or {})


def _node_ports(service: Manifest) -> list[int | None]:
    return [each.get("nodePort") for each in service["spec"]["ports"]]


def test_an_hpa_for_the_primary_is_taken_strictly_and_twice_changes_nothing(cluster: Cluster) -> None:
    policy = made.program(scaler=Scaler(WorkloadRef("HorizontalPodAutoscaler", "web"), 3, 9))
    source = cluster.make(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "maxReplicas": 5,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                    }
                ],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
            },
        }
    )

    first = cluster.apply(scalers.primary_scaler(policy, source))
    again = cluster.apply(scalers.primary_scaler(policy, source))

    assert (first["spec"]["minReplicas"], first["spec"]["maxReplicas"]) == (3, 9)
    assert first["spec"] == again["spec"]
    assert first["metadata"]["managedFields"] == again["metadata"]["managedFields"]
