"""The set-ups for Linkerd, in each form of its routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dsl.capabilities import row_of
from tests.interpreter.traffic import rigs as common
from tests.interpreter.traffic.rigs_smi import SERVED

if TYPE_CHECKING:
    from tests.interpreter.traffic.rigs import Rig

_POLICY = "policy.linkerd.io/v1beta3"
_ANY_PATH = [{"path": {"type": "PathPrefix", "value": "/"}}]

LINKERD_OPTIONS: Mapping[str, Any] = {
    "hosts": ["podinfo.test.svc.cluster.local", "podinfo"],
    "match": [
        {"uri": {"prefix": "/api"}, "headers": {"x-tenant": {"regex": "^[a-z]+$"}}},
        {"uri": {"exact": "/v1"}, "method": {"exact": "POST"}},
    ],
    "timeout": "15s",
    "retries": {"attempts": 3, "per_try_timeout": "400ms", "retry_on": "5xx, 429"},
    "headers": {"request": {"add": {"x-a": "1"}}, "response": {"remove": ["x-b"], "set": {"x-c": "3"}}},
}


def _rig(namespace: str, options: Mapping[str, Any], **more: Any) -> Rig:
    row = row_of("linkerd", options)
    assert row is not None
    more.setdefault("definitions", ("linkerd",))
    return common.Rig(common.site(namespace, "linkerd", options), row, **more)


def _backend(name: str, weight: int = 1) -> dict[str, Any]:
    return {"group": "", "kind": "Service", "name": name, "port": 9898, "weight": weight}


def _parent(group: str) -> dict[str, Any]:
    return {"group": group, "kind": "Service", "name": "podinfo", "port": 9898}


def _linkerd(namespace: str) -> Rig:
    return _rig(namespace, {})


def _linkerd_options(namespace: str) -> Rig:
    return _rig(namespace, {**LINKERD_OPTIONS, "api": "v1beta3"}, goldens=common.FEW)


def _linkerd_v1beta2(namespace: str) -> Rig:
    return _rig(namespace, {"api": "v1beta2"}, goldens=common.FEW)


def _linkerd_gateway(namespace: str) -> Rig:
    options = {**LINKERD_OPTIONS, "api": "v1"}
    return _rig(namespace, options, definitions=("gateway-api",), goldens=common.FEW)


def _linkerd_taken_over(namespace: str) -> Rig:
    spec = {"parentRefs": [_parent("core")], "rules": [{"matches": _ANY_PATH, "backendRefs": [_backend("podinfo")]}]}
    users = common.manifest(
        namespace, _POLICY, "HTTPRoute", "podinfo", spec, annotations={"timeout.linkerd.io/idle": "10s"}
    )
    return _rig(namespace, {"retries": {"attempts": 2}}, given=(users,), goldens=common.FEW)


def _linkerd_users_route(namespace: str) -> Rig:
    spec = {
        "parentRefs": [_parent("core")],
        "rules": [
            {
                "matches": [{"path": {"type": "Exact", "value": "/healthz"}}],
                "backendRefs": [_backend("health")],
            },
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/shop"}}],
                "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-internal"]}}],
                "timeouts": {"request": "7s"},
                "backendRefs": [_backend("podinfo", 3), _backend("elsewhere")],
            },
        ],
    }
    users = common.manifest(namespace, _POLICY, "HTTPRoute", "shop", spec)
    return _rig(namespace, {"route": "shop"}, given=(users,), goldens=common.FEW)


def _linkerd_smi(namespace: str) -> Rig:
    return _rig(namespace, {"api": "smi"}, definitions=SERVED["v1alpha1"], goldens=common.FEW)


LINKERD_RIGS: Mapping[str, Callable[[str], Rig]] = {
    "linkerd": _linkerd,
    "linkerd-options": _linkerd_options,
    "linkerd-v1beta2": _linkerd_v1beta2,
    "linkerd-gateway": _linkerd_gateway,
    "linkerd-taken-over": _linkerd_taken_over,
    "linkerd-users-route": _linkerd_users_route,
    "linkerd-smi": _linkerd_smi,
    "linkerd-baseline": lambda namespace: common.with_baseline(_linkerd(namespace)),
    "linkerd-baseline-users-route": lambda namespace: common.with_baseline(_linkerd_users_route(namespace)),
}
