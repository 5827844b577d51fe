"""Set-ups with Apache APISIX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dsl.capabilities import PROVIDERS
from interpreter.objects import Manifest
from tests.interpreter.traffic import rigs

V2 = "apisix.apache.org/v2"

_PLAIN: Mapping[str, Any] = {
    "http": [
        {
            "name": "shop",
            "match": {"hosts": ["shop.example.com"], "paths": ["/*"]},
            "backends": [{"serviceName": "podinfo", "servicePort": 9898}],
        }
    ]
}

_RICH: Mapping[str, Any] = {
    "ingressClassName": "apisix",
    "http": [
        {
            "name": "shop",
            "priority": 10,
            "timeout": {"connect": "3s", "read": "15s", "send": "15s"},
            "match": {
                "hosts": ["shop.example.com", "www.example.com"],
                "paths": ["/shop", "/shop/*"],
                "methods": ["GET", "POST"],
                "exprs": [{"subject": {"scope": "Header", "name": "X-Tenant"}, "op": "In", "set": ["a", "b"]}],
            },
            "websocket": True,
            "plugin_config_name": "common",
            "plugins": [
                {"name": "prometheus", "enable": True, "config": {"prefer_name": True}},
                {"name": "response-rewrite", "enable": True, "config": {"headers": {"set": {"X-By": "shop"}}}},
                {"name": "proxy-mirror", "enable": False, "config": {"host": "http://old.example.com"}},
            ],
            "backends": [
                {"serviceName": "podinfo", "servicePort": "http", "weight": 100, "resolveGranularity": "service"}
            ],
        },
        {
            "name": "health",
            "priority": 100,
            "match": {"hosts": ["shop.example.com"], "paths": ["/shop"], "methods": ["GET"]},
            "backends": [{"serviceName": "elsewhere", "servicePort": 80}],
        },
        {
            "name": "cart",
            "match": {"hosts": ["cart.example.com"], "paths": ["/*"]},
            "authentication": {"enable": True, "type": "basicAuth"},
            "backends": [{"serviceName": "podinfo", "servicePort": 9898}],
        },
    ],
    "stream": [
        {
            "name": "raw",
            "protocol": "TCP",
            "match": {"ingressPort": 9100},
            "backend": {"serviceName": "podinfo", "servicePort": 9898, "resolveGranularity": "endpoint"},
        }
    ],
}

_UPSTREAM: Mapping[str, Any] = {
    "scheme": "http",
    "retries": 2,
    "loadbalancer": {"type": "least_conn"},
    "timeout": {"connect": "2s", "read": "10s", "send": "10s"},
}


def users_route(namespace: str, spec: Mapping[str, Any] = _PLAIN, **more: Any) -> Manifest:
    return rigs.manifest(namespace, V2, "ApisixRoute", "shop", spec, **more)


def _apisix(namespace: str) -> rigs.Rig:
    place = rigs.site(namespace, "apisix", {"route": "shop"})
    return rigs.Rig(place, PROVIDERS["apisix"], (users_route(namespace),), ("apisix",), edits=False)


def _rich(namespace: str) -> rigs.Rig:
    """Two rules to split with all that a rule can have, rules that lead elsewhere, and an ApisixUpstream."""
    upstream = rigs.manifest(namespace, V2, "ApisixUpstream", "podinfo", _UPSTREAM)
    given = users_route(namespace, _RICH), upstream
    place = rigs.site(namespace, "apisix", {"route": "shop"})
    return rigs.Rig(place, PROVIDERS["apisix"], given, ("apisix",), rigs.FEW, edits=False)


def _rule(namespace: str) -> rigs.Rig:
    """One of two rules."""
    place = rigs.site(namespace, "apisix", {"route": "shop", "rule": "cart"})
    return rigs.Rig(place, PROVIDERS["apisix"], (users_route(namespace, _RICH),), ("apisix",), rigs.FEW, edits=False)


def _old(namespace: str) -> rigs.Rig:
    """As the controller 1.8 has it. What it says of an ApisixUpstream is not among the definitions that there are."""
    definitions = ("apisix-v1.8.4", "apisix/apisix.apache.org_apisixupstreams.yaml")
    place = rigs.site(namespace, "apisix", {"route": "shop"})
    given = (users_route(namespace, _RICH),)
    return rigs.Rig(place, PROVIDERS["apisix"], given, definitions, rigs.FEW, edits=False, alone=True)


RIGS: Mapping[str, Callable[[str], rigs.Rig]] = {
    "apisix": _apisix,
    "apisix-rich": _rich,
    "apisix-rule": _rule,
    "apisix-old": _old,
    "apisix-baseline": lambda namespace: rigs.with_baseline(_apisix(namespace)),
    "apisix-baseline-rich": lambda namespace: rigs.with_baseline(_rich(namespace)),
}
