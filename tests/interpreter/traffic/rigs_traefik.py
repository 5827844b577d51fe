"""The set-ups for Traefik."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dsl.capabilities import row_of
from tests.interpreter.traffic import rigs as common

if TYPE_CHECKING:
    from tests.interpreter.traffic.rigs import Rig

_API = "traefik.io/v1alpha1"


def _rig(namespace: str, options: Mapping[str, Any], *given: Any, **more: Any) -> Rig:
    row = row_of("traefik", options)
    assert row is not None
    place = common.site(namespace, "traefik", options, app_protocol=more.pop("app_protocol", None))
    return common.Rig(place, row, given, ("traefik-v2" if "api" in options else "traefik",), **more)


def _route(namespace: str, *services: Mapping[str, Any]) -> Any:
    """An IngressRoute whose third route, to the rollout, is outweighed by the first two and outweighs the last."""
    spec = {
        "entryPoints": ["websecure"],
        "tls": {"secretName": "shop-tls"},
        "routes": [
            {
                "kind": "Rule",
                "match": "Host(`shop.example.com`) && Path(`/healthz`)",
                "services": [{"name": "health", "port": 80}],
            },
            {
                "kind": "Rule",
                "match": "Host(`shop.example.com`) || Host(`www.example.com`)",
                "priority": 99,
                "services": [{"name": "elsewhere", "port": 80}],
            },
            {
                "kind": "Rule",
                "match": "Host(`shop.example.com`)",
                "middlewares": [{"name": "compress"}],
                "services": list(services),
            },
            {"kind": "Rule", "match": "PathPrefix(`/`)", "priority": 1, "services": [{"name": "blog", "port": 80}]},
        ],
    }
    annotations = {"kubernetes.io/ingress.class": "public", "example.com/team": "shop"}
    return common.manifest(namespace, _API, "IngressRoute", "shop", spec, annotations=annotations)


def _plain(namespace: str) -> Rig:
    return _rig(namespace, {})


def _routed(namespace: str) -> Rig:
    """The user's IngressRoute leads to the TraefikService."""
    users = _route(namespace, {"name": "podinfo", "kind": "TraefikService"})
    return _rig(namespace, {"route": "shop"}, users, edits=False)


def _to_service(namespace: str) -> Rig:
    """It leads to the Service."""
    service = {"name": "podinfo", "port": 9898, "scheme": "h2c", "passHostHeader": False, "strategy": "wrr"}
    return _rig(namespace, {"route": "shop"}, _route(namespace, service), edits=False, goldens=common.FEW)


def _taken_over(namespace: str) -> Rig:
    spec = {"weighted": {"services": [{"name": "podinfo", "port": 9898, "weight": 1}]}}
    users = common.manifest(namespace, _API, "TraefikService", "podinfo", spec, labels={"team": "shop"})
    return _rig(namespace, {}, users, goldens=common.FEW)


def _grpc(namespace: str) -> Rig:
    return _rig(namespace, {"port": 9999}, app_protocol="grpc", goldens=common.FEW)


def _v2(namespace: str) -> Rig:
    return _rig(namespace, {"api": "v2"}, goldens=common.FEW)


def _with_baseline(make: Callable[[str], Rig]) -> Callable[[str], Rig]:
    return lambda namespace: common.with_baseline(make(namespace))


TRAEFIK_RIGS: Mapping[str, Callable[[str], Rig]] = {
    "traefik": _plain,
    "traefik-routed": _routed,
    "traefik-to-service": _to_service,
    "traefik-taken-over": _taken_over,
    "traefik-grpc": _grpc,
    "traefik-v2": _v2,
    "traefik-baseline": _with_baseline(_plain),
    "traefik-baseline-routed": _with_baseline(_routed),
}
