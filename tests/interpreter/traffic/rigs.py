"""The set-ups in which traffic providers are tested: a provider, its options, and what a user has there already.

A new provider adds its rigs to `RIGS`, and is then put through every situation by `test_contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dsl.capabilities import PROVIDERS, Capability
from dsl.ir import Program, Service, Traffic, WorkloadRef
from interpreter.objects import Manifest
from interpreter.traffic.provider import Site, TrafficProvider
from interpreter.traffic.registry import provider

FEW = ("start", "weight-12.5", "everything", "rollback", "weight-100", "rollback-of-weights")
"""The situations that a rig which is a variant has golden manifests for."""


@dataclass(frozen=True)
class Rig:
    """`given` are objects that are there before. `row` is what the linter allows here. `definitions` are the folders of
    CustomResourceDefinitions that it needs. `goldens` None means a golden file for each situation. `restores` is false
    where another part puts things back."""

    site: Site
    row: Capability
    given: tuple[Manifest, ...] = ()
    definitions: tuple[str, ...] = ()
    goldens: tuple[str, ...] | None = None
    restores: bool = True

    @property
    def provider(self) -> TrafficProvider:
        return provider(self.site.program.traffic.provider)


def site(
    namespace: str,
    traffic: str,
    options: Mapping[str, Any] | None = None,
    *,
    app_protocol: str | None = None,
    ports: tuple[tuple[str, int], ...] = (),
    session: str = "7f3c9a12",
) -> Site:
    """The rollout `podinfo`, whose Service has the port 9898."""
    program = Program(
        name="podinfo",
        namespace=namespace,
        target=WorkloadRef("Deployment", "podinfo"),
        traffic=Traffic(traffic, options or {}),
        service=Service("podinfo", 9898, app_protocol=app_protocol),
        code=(),
    )
    return Site(
        program,
        "podinfo",
        "podinfo-primary",
        "podinfo-canary",
        9898,
        ports=ports,
        session=session,
        label="app",
        workload="podinfo",
    )


def manifest(namespace: str, api_version: str, kind: str, name: str, spec: Mapping[str, Any], **more: Any) -> Manifest:
    """An object of a user's; `more` goes into its metadata."""
    metadata = {"name": name, "namespace": namespace, **more}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


# --- Istio ----------------------------------------------------------------------------------------------------------

ISTIO_OPTIONS: Mapping[str, Any] = {
    "hosts": ["shop.example.com"],
    "gateways": ["istio-system/public", "mesh"],
    "match": [
        {"uri": {"prefix": "/api"}, "headers": {"x-tenant": {"regex": "[a-z]+"}}},
        {"method": {"exact": "POST"}, "ignoreUriCase": True},
    ],
    "rewrite": {"uri": "/", "authority": "backend"},
    "timeout": "15s",
    "retries": {"attempts": 3, "per_try_timeout": "1s500ms", "retry_on": "gateway-error"},
    "cors": {
        "allow_origins": ["https://example.com", {"regex": "https://.*"}],
        "allow_methods": ["GET"],
        "allow_headers": ["x-one"],
        "expose_headers": ["x-two"],
        "allow_credentials": False,
        "max_age": "1d",
    },
    "headers": {"request": {"add": {"x-a": "1"}}, "response": {"remove": ["x-b"], "set": {"x-c": "3"}}},
    "traffic_policy": {"loadBalancer": {"simple": "LEAST_REQUEST"}, "tls": {"mode": "ISTIO_MUTUAL"}},
}

_TCP_ROW = Capability("tcp through Istio")

_USERS_ROUTE: Mapping[str, Any] = {
    "hosts": ["shop.example.com"],
    "gateways": ["istio-system/public"],
    "exportTo": ["."],
    "http": [
        {"name": "health", "match": [{"uri": {"exact": "/healthz"}}], "directResponse": {"status": 200}},
        {
            "name": "shop",
            "match": [{"uri": {"prefix": "/shop"}}],
            "timeout": "7s",
            "fault": {"delay": {"fixedDelay": "5ms", "percentage": {"value": 0.1}}},
            "route": [
                {
                    "destination": {"host": "podinfo.{namespace}.svc.cluster.local", "port": {"number": 9898}},
                    "headers": {"response": {"set": {"x-served-by": "shop"}}},
                }
            ],
        },
        {
            "route": [
                {"destination": {"host": "elsewhere"}, "weight": 30},
                {"destination": {"host": "there"}, "weight": 70},
            ]
        },
    ],
    "tls": [{"match": [{"sniHosts": ["raw.example.com"]}], "route": [{"destination": {"host": "elsewhere"}}]}],
}

_ISTIO = "networking.istio.io/v1"


def _istio(namespace: str) -> Rig:
    return Rig(site(namespace, "istio"), PROVIDERS["istio"], definitions=("istio",))


def _istio_options(namespace: str) -> Rig:
    place = site(namespace, "istio", ISTIO_OPTIONS, ports=(("metrics", 9797),))
    return Rig(place, PROVIDERS["istio"], definitions=("istio",), goldens=FEW)


def _istio_delegate(namespace: str) -> Rig:
    place = site(namespace, "istio", {"delegation": True}, ports=(("metrics", 9797),))
    return Rig(place, PROVIDERS["istio"], definitions=("istio",), goldens=FEW)


def _istio_taken_over(namespace: str) -> Rig:
    users = manifest(
        namespace,
        _ISTIO,
        "VirtualService",
        "podinfo",
        {"hosts": ["podinfo"], "http": [{"timeout": "3s", "route": [{"destination": {"host": "podinfo"}}]}]},
        labels={"team": "shop"},
        annotations={"example.com/note": "mine"},
    )
    rule = manifest(
        namespace, _ISTIO, "DestinationRule", "podinfo-canary", {"host": "podinfo-canary", "exportTo": ["."]}
    )
    return Rig(site(namespace, "istio"), PROVIDERS["istio"], (users, rule), ("istio",), FEW)


def _istio_users_route(namespace: str) -> Rig:
    users = manifest(namespace, _ISTIO, "VirtualService", "shop", _named(_USERS_ROUTE, namespace))
    place = site(namespace, "istio", {"route": "shop", "rule": "shop"})
    return Rig(place, PROVIDERS["istio"], (users,), ("istio",), FEW)


def _istio_tcp(namespace: str) -> Rig:
    place = site(namespace, "istio", {"gateways": ["istio-system/public"]}, app_protocol="tcp")
    return Rig(place, _TCP_ROW, definitions=("istio",), goldens=FEW)


def _istio_tcp_users_route(namespace: str) -> Rig:
    spec = {
        "hosts": ["redis.example.com"],
        "tcp": [
            {"match": [{"port": 6379}], "route": [{"destination": {"host": "podinfo"}, "weight": 100}]},
            {"match": [{"port": 6380}], "route": [{"destination": {"host": "elsewhere"}}]},
        ],
    }
    users = manifest(namespace, _ISTIO, "VirtualService", "redis", spec)
    place = site(namespace, "istio", {"route": "redis"}, app_protocol="tcp")
    return Rig(place, _TCP_ROW, (users,), ("istio",), FEW)


def _named(value: Any, namespace: str) -> Any:
    match value:
        case str():
            return value.replace("{namespace}", namespace)
        case Mapping():
            return {key: _named(item, namespace) for key, item in value.items()}
        case list():
            return [_named(item, namespace) for item in value]
        case _:
            return value


# --- plain Services -------------------------------------------------------------------------------------------------


def _kubernetes(namespace: str) -> Rig:
    spec = {
        "type": "ClusterIP",
        "selector": {"app": "podinfo-primary", "tier": "web"},
        "ports": [{"name": "http", "port": 9898, "targetPort": "http", "protocol": "TCP"}],
    }
    apex = manifest(namespace, "v1", "Service", "podinfo", spec)
    return Rig(site(namespace, "kubernetes"), PROVIDERS["kubernetes"], (apex,), restores=False)


RIGS: Mapping[str, Callable[[str], Rig]] = {
    "istio": _istio,
    "istio-options": _istio_options,
    "istio-delegate": _istio_delegate,
    "istio-taken-over": _istio_taken_over,
    "istio-users-route": _istio_users_route,
    "istio-tcp": _istio_tcp,
    "istio-tcp-users-route": _istio_tcp_users_route,
    "kubernetes": _kubernetes,
}
"""By name, for a namespace. The first part of a name is the provider's."""
