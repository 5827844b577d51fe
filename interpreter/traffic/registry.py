"""Which traffic provider has which name. Each stands in a module of its own, which is imported when it is first asked
for: an installation pays for the one data plane that it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from interpreter.traffic.provider import TrafficError, TrafficProvider

PROVIDERS: Mapping[str, str] = {
    "alb": "interpreter.traffic.alb:Alb",
    "apisix": "interpreter.traffic.apisix:Apisix",
    "appmesh": "interpreter.traffic.appmesh:AppMesh",
    "contour": "interpreter.traffic.contour:Contour",
    "gateway_api": "interpreter.traffic.gateway_api:GatewayApi",
    "gloo": "interpreter.traffic.gloo:Gloo",
    "haproxy": "interpreter.traffic.haproxy:HAProxy",
    "istio": "interpreter.traffic.istio:Istio",
    "knative": "interpreter.traffic.knative:Knative",
    "kuma": "interpreter.traffic.kuma:Kuma",
    "kubernetes": "interpreter.traffic.kubernetes_services:KubernetesServices",
    "linkerd": "interpreter.traffic.linkerd:Linkerd",
    "nginx": "interpreter.traffic.nginx:Nginx",
    "osm": "interpreter.traffic.smi:Osm",
    "replicas": "interpreter.traffic.replicas:Replicas",
    "traefik": "interpreter.traffic.traefik:Traefik",
    "skipper": "interpreter.traffic.skipper:Skipper",
    "smi": "interpreter.traffic.smi:Smi",
}
"""By the name that the language has for it (`dsl.capabilities.PROVIDERS`): the module and the class in it, which is
made without arguments."""


@cache
def provider(name: str) -> TrafficProvider:
    """The provider of this name. Raises `TrafficError` if there is none in the cluster's interpreter."""
    if name not in PROVIDERS:
        known = ", ".join(sorted(PROVIDERS))
        raise TrafficError(f"the traffic provider `{name}` cannot be run in a cluster yet; use one of {known}")
    module, kind = PROVIDERS[name].split(":")
    made: TrafficProvider = getattr(import_module(module), kind)()
    return made
