"""The set-ups in which App Mesh is tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dsl.capabilities import PROVIDERS, Capability
from tests.interpreter.traffic import rigs as common

if TYPE_CHECKING:
    from tests.interpreter.traffic.rigs import Rig

OPTIONS: Mapping[str, Any] = {
    "hosts": ["shop.example.com", "www.example.com"],
    "match": [
        {"uri": {"prefix": "/api"}, "headers": {"x-tenant": {"regex": "[a-z]+"}, "x-zone": {"suffix": "eu"}}},
        {"uri": {"exact": "/v1"}, "method": {"exact": "POST"}, "queryParams": {"debug": {"exact": "1"}}},
    ],
    "timeout": "35s",
    "retries": {"attempts": 3, "per_try_timeout": "5s", "retry_on": "gateway-error,stream-error,connection-error"},
    "backends": ["backend", "tools/audit", "arn:aws:appmesh:eu-west-1:1:mesh/m/virtualService/s"],
}

_TCP_ROW = Capability("tcp through App Mesh", granularity=1, baseline=True)
_GRPC_ROW = PROVIDERS["appmesh"]._replace(query=frozenset())
_API = "appmesh.k8s.aws/v1beta2"


def _appmesh(namespace: str) -> Rig:
    return common.Rig(common.site(namespace, "appmesh"), PROVIDERS["appmesh"], definitions=("appmesh",))


def _options(namespace: str) -> Rig:
    place = common.site(namespace, "appmesh", OPTIONS, app_protocol="http2")
    program = replace(place.program, service=replace(place.program.service, target_port=8080))
    return common.Rig(
        replace(place, program=program), PROVIDERS["appmesh"], definitions=("appmesh",), goldens=common.FEW
    )


def _grpc(namespace: str) -> Rig:
    match = [{"uri": {"exact": "/shop.Cart/Add"}, "headers": {"x-tenant": {"exact": "a"}}}]
    options = {"match": match, "retries": {"retry_on": "unavailable,5xx"}}
    place = common.site(namespace, "appmesh", options, app_protocol="grpc")
    return common.Rig(place, _GRPC_ROW, definitions=("appmesh",), goldens=common.FEW)


def _tcp(namespace: str) -> Rig:
    place = common.site(namespace, "appmesh", {"timeout": "1h"}, app_protocol="tcp")
    return common.Rig(place, _TCP_ROW, definitions=("appmesh",), goldens=common.FEW)


def _taken_over(namespace: str) -> Rig:
    """With what AWS' controller writes into objects."""
    mesh = {"name": "global", "uid": "7f3c9a12"}
    provider = {"virtualNode": {"virtualNodeRef": {"name": "podinfo"}}}
    service = common.manifest(
        namespace,
        _API,
        "VirtualService",
        "podinfo",
        {"awsName": f"podinfo.{namespace}", "meshRef": mesh, "provider": provider},
        annotations={"example.com/note": "mine"},
    )
    target = {"virtualNodeRef": {"name": "elsewhere"}, "weight": 1}
    router = common.manifest(
        namespace,
        _API,
        "VirtualRouter",
        "podinfo",
        {
            "awsName": f"podinfo_{namespace}",
            "meshRef": mesh,
            "listeners": [{"portMapping": {"port": 80, "protocol": "http"}}],
            "routes": [
                {"name": "all", "httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [target]}}}
            ],
        },
    )
    place = common.site(namespace, "appmesh")
    return common.Rig(place, PROVIDERS["appmesh"], (service, router), ("appmesh",), common.FEW)


def _baselined(make: Callable[[str], Rig]) -> Callable[[str], Rig]:
    return lambda namespace: common.with_baseline(make(namespace))


RIGS: Mapping[str, Callable[[str], Rig]] = {
    "appmesh": _appmesh,
    "appmesh-options": _options,
    "appmesh-grpc": _grpc,
    "appmesh-tcp": _tcp,
    "appmesh-taken-over": _taken_over,
    "appmesh-baseline": _baselined(_appmesh),
}
