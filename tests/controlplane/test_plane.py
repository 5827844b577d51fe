"""The control plane of the tests is a real one: what the interpreter's tests lean on is seen here to hold."""

from __future__ import annotations

import json

import pytest

from tests.controlplane.api import Api, ApiError, Json
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.definitions import documents, reference

LABELS = {"app": "app"}
PODS = "pods?labelSelector=app%3Dapp"
PATH_OF_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def template(**annotations: str) -> Json:
    containers = [{"name": "main", "image": "example/app:1", "ports": [{"containerPort": 8080}]}]
    return {"metadata": {"labels": LABELS, "annotations": annotations}, "spec": {"containers": containers}}


def workload(kind: str, replicas: int | None, pod: Json, **spec: object) -> Json:
    count = {} if replicas is None else {"replicas": replicas}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "app"},
        "spec": {"selector": {"matchLabels": LABELS}, "template": pod, **count, **spec},
    }


def deployed(control_plane: ControlPlane, namespace: str, replicas: int = 2, **annotations: str) -> str:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/app"
    control_plane.api.apply(path, workload("Deployment", replicas, template(**annotations)))
    return path


def available(seen: Json) -> bool:
    return bool(seen["status"].get("availableReplicas") == seen["spec"]["replicas"])


@pytest.mark.parametrize(
    ("kind", "replicas", "extra", "ready"),
    [
        ("Deployment", 2, {}, "availableReplicas"),
        ("StatefulSet", 2, {"serviceName": "app"}, "availableReplicas"),
        ("DaemonSet", None, {}, "numberAvailable"),
    ],
)
def test_workloads_become_available(
    control_plane: ControlPlane, namespace: str, kind: str, replicas: int | None, extra: Json, ready: str
) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s/app"
    control_plane.api.apply(path, workload(kind, replicas, template(), **extra))
    control_plane.api.until(path, lambda seen: seen["status"].get(ready) == 2)


def test_a_service_gets_the_addresses_of_ready_pods(control_plane: ControlPlane, namespace: str) -> None:
    inside = f"/api/v1/namespaces/{namespace}"
    service = {"selector": LABELS, "ports": [{"port": 80, "targetPort": 8080}]}
    control_plane.api.apply(
        f"{inside}/services/app",
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"}, "spec": service},
    )
    control_plane.api.until(deployed(control_plane, namespace), available)
    pods = {pod["status"]["podIP"] for pod in control_plane.api.get(f"{inside}/{PODS}")["items"]}
    assert len(pods) == 2

    def ready(seen: Json) -> set[str]:
        endpoints = [each for item in seen["items"] for each in item["endpoints"] if each["conditions"]["ready"]]
        return {each["addresses"][0] for each in endpoints}

    slices = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    control_plane.api.until(slices, lambda seen: ready(seen) == pods)


def test_what_is_owned_goes_with_its_owner(control_plane: ControlPlane, namespace: str) -> None:
    path = deployed(control_plane, namespace)
    control_plane.api.until(path, available)
    control_plane.api.delete(path)
    control_plane.api.until(f"/apis/apps/v1/namespaces/{namespace}/replicasets", lambda seen: not seen["items"])
    control_plane.api.until(f"/api/v1/namespaces/{namespace}/pods", lambda seen: not seen["items"])


def states(pods: Json) -> list[tuple[str, str, str]]:
    """Phase, why the container waits, and how it ended before."""
    return [
        (
            pod["status"]["phase"],
            status["state"].get("waiting", {}).get("reason", ""),
            status["lastState"].get("terminated", {}).get("reason", ""),
        )
        for pod in pods["items"]
        for status in pod["status"].get("containerStatuses", ())
    ]


@pytest.mark.parametrize(
    ("fails", "seen_as"),
    [
        ("ImagePullBackOff", ("Pending", "ImagePullBackOff", "")),
        ("CrashLoopBackOff", ("Running", "CrashLoopBackOff", "Error")),
        ("OOMKilled", ("Running", "CrashLoopBackOff", "OOMKilled")),
        ("NotReady", ("Running", "", "")),
    ],
)
def test_a_pod_fails_as_it_is_told_to_and_recovers(
    control_plane: ControlPlane, namespace: str, fails: str, seen_as: tuple[str, str, str]
) -> None:
    control_plane.need_played_pods()
    path = deployed(control_plane, namespace, replicas=1, **{"kwok.test/fail": fails})
    pods = f"/api/v1/namespaces/{namespace}/pods"
    failing = control_plane.api.until(pods, lambda seen: states(seen) == [seen_as])
    assert control_plane.api.get(path)["status"]["unavailableReplicas"] == 1
    name = failing["items"][0]["metadata"]["name"]
    control_plane.api.merge(f"{pods}/{name}", {"metadata": {"annotations": {"kwok.test/fail": None}}})
    control_plane.api.until(path, available)
    control_plane.api.merge(f"{pods}/{name}", {"metadata": {"annotations": {"kwok.test/fail": fails}}})
    control_plane.api.until(path, lambda seen: seen["status"].get("unavailableReplicas") == 1)
    control_plane.api.until(f"{pods}/{name}", lambda seen: states({"items": [seen]}) == [seen_as])


def test_a_pod_that_has_failed_is_replaced(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.need_played_pods()
    path = deployed(control_plane, namespace, replicas=1)
    control_plane.api.until(path, available)
    pods = f"/api/v1/namespaces/{namespace}/pods"
    first = control_plane.api.get(pods)["items"][0]["metadata"]["name"]
    control_plane.api.merge(f"{pods}/{first}", {"metadata": {"annotations": {"kwok.test/fail": "Failed"}}})
    control_plane.api.until(f"{pods}/{first}", lambda seen: seen["status"]["phase"] == "Failed")
    control_plane.api.until(pods, lambda seen: sorted(phase for phase, _, _ in states(seen)) == ["Failed", "Running"])


def test_a_pod_is_ready_only_after_the_time_that_it_asks_for(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.need_played_pods()
    path = deployed(control_plane, namespace, replicas=1, **{"kwok.test/ready-after": "1h"})
    pods = f"/api/v1/namespaces/{namespace}/pods"
    control_plane.api.until(pods, lambda seen: any(pod["spec"].get("nodeName") for pod in seen["items"]))
    deployed(control_plane, namespace, replicas=1, **{"kwok.test/ready-after": "100ms"})
    seen = control_plane.api.until(path, lambda seen: seen["status"].get("updatedReplicas") == 1 and available(seen))
    assert seen["status"]["observedGeneration"] == 2


def test_a_pod_that_asks_for_too_much_is_unschedulable(control_plane: ControlPlane, namespace: str) -> None:
    pod = template()
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100k"}}
    control_plane.api.apply(f"/apis/apps/v1/namespaces/{namespace}/deployments/app", workload("Deployment", 1, pod))

    def reasons(seen: Json) -> list[str]:
        return [each.get("reason") for pod in seen["items"] for each in pod["status"].get("conditions", ())]

    control_plane.api.until(f"/api/v1/namespaces/{namespace}/pods", lambda seen: reasons(seen) == ["Unschedulable"])


@pytest.mark.parametrize(("annotations", "condition"), [({}, "Complete"), ({"kwok.test/fail": "Failed"}, "Failed")])
def test_a_job_ends(control_plane: ControlPlane, namespace: str, annotations: dict[str, str], condition: str) -> None:
    control_plane.need_played_pods()
    pod = template(**annotations)
    pod["spec"]["restartPolicy"] = "Never"
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/app"
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "app"}}
    control_plane.api.apply(path, {**job, "spec": {"backoffLimit": 0, "template": pod}})
    control_plane.api.until(
        path, lambda seen: condition in {each["type"] for each in seen["status"].get("conditions", ())}
    )


def test_an_account_may_do_what_its_rules_say_and_nothing_else(control_plane: ControlPlane, namespace: str) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    kubeconfig = control_plane.as_service_account(namespace, "reader", rules)
    with Api(kubeconfig) as reader:
        assert reader.get(f"/api/v1/namespaces/{namespace}/configmaps")["kind"] == "ConfigMapList"
        for refused in ("/api/v1/namespaces/default/configmaps", f"/api/v1/namespaces/{namespace}/secrets"):
            with pytest.raises(ApiError) as caught:
                reader.get(refused)
            assert caught.value.status == 403
        everywhere = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
        control_plane.as_service_account(namespace, "reader", rules, everywhere)
        control_plane.api.until(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{namespace}-reader", bool)
        assert json.loads(control_plane.kubectl("get", "nodes", "-ojson", kubeconfig=kubeconfig).stdout)["items"]


def test_requests_are_counted(control_plane: ControlPlane, namespace: str) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
    kubeconfig = control_plane.as_service_account(namespace, "counter", rules)
    user = f"system:serviceaccount:{namespace}:counter"
    with Api(kubeconfig) as counter:
        counter.get(f"/api/v1/namespaces/{namespace}/configmaps")
        mark = control_plane.mark()
        counter.get(f"/api/v1/namespaces/{namespace}/configmaps")
        with pytest.raises(ApiError):
            counter.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "x"}})
        found = control_plane.requests(mark, user=user)
    assert [(each.verb, each.resource, each.namespace, each.status) for each in found] == [
        ("list", "configmaps", namespace, 200),
        ("create", "configmaps", namespace, 403),
    ]
    assert control_plane.requests(control_plane.mark()) == []


def test_definitions_are_installed_once_and_served_at_once(control_plane: ControlPlane, namespace: str) -> None:
    names = control_plane.install_crds("flagger")
    assert set(names) == {"alertproviders.flagger.app", "canaries.flagger.app", "metrictemplates.flagger.app"}
    canaries = f"/apis/flagger.app/v1beta1/namespaces/{namespace}/canaries"
    assert control_plane.api.get(canaries)["items"] == []
    before = [control_plane.api.get(f"{PATH_OF_CRDS}/{name}")["metadata"]["resourceVersion"] for name in names]
    assert control_plane.install_crds("flagger") == names
    assert [control_plane.api.get(f"{PATH_OF_CRDS}/{name}")["metadata"]["resourceVersion"] for name in names] == before
    with pytest.raises(ValueError, match="there are no definitions called nobody"):
        control_plane.install_crds("nobody")


@pytest.mark.timeout(900)
def test_every_definition_of_the_reference_can_be_installed(bare_api_server: ControlPlane) -> None:
    """Some are the same thing in another version: those only when the first is gone."""
    folder = reference() / "crds"
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.yaml"))
    names = {file: [document["metadata"]["name"] for document in documents(file)] for file in files}
    assert len(files) > 50
    installed: set[str] = set()
    for file in files:
        if taken := installed & set(names[file]):
            with pytest.raises(ValueError, match=r"another .* is installed"):
                bare_api_server.install_crds(file)
            bare_api_server.remove_crds(*taken)
        assert list(bare_api_server.install_crds(file)) == names[file]
        installed |= set(names[file])
