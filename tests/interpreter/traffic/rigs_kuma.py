"""Set-ups with Kuma."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dsl.capabilities import PROVIDERS, VARIANTS
from interpreter.objects import Manifest
from tests.interpreter.traffic import rigs

V1 = "kuma.io/v1alpha1"
ROW = PROVIDERS["kuma"]
OLD_ROW = VARIANTS["kuma", "TrafficRoute"]

_OPTIONS: Mapping[str, Any] = {
    "match": [
        {"uri": {"prefix": "/api"}, "headers": {"X-Tenant": {"regex": "^[a-z]+$"}}},
        {"uri": {"exact": "/v1"}, "method": {"exact": "POST"}},
    ],
    "rewrite": {"uri": "/new", "authority": "backend.example.com"},
    "headers": {"request": {"add": {"X-A": "1"}}, "response": {"remove": ["x-b"], "set": {"X-C": "3"}}},
}


def mesh(name: str, mode: str = "Exclusive") -> Manifest:
    """Meshes have no namespace; each rig has one of its own."""
    return {
        "apiVersion": V1,
        "kind": "Mesh",
        "metadata": {"name": name},
        "spec": {"meshServices": {"mode": mode}} if mode else {},
    }


def _kuma(namespace: str) -> rigs.Rig:
    place = rigs.site(namespace, "kuma", {"mesh": f"mesh-of-{namespace}"})
    return rigs.Rig(place, ROW, (mesh(f"mesh-of-{namespace}"),), ("kuma",), edits=False)


def _options(namespace: str) -> rigs.Rig:
    place = rigs.site(namespace, "kuma", {"mesh": f"mesh-of-{namespace}", **_OPTIONS})
    return rigs.Rig(place, ROW, (mesh(f"mesh-of-{namespace}"),), ("kuma",), rigs.FEW, edits=False)


def _taken_over(namespace: str) -> rigs.Rig:
    """A route of the user's has our name."""
    backend = {"kind": "MeshService", "name": "podinfo", "namespace": namespace, "port": 9898, "weight": 1}
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "default": {"backendRefs": [backend]}}
    target = {"kind": "MeshService", "name": "podinfo", "namespace": namespace}
    users = rigs.manifest(
        namespace,
        V1,
        "MeshHTTPRoute",
        "podinfo",
        {"targetRef": {"kind": "Mesh"}, "to": [{"targetRef": target, "rules": [rule]}]},
        labels={"team": "shop"},
    )
    place = rigs.site(namespace, "kuma", {"mesh": f"mesh-of-{namespace}"})
    return rigs.Rig(place, ROW, (mesh(f"mesh-of-{namespace}"), users), ("kuma",), rigs.FEW)


def _traffic_route(namespace: str) -> rigs.Rig:
    place = rigs.site(namespace, "kuma", {"mesh": f"mesh-of-{namespace}", "api": "TrafficRoute"})
    return rigs.Rig(place, OLD_ROW, (mesh(f"mesh-of-{namespace}", ""),), ("kuma",), edits=False)


RIGS: Mapping[str, Callable[[str], rigs.Rig]] = {
    "kuma": _kuma,
    "kuma-options": _options,
    "kuma-taken-over": _taken_over,
    "kuma-traffic-route": _traffic_route,
    "kuma-baseline": lambda namespace: rigs.with_baseline(_kuma(namespace)),
    "kuma-baseline-traffic-route": lambda namespace: rigs.with_baseline(_traffic_route(namespace)),
}
