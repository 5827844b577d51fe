"""The set-ups in which traffic providers are tested: a provider, its options, and what a user has there already.

A new provider adds its rigs to `RIGS`, and is then put through every situation by `test_contract`.
One that claims `baseline` in `dsl.capabilities` adds one of them once more as `NAME-baseline`, by `_baselined`: every
rig is then held to the rest of what the contract says of baselines as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dsl.capabilities import PROVIDERS, Capability
from dsl.ir import Program, Service, Traffic, WorkloadRef
from interpreter.objects import Manifest
from interpreter.traffic.provider import Site, TrafficProvider
from interpreter.traffic.registry import provider
from tests.interpreter.traffic import rigs_apisix, rigs_appmesh, rigs_gloo, rigs_kuma

FEW = ("start", "weight-12.5", "everything", "rollback", "weight-100", "rollback-of-weights")
"""The situations that a rig which is a variant has golden manifests for."""

WITH_BASELINE = ("weight-12.5", "weight-50", "everything")
"""And one with a baseline."""


@dataclass(frozen=True)
class Rig:
    """`given` are objects that are there before. `row` is what the linter allows here. `definitions` are the folders of
    CustomResourceDefinitions that it needs. `goldens` are the situations that have a golden file, and are gone through
    on a real API server; None means all. `restores` is false where another part puts things back, `edits` where what is
    given is only read. `alone` is whether its definitions are other versions of those that another rig has."""

    site: Site
    row: Capability
    given: tuple[Manifest, ...] = ()
    definitions: tuple[str, ...] = ()
    goldens: tuple[str, ...] | None = None
    restores: bool = True
    edits: bool = True
    alone: bool = False

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

_TCP_ROW = Capability("tcp through Istio", baseline=True)

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


# --- Ingresses ------------------------------------------------------------------------------------------------------


def _path(service: str, path: str, port: dict[str, Any], how: str = "Prefix") -> dict[str, Any]:
    return {"path": path, "pathType": how, "backend": {"service": {"name": service, "port": port}}}


INGRESS: Mapping[str, Any] = {
    "ingressClassName": "public",
    "tls": [{"hosts": ["shop.example.com", "www.example.com"], "secretName": "shop-tls"}],
    "rules": [
        {
            "host": "shop.example.com",
            "http": {
                "paths": [
                    _path("podinfo", "/", {"number": 9898}),
                    _path("podinfo", "/exact", {"name": "http"}, "Exact"),
                    _path("elsewhere", "/other", {"number": 80}),
                ]
            },
        },
        {"host": "www.example.com", "http": {"paths": [_path("elsewhere", "/", {"number": 80})]}},
    ],
}

_ISSUER = {"cert-manager.io/cluster-issuer": "letsencrypt", "external-dns.kubernetes.io/ttl": "60"}


def ingress(namespace: str, spec: Mapping[str, Any], annotations: Mapping[str, str]) -> Manifest:
    return manifest(
        namespace, "networking.k8s.io/v1", "Ingress", "shop", spec, annotations=dict(annotations), generation=1
    )


def _nginx(namespace: str) -> Rig:
    annotations = {
        **_ISSUER,
        "nginx.ingress.kubernetes.io/affinity": "cookie",
        "nginx.ingress.kubernetes.io/session-cookie-name": "route",
        "nginx.ingress.kubernetes.io/rewrite-target": "/",
    }
    users = ingress(namespace, INGRESS, annotations)
    place = site(namespace, "nginx", {"ingress": "shop"})
    return Rig(place, PROVIDERS["nginx"], (users,), edits=False)


def _nginx_default_backend(namespace: str) -> Rig:
    """No rules, a class in the old way, and annotations under another prefix."""
    spec = {"defaultBackend": {"service": {"name": "podinfo", "port": {"name": "http"}}}}
    users = ingress(namespace, spec, {"kubernetes.io/ingress.class": "inner", "inner.example.com/load-balance": "ewma"})
    place = site(namespace, "nginx", {"ingress": "shop", "annotation_prefix": "inner.example.com"})
    return Rig(place, PROVIDERS["nginx"], (users,), goldens=FEW, edits=False)


def _skipper(namespace: str) -> Rig:
    users = ingress(namespace, INGRESS, _ISSUER)
    return Rig(site(namespace, "skipper", {"ingress": "shop"}), PROVIDERS["skipper"], (users,), edits=False)


def _skipper_annotated(namespace: str) -> Rig:
    """An Ingress with predicates, filters and routes for Skipper of the user's own."""
    annotations = {
        "zalando.org/skipper-predicate": 'Method("GET")',
        "zalando.org/skipper-filter": 'consecutiveBreaker(15) -> setResponseHeader("X-By", "shop")',
        "zalando.org/skipper-routes": 'gone: Path("/gone") && Weight(1000) -> status(410) -> <shunt>;',
        "zalando.org/skipper-loadbalancer": "consistentHash",
        "zalando.org/backend-weights": '{"podinfo": 1}',
    }
    users = ingress(namespace, INGRESS, annotations)
    place = site(namespace, "skipper", {"ingress": "shop", "ingress_class": "skipper"})
    return Rig(place, PROVIDERS["skipper"], (users,), goldens=FEW, edits=False)


# --- plain Services -------------------------------------------------------------------------------------------------


def _kubernetes(namespace: str) -> Rig:
    spec = {
        "type": "ClusterIP",
        "selector": {"app": "podinfo-primary", "tier": "web"},
        "ports": [{"name": "http", "port": 9898, "targetPort": "http", "protocol": "TCP"}],
    }
    apex = manifest(namespace, "v1", "Service", "podinfo", spec)
    return Rig(site(namespace, "kubernetes"), PROVIDERS["kubernetes"], (apex,), restores=False)


# --- the Gateway API ------------------------------------------------------------------------------------------------

_GATEWAYS: Mapping[str, Any] = {
    "gateway_refs": [
        {"name": "public", "namespace": "gateways", "section_name": "https"},
        {"name": "mesh", "port": 80},
    ],
    "hosts": ["shop.example.com", "*.shop.example.com"],
}

GATEWAY_OPTIONS: Mapping[str, Any] = {
    **_GATEWAYS,
    "match": [
        {"uri": {"prefix": "/api"}, "headers": {"x-tenant": {"regex": "^[a-z]+$"}, "x-zone": {"prefix": "eu"}}},
        {"uri": {"exact": "/v1"}, "method": {"exact": "POST"}, "queryParams": {"debug": {"exact": "1"}}},
    ],
    "rewrite": {"uri": "/new", "authority": "backend.example.com"},
    "timeout": "15s",
    "backend_timeout": "1s500ms",
    "cors": {"allow_origins": ["https://example.com"], "allow_methods": ["GET"], "allow_headers": ["x-one"]},
    "headers": {"request": {"add": {"x-a": "1"}}, "response": {"remove": ["x-b"], "set": {"x-c": "3"}}},
    "mirror_to": [{"name": "audit", "namespace": "tools", "port": 8080}, {"name": "podinfo-shadow"}],
}


def _backend(name: str, port: int, weight: int = 1, **more: Any) -> dict[str, Any]:
    """With the defaults that an API server writes: what it keeps of a user's rule has them too."""
    return {"group": "", "kind": "Service", "name": name, "port": port, "weight": weight, **more}


def _parent(name: str, **more: Any) -> dict[str, Any]:
    return {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name, **more}


_ANY_PATH = [{"path": {"type": "PathPrefix", "value": "/"}}]

_USERS_HTTP_ROUTE: Mapping[str, Any] = {
    "parentRefs": [_parent("public", namespace="gateways")],
    "hostnames": ["shop.example.com"],
    "rules": [
        {
            "matches": [{"path": {"type": "Exact", "value": "/healthz"}}],
            "filters": [
                {"type": "RequestRedirect", "requestRedirect": {"hostname": "health.example.com", "statusCode": 302}}
            ],
        },
        {
            "name": "preview",
            "matches": [{"path": {"type": "PathPrefix", "value": "/preview"}}],
            "backendRefs": [_backend("podinfo-canary", 9898)],
        },
        {
            "name": "shop",
            "matches": [{"path": {"type": "PathPrefix", "value": "/shop"}}],
            "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-internal"]}}],
            "timeouts": {"request": "7s"},
            "backendRefs": [
                _backend(
                    "podinfo",
                    9898,
                    3,
                    filters=[
                        {
                            "type": "ResponseHeaderModifier",
                            "responseHeaderModifier": {"set": [{"name": "x-served-by", "value": "shop"}]},
                        }
                    ],
                ),
                _backend("elsewhere", 80),
            ],
        },
        {"matches": _ANY_PATH, "backendRefs": [_backend("elsewhere", 80)]},
    ],
}

_GRPC_ROW = PROVIDERS["gateway_api"]._replace(query=frozenset())
_GATEWAY = "gateway.networking.k8s.io/v1"


def _gateway(namespace: str) -> Rig:
    return Rig(site(namespace, "gateway_api", _GATEWAYS), PROVIDERS["gateway_api"], definitions=("gateway-api",))


def _gateway_options(namespace: str) -> Rig:
    place = site(namespace, "gateway_api", GATEWAY_OPTIONS)
    return Rig(place, PROVIDERS["gateway_api"], definitions=("gateway-api",), goldens=FEW)


def _gateway_prefix_rewrite(namespace: str) -> Rig:
    """An old version of the API, and rules that may have one match each."""
    options = {
        **_GATEWAYS,
        "api": "v1beta1",
        "match": [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}],
        "rewrite": {"uri": "/", "type": "ReplacePrefixMatch"},
    }
    place = site(namespace, "gateway_api", options)
    return Rig(place, PROVIDERS["gateway_api"], definitions=("gateway-api",), goldens=FEW)


def _gateway_taken_over(namespace: str) -> Rig:
    spec = {
        "parentRefs": [_parent("old")],
        "rules": [{"matches": _ANY_PATH, "backendRefs": [_backend("podinfo", 9898)]}],
    }
    users = manifest(namespace, _GATEWAY, "HTTPRoute", "podinfo", spec, annotations={"example.com/team": "shop"})
    place = site(namespace, "gateway_api", _GATEWAYS)
    return Rig(place, PROVIDERS["gateway_api"], (users,), ("gateway-api",), FEW)


def _gateway_users_route(namespace: str) -> Rig:
    users = manifest(namespace, _GATEWAY, "HTTPRoute", "shop", _USERS_HTTP_ROUTE)
    place = site(namespace, "gateway_api", {"route": "shop", "rule": "shop"})
    return Rig(place, PROVIDERS["gateway_api"], (users,), ("gateway-api",), FEW)


def _gateway_grpc(namespace: str) -> Rig:
    match = [
        {"uri": {"prefix": "/shop.Cart/"}},
        {"uri": {"exact": "/shop.Pay/Charge"}, "headers": {"x-tenant": {"suffix": "y"}}},
    ]
    place = site(namespace, "gateway_api", {**_GATEWAYS, "match": match}, app_protocol="grpc")
    return Rig(place, _GRPC_ROW, definitions=("gateway-api",), goldens=FEW)


def _gateway_grpc_users_route(namespace: str) -> Rig:
    spec = {
        "parentRefs": [_parent("public")],
        "rules": [
            {
                "matches": [{"method": {"type": "Exact", "service": "other.Thing"}}],
                "backendRefs": [_backend("elsewhere", 80)],
            },
            {"backendRefs": [_backend("podinfo", 9898)]},
        ],
    }
    users = manifest(namespace, _GATEWAY, "GRPCRoute", "calls", spec)
    place = site(namespace, "gateway_api", {"route": "calls"}, app_protocol="grpc")
    return Rig(place, _GRPC_ROW, (users,), ("gateway-api",), FEW)


def with_baseline(rig: Rig) -> Rig:
    """The same while a baseline is to get traffic."""
    return replace(rig, site=replace(rig.site, baseline=rig.site.baseline_service), goldens=WITH_BASELINE)


def _baselined(make: Callable[[str], Rig]) -> Callable[[str], Rig]:
    return lambda namespace: with_baseline(make(namespace))


from tests.interpreter.traffic.rigs_alb import ALB_RIGS  # noqa: E402 - likewise
from tests.interpreter.traffic.rigs_contour import CONTOUR_RIGS  # noqa: E402 - likewise
from tests.interpreter.traffic.rigs_haproxy import HAPROXY_RIGS  # noqa: E402 - likewise
from tests.interpreter.traffic.rigs_knative import KNATIVE_RIGS  # noqa: E402 - likewise
from tests.interpreter.traffic.rigs_linkerd import LINKERD_RIGS  # noqa: E402 - likewise
from tests.interpreter.traffic.rigs_replicas import REPLICAS_RIGS  # noqa: E402 - likewise
from tests.interpreter.traffic.rigs_smi import SMI_RIGS  # noqa: E402 - they are made of what stands above
from tests.interpreter.traffic.rigs_traefik import TRAEFIK_RIGS  # noqa: E402 - likewise

RIGS: Mapping[str, Callable[[str], Rig]] = {
    **CONTOUR_RIGS,
    **TRAEFIK_RIGS,
    **ALB_RIGS,
    **HAPROXY_RIGS,
    **rigs_apisix.RIGS,
    **rigs_kuma.RIGS,
    **rigs_gloo.RIGS,
    **rigs_appmesh.RIGS,
    "gateway_api": _gateway,
    "gateway_api-options": _gateway_options,
    "gateway_api-prefix-rewrite": _gateway_prefix_rewrite,
    "gateway_api-taken-over": _gateway_taken_over,
    "gateway_api-users-route": _gateway_users_route,
    "gateway_api-grpc": _gateway_grpc,
    "gateway_api-grpc-users-route": _gateway_grpc_users_route,
    "istio": _istio,
    "istio-options": _istio_options,
    "istio-delegate": _istio_delegate,
    "istio-taken-over": _istio_taken_over,
    "istio-users-route": _istio_users_route,
    "istio-tcp": _istio_tcp,
    "istio-tcp-users-route": _istio_tcp_users_route,
    "kubernetes": _kubernetes,
    "nginx": _nginx,
    "nginx-default-backend": _nginx_default_backend,
    "skipper": _skipper,
    "skipper-annotated": _skipper_annotated,
    "gateway_api-baseline": _baselined(_gateway),
    "gateway_api-baseline-users-route": _baselined(_gateway_users_route),
    "istio-baseline": _baselined(_istio),
    "istio-baseline-users-route": _baselined(_istio_users_route),
    "istio-baseline-tcp": _baselined(_istio_tcp),
    "skipper-baseline": _baselined(_skipper),
    **LINKERD_RIGS,
    **REPLICAS_RIGS,
    **KNATIVE_RIGS,
    **SMI_RIGS,
}
"""By name, for a namespace. The first part of a name is the provider's."""
