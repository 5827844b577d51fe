"""The set-ups of HAProxy's Ingress controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dsl.capabilities import PROVIDERS
from interpreter.objects import Manifest
from tests.interpreter.traffic import rigs as common

if TYPE_CHECKING:
    from tests.interpreter.traffic.rigs import Rig

_INGRESS = "networking.k8s.io/v1"


def _path(service: str, path: str, how: str = "Prefix") -> dict[str, Any]:
    return {"path": path, "pathType": how, "backend": {"service": {"name": service, "port": {"number": 9898}}}}


def canary(namespace: str) -> Manifest:
    """As the Services of the arms are made."""
    spec = {
        "selector": {"app": "podinfo"},
        "ports": [{"name": "http", "port": 9898, "targetPort": "http", "protocol": "TCP"}],
    }
    return common.manifest(namespace, "v1", "Service", "podinfo-canary", spec)


def _haproxy(namespace: str) -> Rig:
    """Paths to the apex that one of them covers, and a host of another Service."""
    spec = {
        "ingressClassName": "haproxy",
        "tls": [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}],
        "rules": [
            {
                "host": "shop.example.com",
                "http": {"paths": [_path("podinfo", "/api"), _path("podinfo", "/"), _path("podinfo", "/x", "Exact")]},
            },
            {"host": "www.example.com", "http": {"paths": [_path("elsewhere", "/")]}},
        ],
    }
    annotations = {"cert-manager.io/cluster-issuer": "letsencrypt", "haproxy.org/timeout-server": "5s"}
    users = common.manifest(namespace, _INGRESS, "Ingress", "shop", spec, annotations=annotations)
    place = common.site(namespace, "haproxy", {"ingress": "shop"})
    return common.Rig(place, PROVIDERS["haproxy"], (users, canary(namespace)), edits=False)


HAPROXY_RIGS: Mapping[str, Callable[[str], Rig]] = {"haproxy": _haproxy}
