"""What a user has in the cluster: an application, and a policy for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.pods import NOT_READY, PORT

NAMESPACE = "shop"
APP = "shop"
HOST = "shop.test"
REPLICAS = 2

POLICY = Path(__file__).with_name("shop.rollout")

Manifest = dict[str, Any]


def deployment(version: str, fails: int = 0) -> Manifest:
    """The application; `fails` percent of the requests to it."""
    environment = [{"name": "VERSION", "value": version}, {"name": "FAILS", "value": str(fails)}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": APP, "namespace": NAMESPACE},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": {"app": APP}},
            "template": {
                "metadata": {
                    "labels": {"app": APP},
                    # What the stand-ins for pods want: see pods.py.
                    "annotations": {NOT_READY: "NotReady", "kwok.test/gone-after": "3s"},
                },
                "spec": {
                    "containers": [
                        {
                            "name": "app",
                            "image": f"{APP}:{version}",
                            "env": environment,
                            "ports": [{"containerPort": PORT}],
                        }
                    ]
                },
            },
        },
    }


def entrance() -> tuple[Manifest, Manifest]:
    """The Service and the Ingress of the application, as they are before anybody speaks of canaries."""
    port = {"port": 80, "targetPort": PORT}
    backend = {"service": {"name": APP, "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return (
        _object("v1", "Service", {"selector": {"app": APP}, "ports": [port]}),
        _object("networking.k8s.io/v1", "Ingress", {"rules": [{"host": HOST, "http": {"paths": [path]}}]}),
    )


def rollout() -> Manifest:
    """The policy, as an object of the cluster."""
    return _object("rollway.dev/v1alpha1", "Rollout", {"source": POLICY.read_text()})


def _object(version: str, kind: str, spec: Manifest) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": APP, "namespace": NAMESPACE}, "spec": spec}
