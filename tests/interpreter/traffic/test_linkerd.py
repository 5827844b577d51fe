"""Protects what is special about Linkerd: which form of a route is written, and what its own form cannot say."""

from __future__ import annotations

from typing import Any

import pytest

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.objects import Apply, Edit, Manifest, Objects
from interpreter.routing import HOME
from interpreter.traffic.linkerd import DEFINITION, Linkerd
from interpreter.traffic.provider import TrafficError
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import manifest, site
from tests.interpreter.traffic.rigs_linkerd import LINKERD_OPTIONS
from tests.interpreter.traffic.situations import matching, weight


def made(options: dict[str, Any], routing: Routing = HOME, existing: Objects | None = None) -> Manifest:
    (change,) = Linkerd().render(site("test", "linkerd", options), routing, existing or {})
    assert isinstance(change, Apply)
    return change.manifest


def definition(*served: str) -> dict[Any, Manifest]:
    versions = [{"name": name, "served": name in served} for name in ("v1beta2", "v1beta3", "v1alpha1")]
    return {DEFINITION: {"spec": {"versions": versions}}}


@pytest.mark.parametrize(
    ("options", "existing", "wanted"),
    [
        ({}, {}, "policy.linkerd.io/v1beta3"),
        ({}, definition("v1beta2", "v1beta3"), "policy.linkerd.io/v1beta3"),
        ({}, definition("v1beta2"), "policy.linkerd.io/v1beta2"),
        ({"api": "v1beta2"}, definition("v1beta3"), "policy.linkerd.io/v1beta2"),
        ({"api": "v1"}, {}, "gateway.networking.k8s.io/v1"),
        ({"api": "smi"}, {}, "split.smi-spec.io/v1alpha1"),
    ],
)
def test_the_form_of_the_route(options: dict[str, Any], existing: Objects, wanted: str) -> None:
    assert made(options, existing=existing)["apiVersion"] == wanted


def test_the_parent_is_the_port_of_the_apex_and_backends_are_the_arms() -> None:
    spec = made({"port": 8080}, weight(20))["spec"]
    assert spec["parentRefs"] == [{"group": "core", "kind": "Service", "name": "podinfo", "port": 9898}]
    (rule,) = spec["rules"]
    assert [(each["name"], each["port"], each["weight"]) for each in rule["backendRefs"]] == [
        ("podinfo-primary", 8080, 80),
        ("podinfo-canary", 8080, 20),
    ]


def test_a_rule_of_linkerds_holds_eight_matches() -> None:
    """More become several rules; the Gateway API's rule holds them all."""
    many = matching(*([MatchTest("header", "x-user", "==", str(number))] for number in range(19)))
    cut = made({}, many)["spec"]["rules"]
    assert [len(rule["matches"]) for rule in cut] == [8, 8, 3, 1]
    assert [len(rule["matches"]) for rule in made({"api": "v1"}, many)["spec"]["rules"]] == [19, 1]
    cluster = Pretence([made({}, many)])
    place = site("test", "linkerd")
    assert Linkerd().read(place, cluster.objects) == many
    del next(iter(cluster.objects.values()))["metadata"]["annotations"]
    found = Linkerd().read(place, cluster.objects)
    assert found is not None
    assert len(found.matches) == 19
    with pytest.raises(TrafficError, match="has 9 entries"):
        made({"match": [{"uri": {"prefix": f"/{number}"}} for number in range(9)]})


def test_a_cookie_stands_beside_the_users_changes_of_a_response() -> None:
    sticky = Routing(20, sticky=StickySpec("s", 1000))
    (*_, weighted) = made({"headers": LINKERD_OPTIONS["headers"]}, sticky)["spec"]["rules"]
    primary, canary = weighted["backendRefs"]
    assert primary["filters"][0]["responseHeaderModifier"].keys() == {"set", "remove"}
    modifier = canary["filters"][0]["responseHeaderModifier"]
    assert modifier["set"] == [{"name": "x-c", "value": "3"}]
    assert modifier["add"][0]["name"] == "Set-Cookie"
    assert [each["type"] for each in weighted["filters"]] == ["RequestHeaderModifier"]


def test_retries_are_annotations() -> None:
    assert (
        made({"retries": {"attempts": 2}})["metadata"]["annotations"].items()
        >= {
            "retry.linkerd.io/http": "5xx",
            "retry.linkerd.io/limit": "2",
        }.items()
    )
    said = {"attempts": 0, "retry_on": "502-504,429 gateway-error", "per_try_timeout": "1s500ms"}
    annotations = made({"retries": said})["metadata"]["annotations"]
    assert annotations["retry.linkerd.io/http"] == "502-504,429,gateway-error"
    assert annotations["retry.linkerd.io/timeout"] == "1s500ms"
    assert "retry" not in made({"retries": said})["spec"]["rules"][0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"api": "v2"}, "`api` is `v2`; write one of v1beta3, v1beta2, v1, smi"),
        ({"route": "shop", "rule": "pages"}, "have no names"),
        ({"api": "v1beta2", "timeout": "1s"}, "`timeout` needs v1beta3"),
        ({"retries": {"retry_on": "reset"}}, "has `reset`"),
        ({"retries": {"backoff": "1s"}}, "take `backoff` out"),
        ({"route": "shop"}, "does not exist"),
    ],
)
def test_what_cannot_be_said_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TrafficError, match=said):
        made(options)


def test_a_users_route_gets_its_own_retries_back_and_keeps_none_of_ours() -> None:
    spec = {"parentRefs": [], "rules": [{"backendRefs": [{"name": "podinfo", "port": 9898}]}]}
    users = manifest("test", "policy.linkerd.io/v1beta3", "HTTPRoute", "podinfo", spec)
    place, cluster = site("test", "linkerd", {"retries": {"attempts": 2}}), Pretence([users])
    cluster.do(Linkerd().render(place, weight(10), cluster.objects))
    (live,) = cluster.objects.values()
    assert live["metadata"]["annotations"]["retry.linkerd.io/limit"] == "2"
    (change,) = Linkerd().release(place, cluster.objects)
    assert isinstance(change, Edit)
    assert change.after == users
