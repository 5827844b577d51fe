"""The set-ups for Contour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dsl.capabilities import PROVIDERS
from tests.interpreter.traffic import rigs as common

if TYPE_CHECKING:
    from tests.interpreter.traffic.rigs import Rig

_API = "projectcontour.io/v1"

CONTOUR_OPTIONS: Mapping[str, Any] = {
    "hosts": ["shop.example.com"],
    "match": [
        {"uri": {"prefix": "/api"}, "headers": {"x-tenant": {"regex": "^[a-z]+$"}, "x-zone": {"suffix": "-1"}}},
        {"uri": {"prefix": "/v1/"}, "method": {"exact": "POST"}, "queryParams": {"debug": {"exact": "1"}}},
    ],
    "rewrite": {"uri": "/", "authority": "backend.example.com"},
    "timeout": "15s",
    "retries": {"attempts": 3, "per_try_timeout": "1s500ms", "retry_on": "gateway-error,503"},
    "cors": {
        "allow_origins": ["https://example.com", {"regex": "https://.*"}, {"prefix": "https://a."}],
        "allow_methods": ["GET"],
        "allow_headers": ["x-one"],
        "expose_headers": ["x-two"],
        "allow_credentials": False,
        "max_age": "1d",
    },
    "headers": {"request": {"set": {"x-a": "1"}}, "response": {"remove": ["x-b"], "set": {"x-c": "3"}}},
    "ingress_class": "public",
    "port": 8080,
}

_USERS_PROXY: Mapping[str, Any] = {
    "virtualhost": {"fqdn": "shop.example.com", "tls": {"secretName": "shop-tls"}},
    "includes": [{"name": "blog", "namespace": "blog", "conditions": [{"prefix": "/blog"}]}],
    "routes": [
        {
            "conditions": [{"exact": "/healthz"}],
            "directResponsePolicy": {"statusCode": 200},
        },
        {
            "conditions": [{"header": {"name": "X-Tenant", "present": True}}, {"exact": "/cart"}],
            "permitInsecure": True,
            "timeoutPolicy": {"response": "7s", "idle": "10s"},
            "services": [
                {
                    "name": "podinfo",
                    "port": 9898,
                    "protocol": "h2c",
                    "requestHeadersPolicy": {"set": [{"name": "x-by", "value": "shop"}]},
                    "responseHeadersPolicy": {"set": [{"name": "x-served-by", "value": "shop"}]},
                }
            ],
        },
        {
            "conditions": [{"prefix": "/preview"}],
            "services": [{"name": "podinfo-canary", "port": 9898}],
        },
        {"services": [{"name": "podinfo", "port": 9898, "weight": 7}]},
        {
            "conditions": [{"prefix": "/other"}],
            "services": [{"name": "elsewhere", "port": 80, "weight": 30}, {"name": "there", "port": 80, "weight": 70}],
        },
    ],
}


def _contour(namespace: str) -> Rig:
    return common.Rig(common.site(namespace, "contour"), PROVIDERS["contour"], definitions=("contour",))


def _options(namespace: str) -> Rig:
    place = common.site(namespace, "contour", CONTOUR_OPTIONS)
    return common.Rig(place, PROVIDERS["contour"], definitions=("contour",), goldens=common.FEW)


def _grpc(namespace: str) -> Rig:
    options = {"match": [{"uri": {"exact": "/shop.Pay/Charge"}}], "retries": {"attempts": 0}}
    place = common.site(namespace, "contour", options, app_protocol="grpc")
    return common.Rig(place, PROVIDERS["contour"], definitions=("contour",), goldens=common.FEW)


def _taken_over(namespace: str) -> Rig:
    spec = {"routes": [{"conditions": [{"prefix": "/"}], "services": [{"name": "podinfo", "port": 9898}]}]}
    users = common.manifest(namespace, _API, "HTTPProxy", "podinfo", spec, annotations={"example.com/team": "shop"})
    place = common.site(namespace, "contour")
    return common.Rig(place, PROVIDERS["contour"], (users,), ("contour",), common.FEW)


def _users_route(namespace: str) -> Rig:
    users = common.manifest(namespace, _API, "HTTPProxy", "shop", _USERS_PROXY)
    place = common.site(namespace, "contour", {"route": "shop"})
    return common.Rig(place, PROVIDERS["contour"], (users,), ("contour",), common.FEW)


def _with_baseline(make: Callable[[str], Rig]) -> Callable[[str], Rig]:
    return lambda namespace: common.with_baseline(make(namespace))


CONTOUR_RIGS: Mapping[str, Callable[[str], Rig]] = {
    "contour": _contour,
    "contour-options": _options,
    "contour-grpc": _grpc,
    "contour-taken-over": _taken_over,
    "contour-users-route": _users_route,
    "contour-baseline": _with_baseline(_contour),
    "contour-baseline-users-route": _with_baseline(_users_route),
}
