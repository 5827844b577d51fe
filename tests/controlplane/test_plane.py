"""The control plane of the tests is a real one: what the interpreter's tests lean on is seen here to hold."""

from __future__ import annotations

from tests.controlplane.cluster import ControlPlane


def deployment(name: str, replicas: int = 2, **annotations: str) -> dict[str, object]:
    labels = {"app": name}
    pod = {"containers": [{"name": "main", "image": "example/app:1"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod},
        },
    }


def test_a_deployment_becomes_available(control_plane: ControlPlane, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/app"
    control_plane.api.apply(path, deployment("app"))
    control_plane.api.until(path, lambda seen: seen["status"].get("availableReplicas") == 2)


def test_custom_resources_are_served_once_they_are_installed(control_plane: ControlPlane, namespace: str) -> None:
    assert control_plane.install_crds("istio", "flagger", "gateway-api") == control_plane.install_crds(
        "istio", "flagger", "gateway-api"
    )
