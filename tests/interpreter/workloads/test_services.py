"""Protects the Services: whom they select and when, their ports, and that a user's own stays the user's."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from dsl.ir import Program, Service
from interpreter.objects import Change, Edit, Manifest, Objects
from interpreter.workloads import services as module
from interpreter.workloads.kind import WorkloadError
from interpreter.workloads.leads import Leads
from interpreter.workloads.ports import service_port
from interpreter.workloads.services import discovered_ports, release_services, service_names, service_refs
from tests.interpreter.workloads import made


def render(
    policy: Program, target: Manifest | None = None, existing: Objects | None = None, leads: Leads = Leads.PRIMARY
) -> tuple[Change, ...]:
    return module.services(policy, "app", "web", target or made.deployment(), existing or {}, leads=leads)


def of(**service: Any) -> Program:
    return made.program(service=Service("web", **{"port": 80, **service}))


OWNED = {"ownerReferences": [{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "web", "uid": "1"}]}
USERS = {
    "type": "NodePort",
    "clusterIP": "10.0.0.7",
    "selector": {"app": "web", "tier": "front"},
    "ports": [
        {"name": "web", "port": 80, "targetPort": "http", "protocol": "TCP", "nodePort": 30080},
        {"name": "admin", "port": 81, "targetPort": 9090, "protocol": "TCP", "nodePort": 30081},
    ],
}


@pytest.mark.parametrize(("leads", "apex"), [(Leads.TARGET, "web"), (Leads.PRIMARY, "web-primary")])
def test_whom_each_service_selects(leads: Leads, apex: str) -> None:
    found = made.applied(render(of(), leads=leads))

    assert {name: each["spec"]["selector"] for name, each in found.items()} == {
        "web": {"app": apex},
        "web-primary": {"app": "web-primary"},
        "web-canary": {"app": "web"},
    }
    assert all(each["spec"]["type"] == "ClusterIP" for each in found.values())
    assert {name: each["metadata"]["labels"]["app"] for name, each in found.items()} == {name: name for name in found}
    assert found["web"]["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/reconcile"] == "disabled"


@pytest.mark.parametrize(
    ("service", "port"),
    [
        ({}, {"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP"}),
        (
            {"port_name": "grpc", "target_port": "http", "app_protocol": "kubernetes.io/h2c"},
            {"name": "grpc", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"},
        ),
        ({"port": None}, {"name": "http", "port": 8080, "targetPort": 8080, "protocol": "TCP"}),
    ],
)
def test_the_port_that_the_policy_states(service: dict[str, Any], port: dict[str, Any]) -> None:
    assert made.applied(render(of(**service)))["web"]["spec"]["ports"] == [port]


@pytest.mark.parametrize("target_port", [8080, "http"])
def test_discovery_adds_the_pods_other_ports_but_no_sidecars(target_port: int | str) -> None:
    policy = of(port_discovery=True, target_port=target_port)

    ports = made.applied(render(policy))["web-canary"]["spec"]["ports"]

    assert ports[1:] == [
        {"name": "metrics", "port": 9090, "targetPort": "metrics", "protocol": "TCP"},
        {"name": "udp-web-2", "port": 53, "targetPort": 53, "protocol": "UDP"},
    ]
    assert discovered_ports(policy, made.deployment()) == (("metrics", 9090), ("udp-web-2", 53))
    assert discovered_ports(of(), made.deployment()) == ()


def test_discovery_never_gives_a_number_or_a_name_twice() -> None:
    target = made.deployment()
    target["spec"]["template"]["spec"]["containers"][1]["name"] = "second"
    target["spec"]["template"]["spec"]["containers"][1]["ports"] = [
        {"containerPort": 9090},
        {"name": "metrics", "containerPort": 9091},
        {"containerPort": 80},
    ]

    ports = made.applied(render(of(port_discovery=True, target_port=8080), target))["web"]["spec"]["ports"]

    assert [each["port"] for each in ports] == [80, 9090, 53]


def test_options_reach_the_services_that_they_are_for() -> None:
    options = {
        "headless": True,
        "traffic_distribution": "PreferClose",
        "apex": {"labels": {"a": "1"}, "annotations": {"b": "2"}},
        "primary": {"labels": {"c": "3", "mesh.example.com/x": "4"}},
        "unmanaged_metadata": {"labels": ["mesh.example.com/"]},
    }

    found = made.applied(render(of(options=options)))

    assert all(each["spec"]["clusterIP"] == "None" for each in found.values())
    assert all(each["spec"]["trafficDistribution"] == "PreferClose" for each in found.values())
    assert found["web"]["metadata"]["labels"] == {"a": "1", "app": "web"}
    assert found["web"]["metadata"]["annotations"]["b"] == "2"
    assert found["web-primary"]["metadata"]["labels"] == {"c": "3", "app": "web-primary"}
    assert found["web-canary"]["metadata"]["labels"] == {"app": "web-canary"}


def test_headlessness_cannot_be_changed_and_that_is_said() -> None:
    ref, existing = made.service("web-primary", {"clusterIP": "10.0.0.1"}, **OWNED)

    with pytest.raises(WorkloadError, match="delete `web-primary`"):
        render(of(options={"headless": True}), existing={ref: existing})


@pytest.mark.parametrize("length", [55, 56])
def test_names_that_are_too_long_for_services_are_refused(length: int) -> None:
    policy = made.program(service=Service("w" * length, 80))
    if length == 55:
        assert len(render(policy)) == 3
    else:
        with pytest.raises(WorkloadError, match="shorter name"):
            render(policy)


class TestApexOfTheUsers:
    def change(self, policy: Program, spec: dict[str, Any], leads: Leads = Leads.PRIMARY, **metadata: Any) -> Any:
        ref, found = made.service("web", spec, **metadata)
        changes = render(policy, existing={ref: found}, leads=leads)
        assert "web" not in made.applied(changes)
        edits = [each for each in changes if isinstance(each, Edit)]
        return edits[0].after if edits else None

    def test_only_selector_and_stated_port_change_and_the_original_is_kept(self) -> None:
        after = self.change(of(target_port=8080), USERS, labels={"mine": "1"})

        expected = copy.deepcopy(USERS)
        expected["selector"]["app"] = "web-primary"
        expected["ports"][0]["targetPort"] = 8080
        assert after["spec"] == expected
        assert after["metadata"]["labels"] == {"mine": "1"}
        kept = json.loads(after["metadata"]["annotations"]["rollway.dev/original"])
        assert kept == {"selector": USERS["selector"], "ports": USERS["ports"]}

    def test_what_the_policy_leaves_open_stays_and_is_the_model_for_ours(self) -> None:
        ref, found = made.service("web", USERS)
        ours = made.applied(render(of(), existing={ref: found}))["web-primary"]["spec"]

        assert [(each["port"], each["targetPort"]) for each in ours["ports"]] == [(80, "http"), (81, 9090)]
        assert all("nodePort" not in each for each in ours["ports"])

    def test_what_is_added_to_its_ports_has_a_name_of_its_own(self) -> None:
        one, other = {"port": 81, "protocol": "TCP"}, {"name": "http", "port": 82, "protocol": "TCP"}

        after = self.change(of(), {**USERS, "ports": [one, other]})

        assert [(each["name"], each["port"]) for each in after["spec"]["ports"]] == [
            ("port-81", 81),
            ("http", 82),
            ("http-80", 80),
        ]

    def test_a_port_that_discovery_added_keeps_what_the_cluster_gave_it(self) -> None:
        after = self.change(of(port_discovery=True, target_port=8080), USERS)
        after["spec"]["ports"][-1]["nodePort"] = 30053

        notes = after["metadata"]["annotations"]
        assert self.change(of(port_discovery=True, target_port=8080), after["spec"], annotations=notes) is None

    def test_it_goes_on_selecting_the_target_until_the_primary_leads(self) -> None:
        assert self.change(of(), USERS, Leads.TARGET) is None

    def test_it_is_not_edited_twice_and_the_first_original_stays(self) -> None:
        after = self.change(of(target_port=8080), USERS)
        assert self.change(of(target_port=8080), after["spec"], annotations=after["metadata"]["annotations"]) is None

        again = self.change(of(target_port=9090), after["spec"], annotations=after["metadata"]["annotations"])

        assert again["metadata"]["annotations"] == after["metadata"]["annotations"]

    def test_it_can_lead_back_to_the_target(self) -> None:
        after = self.change(of(), USERS)

        back = self.change(of(), after["spec"], Leads.TARGET, annotations=after["metadata"]["annotations"])

        assert back["spec"] == USERS

    def test_one_that_selects_by_other_labels_never_selects_both_workloads(self) -> None:
        after = self.change(of(), {**USERS, "selector": {"tier": "front"}})

        assert after["spec"]["selector"] == {"tier": "front", "app": "web-primary"}

    def test_one_without_a_selector_cannot_be_pointed_anywhere(self) -> None:
        spec = {key: value for key, value in USERS.items() if key != "selector"}

        with pytest.raises(WorkloadError, match="has no selector"):
            self.change(of(), spec)

    def test_a_headless_one_makes_ours_headless(self) -> None:
        ref, found = made.service("web", {**USERS, "type": "ClusterIP", "clusterIP": "None"})

        assert made.applied(render(of(), existing={ref: found}))["web-canary"]["spec"]["clusterIP"] == "None"

    def test_release_restores_it_wholly(self) -> None:
        after = self.change(of(target_port=8080), USERS, labels={"mine": "1"})
        ref, before = made.service("web", USERS, labels={"mine": "1"}, annotations={})

        (released,) = release_services(of(), "app", "web", made.deployment(), {ref: after})

        assert made.edited(released) == before
        assert release_services(of(), "app", "web", made.deployment(), {ref: before}) == ()

    def test_release_keeps_a_node_port_that_was_given_since(self) -> None:
        bare = copy.deepcopy(USERS)
        for each in bare["ports"]:
            del each["nodePort"]
        after = self.change(of(), bare)
        after["spec"]["ports"][0]["nodePort"] = 30080

        (released,) = release_services(of(), "app", "web", made.deployment(), {made.service("web", {})[0]: after})

        assert made.edited(released)["spec"]["ports"][0]["nodePort"] == 30080

    @pytest.mark.parametrize("noted", [True, False])
    def test_one_that_flagger_left_pointing_at_the_primary_is_restored_too(self, noted: bool) -> None:
        pointed = {**USERS, "selector": {"app": "web-primary"}}
        note = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": USERS})} if noted else {}
        expected = USERS["selector"] if noted else {"app": "web"}
        ref, found = made.service("web", pointed, annotations=note)

        (at_once,) = release_services(of(), "app", "web", made.deployment(), {ref: found})
        taken = self.change(of(target_port=8080), pointed, annotations=note)
        (later,) = release_services(of(), "app", "web", made.deployment(), {ref: taken})

        assert made.edited(at_once)["spec"]["selector"] == expected
        assert made.edited(later)["spec"] == {**USERS, "selector": expected}


def test_an_apex_that_flagger_made_is_ours() -> None:
    ref, found = made.service("web", {"clusterIP": "10.0.0.1", "selector": {"app": "web-primary"}}, **OWNED)

    assert "web" in made.applied(render(of(), existing={ref: found}))


def test_release_points_our_own_apex_at_the_target() -> None:
    ref, found = made.service("web", {"selector": {"app": "web-primary"}, "ports": [{"port": 80}]}, **OWNED)

    (released,) = release_services(of(), "app", "web", made.deployment(), {ref: found})

    assert made.edited(released)["spec"] == {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    assert release_services(of(), "app", "web", made.deployment(), {}) == ()


@pytest.mark.parametrize("there", [True, False])
def test_a_statefulsets_governing_service_gets_a_copy_for_the_primarys_pods(there: bool) -> None:
    policy = made.program("StatefulSet", "db", service=Service("db", 5432))
    target = made.statefulset()
    ref, governing = made.service(
        "db-pods",
        {
            "clusterIP": "None",
            "selector": {"app": "db"},
            "ports": [{"name": "pg", "port": 5432}],
            "publishNotReadyAddresses": True,
        },
    )

    existing = {ref: governing} if there else {}
    found = made.applied(module.services(policy, "app", "db", target, existing, leads=Leads.PRIMARY))

    assert {each.name for each in service_refs(policy, target)} == {
        *service_names(policy),
        "db-pods",
        "db-pods-primary",
    }
    spec = found["db-pods-primary"]["spec"]
    assert spec["clusterIP"] == "None"
    assert spec["selector"] == {"app": "db-primary"}
    assert [each["port"] for each in spec["ports"]] == ([5432] if there else [8080, 9090, 53])
    assert spec.get("publishNotReadyAddresses", False) is there


def test_a_governing_service_that_is_the_apex_needs_no_further_copy() -> None:
    policy = made.program("StatefulSet", "db", service=Service("db-pods", 5432))

    assert {each.name for each in service_refs(policy, made.statefulset())} == set(service_names(policy))


def test_the_port_that_requests_come_to() -> None:
    _, users = made.service("web", {"ports": [{"port": 8888}]})

    assert service_port(of(), made.deployment(), users) == 80
    assert service_port(of(port=None), made.deployment(), users) == 8888
    assert service_port(of(port=None), made.deployment(), None) == 8080
    assert service_port(of(port=None), None, None) == 80
