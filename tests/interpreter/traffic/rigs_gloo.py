"""The set-ups in which Gloo is tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dsl.capabilities import PROVIDERS
from interpreter.objects import Manifest
from tests.interpreter.traffic import rigs as common

if TYPE_CHECKING:
    from tests.interpreter.traffic.rigs import Rig

OPTIONS: Mapping[str, Any] = {
    "match": [
        {"uri": {"prefix": "/api"}, "headers": {"x-tenant": {"regex": "[a-z]+"}, "x-zone": {"prefix": "eu."}}},
        {"method": {"exact": "POST"}, "queryParams": {"debug": {"exact": "1"}}},
        {"uri": {"exact": "/v1"}, "ignoreUriCase": True},
    ],
    "rewrite": {"uri": "/", "authority": "backend.example.com", "type": "ReplacePrefixMatch"},
    "timeout": "15s",
    "retries": {"attempts": 3, "per_try_timeout": "1s500ms", "retry_on": "5xx", "backoff": "25ms"},
    "cors": {
        "allow_origins": ["https://example.com", {"regex": "https://.*"}, {"prefix": "https://a."}],
        "allow_methods": ["GET"],
        "allow_headers": ["x-one"],
        "expose_headers": ["x-two"],
        "allow_credentials": False,
        "max_age": "1d",
    },
    "headers": {"request": {"add": {"x-a": "1"}}, "response": {"remove": ["x-b"], "set": {"x-c": "3"}}},
}

_UPSTREAM, _TABLE = "gloo.solo.io/v1", "gateway.solo.io/v1"


def _single(upstream: str, namespace: str) -> dict[str, Any]:
    return {"single": {"upstream": {"name": upstream, "namespace": namespace}}}


def _model(namespace: str) -> Manifest:
    spec = {
        "static": {"hosts": [{"addr": "example.com", "port": 80}]},
        "connectionConfig": {"connectTimeout": "2s", "maxRequestsPerConnection": 51},
        "loadBalancerConfig": {"roundRobin": {"slowStartConfig": {"slowStartWindow": "2m", "minWeightPercent": 5}}},
        "outlierDetection": {"consecutive5xx": 5},
    }
    return common.manifest(namespace, _UPSTREAM, "Upstream", "config-upstream", spec)


def _gloo(namespace: str) -> Rig:
    return common.Rig(common.site(namespace, "gloo"), PROVIDERS["gloo"], definitions=("gloo",))


def _gloo_options(namespace: str) -> Rig:
    """Settings from an Upstream, a protocol that needs HTTP/2, and another port."""
    options = {**OPTIONS, "upstream": f"{namespace}/config-upstream", "port": 9999}
    place = common.site(namespace, "gloo", options, app_protocol="grpc")
    return common.Rig(place, PROVIDERS["gloo"], (_model(namespace),), ("gloo",), common.FEW, edits=False)


def _gloo_taken_over(namespace: str) -> Rig:
    routes = [{"matchers": [{"prefix": "/"}], "routeAction": _single("podinfo", namespace)}]
    table = common.manifest(
        namespace, _TABLE, "RouteTable", "podinfo", {"routes": routes}, annotations={"example.com/note": "mine"}
    )
    return common.Rig(common.site(namespace, "gloo"), PROVIDERS["gloo"], (table,), ("gloo",), common.FEW)


def _gloo_users_route(namespace: str) -> Rig:
    service = {"ref": {"name": "podinfo", "namespace": namespace}, "port": 9898}
    routes = [
        {"matchers": [{"exact": "/healthz"}], "directResponseAction": {"status": 200}},
        {
            "name": "shop",
            "matchers": [
                {"prefix": "/shop", "headers": [{"name": "x-tenant", "value": "[a-z]+", "regex": True}]},
                {"regex": "/cart/.*", "methods": ["GET", "POST"]},
            ],
            "options": {"timeout": "7s", "faults": {"delay": {"fixedDelay": "0.005s", "percentage": 0.5}}},
            "routeAction": {
                "multi": {
                    "destinations": [
                        {
                            "destination": {"kube": service},
                            "weight": 1,
                            "options": {"headerManipulation": {"requestHeadersToRemove": ["x-internal"]}},
                        }
                    ]
                }
            },
        },
        {"matchers": [{"prefix": "/"}], "routeAction": _single("elsewhere", "gloo-system")},
    ]
    table = common.manifest(namespace, _TABLE, "RouteTable", "shop", {"weight": 3, "routes": routes})
    return common.Rig(
        common.site(namespace, "gloo", {"route": "shop"}), PROVIDERS["gloo"], (table,), ("gloo",), common.FEW
    )


def _gloo_users_named_route(namespace: str) -> Rig:
    """A route that leads to an Upstream of the user's, and has no matchers of its own."""
    routes = [
        {"name": "other", "matchers": [{"prefix": "/o"}], "routeAction": _single("podinfo-static", "gloo-system")},
        {"name": "shop", "inheritablePathMatchers": True, "routeAction": _single("podinfo-static", "gloo-system")},
    ]
    table = common.manifest(namespace, _TABLE, "RouteTable", "shop", {"routes": routes})
    place = common.site(namespace, "gloo", {"route": "shop", "rule": "shop"})
    return common.Rig(place, PROVIDERS["gloo"], (table,), ("gloo",), common.FEW)


def _baselined(make: Callable[[str], Rig]) -> Callable[[str], Rig]:
    return lambda namespace: common.with_baseline(make(namespace))


RIGS: Mapping[str, Callable[[str], Rig]] = {
    "gloo": _gloo,
    "gloo-options": _gloo_options,
    "gloo-taken-over": _gloo_taken_over,
    "gloo-users-route": _gloo_users_route,
    "gloo-users-named-route": _gloo_users_named_route,
    "gloo-baseline": _baselined(_gloo),
    "gloo-baseline-users-route": _baselined(_gloo_users_route),
}
