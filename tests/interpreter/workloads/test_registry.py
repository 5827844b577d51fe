"""Protects which kinds are known, and the two that have no built-in workload behind them: Services and custom
resources."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dsl.ir import Service, WorkloadRef
from interpreter.objects import Manifest, Ref
from interpreter.questions import Readiness
from interpreter.workloads import services
from interpreter.workloads.custom import custom_kind
from interpreter.workloads.daemonset import DaemonSetKind
from interpreter.workloads.deployment import DeploymentKind
from interpreter.workloads.kind import REVISION, WorkloadError
from interpreter.workloads.knative import KnativeKind
from interpreter.workloads.leads import Leads
from interpreter.workloads.registry import api_version_of, kind_of, ref_of_workload
from interpreter.workloads.selectors import selects
from interpreter.workloads.service import ServiceKind
from interpreter.workloads.statefulset import StatefulSetKind
from tests.interpreter.workloads import made

NOW, DEADLINE = 1_767_225_600_000, 600_000


@pytest.mark.parametrize(
    ("ref", "kind", "api_version"),
    [
        (WorkloadRef("Deployment", "web"), DeploymentKind, "apps/v1"),
        (WorkloadRef("Deployment", "web", "apps/v1beta1"), DeploymentKind, "apps/v1"),
        (WorkloadRef("DaemonSet", "web"), DaemonSetKind, "apps/v1"),
        (WorkloadRef("StatefulSet", "web"), StatefulSetKind, "apps/v1"),
        (WorkloadRef("Service", "web", "v1"), ServiceKind, "v1"),
        (WorkloadRef("Service", "web", "serving.knative.dev/v1"), KnativeKind, "serving.knative.dev/v1"),
    ],
)
def test_the_kinds_that_are_built_in(ref: WorkloadRef, kind: type, api_version: str) -> None:
    assert isinstance(kind_of(ref), kind)
    assert ref_of_workload(ref, "shop") == Ref(api_version, ref.kind, "shop", "web")


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        (WorkloadRef("Revision", "web", "serving.knative.dev/v1"), "does not know the kind"),
        (WorkloadRef("Widget", "web", "example.com/v1"), "does not know the kind `example.com/v1` Widget"),
        (WorkloadRef("Deployment", "web", "example.com/v1"), "does not know the kind"),
    ],
)
def test_kinds_that_cannot_be_rolled_out_say_why(ref: WorkloadRef, says: str) -> None:
    with pytest.raises(WorkloadError, match=says):
        kind_of(ref)


def test_a_kind_of_no_known_version_asks_for_one() -> None:
    assert api_version_of(WorkloadRef("HorizontalPodAutoscaler", "web", "autoscaling/v2beta2")) == "autoscaling/v2"
    with pytest.raises(WorkloadError, match=r"apps\.example\.com/v1/Widget/web"):
        api_version_of(WorkloadRef("Widget", "web"))


class TestService:
    kind = ServiceKind()
    policy = made.program("Service", service=Service("web"))

    def target(self, **spec: Any) -> Manifest:
        found = {
            "type": "LoadBalancer",
            "clusterIP": "10.0.0.1",
            "clusterIPs": ["10.0.0.1"],
            "externalTrafficPolicy": "Local",
            "loadBalancerClass": "x",
            "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP", "nodePort": 30080}],
            **spec,
        }
        return made.service("web", found)[1]

    def test_the_primary_is_the_service_as_it_was_when_it_was_promoted(self) -> None:
        before = made.snapshot(self.kind, self.target())
        now = self.target(selector={"app": "new"})

        primary = self.kind.primary(self.policy, now, before, None, None)

        assert primary["metadata"]["name"] == "web-primary"
        assert primary["metadata"]["annotations"][REVISION] == before.revision
        assert primary["spec"] == {
            "type": "ClusterIP",
            "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
        }
        assert made.snapshot(self.kind, now).revision != before.revision

    def test_the_canary_is_the_service_as_it_is_and_the_apex_is_left_alone(self) -> None:
        target = self.target(selector={"app": "new"})

        found = made.applied(services.services(self.policy, "app", "web", target, {}, leads=Leads.PRIMARY))

        assert list(found) == ["web-canary"]
        assert found["web-canary"]["spec"]["selector"] == {"app": "new"}
        ref, pointed = made.service("web", {"selector": {"app": "web-primary"}})
        assert services.release_services(self.policy, "app", "web", target, {ref: pointed}) == ()

    def test_the_address_is_no_part_of_the_revision_but_headlessness_is(self) -> None:
        one, other = self.target(), self.target(clusterIP="10.0.0.2", clusterIPs=["10.0.0.2"])
        headless = self.target(clusterIP="None", clusterIPs=["None"])

        assert made.snapshot(self.kind, one) == made.snapshot(self.kind, other)
        assert made.snapshot(self.kind, one) != made.snapshot(self.kind, headless)
        assert made.primary(self.kind, headless, policy=self.policy)["spec"]["clusterIP"] == "None"

    def test_it_is_always_ready_and_never_scaled(self) -> None:
        assert self.kind.readiness(self.target(), 100, 0, 0) == Readiness(True)
        assert self.kind.scaled(self.target(), 0) is None
        assert self.kind.replicas(self.target()) == 1

    def test_its_service_keeps_its_name(self) -> None:
        policy = made.program("Service", service=Service("other"))

        with pytest.raises(WorkloadError, match="leave `name` out"):
            services.services(policy, "app", "web", self.target(), {}, leads=Leads.PRIMARY)

    def test_one_for_an_outside_name_has_a_label_all_the_same(self) -> None:
        outside = made.service("web", {"type": "ExternalName", "externalName": "db.example.com"})[1]

        assert self.kind.label(outside) == ("app", "web")
        assert self.kind.label(self.target(selector={"tier": "x", "name": "y"})) == ("name", "y")
        primary = made.primary(self.kind, outside, policy=self.policy)
        assert primary["spec"] == {"type": "ExternalName", "externalName": "db.example.com"}


CRD: Manifest = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "subresources": {
                    "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.sizes.now"}
                },
            },
            {"name": "v2", "served": True, "subresources": {}},
            {"name": "v0", "served": False, "subresources": {"scale": {}}},
        ],
    },
}


def widget(where: str = "template", **spec: Any) -> Manifest:
    pods = made.template()
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "web", "namespace": made.NAMESPACE, "generation": 2},
        "spec": {
            "size": 3,
            "colour": "red",
            "selector": {"matchLabels": {"app": "web"}},
            **({"template": pods} if where == "template" else {"template": "x", "worker": {where: pods}}),
            **spec,
        },
    }


class TestCustom:
    kind = custom_kind(CRD, "example.com/v1")

    @pytest.mark.parametrize("where", ["template", "podTemplate"])
    def test_the_primary_is_the_whole_spec_with_pods_of_its_own(self, where: str) -> None:
        target = widget(where)
        before = copy.deepcopy(target)

        primary = made.primary(self.kind, target, configs=made.CONFIGS, replicas=2)

        pods = self.kind.template(primary)
        assert (primary["apiVersion"], primary["kind"]) == ("example.com/v1", "Widget")
        assert primary["metadata"]["name"] == "web-primary"
        assert (primary["spec"]["size"], primary["spec"]["colour"]) == (2, "red")
        assert primary["spec"]["selector"] == {"matchLabels": {"app": "web-primary"}}
        assert selects(primary["spec"]["selector"], pods["metadata"]["labels"])
        assert pods["spec"]["volumes"][0]["configMap"]["name"] == "settings-primary"
        assert target == before

    def test_replicas_are_left_to_an_autoscaler(self) -> None:
        assert "size" not in made.primary(self.kind, widget(), replicas=None)["spec"]

    def test_a_kind_without_a_selector_is_told_by_its_pods_labels(self) -> None:
        target = widget()
        del target["spec"]["selector"]

        assert self.kind.label(target) == ("app", "web")
        primary = made.primary(self.kind, target)
        assert "selector" not in primary["spec"]
        assert self.kind.label(primary) == ("app", "web-primary")

    def test_it_is_scaled_where_its_definition_says(self) -> None:
        after = made.edited(self.kind.scaled(widget(), 0))

        assert after["spec"]["size"] == 0
        assert self.kind.scaled(after, 0) is None
        assert self.kind.replicas(widget()) == 3
        unsaid = widget()
        del unsaid["spec"]["size"]
        assert self.kind.replicas(unsaid) == 1

    @pytest.mark.parametrize(
        ("status", "ready", "says"),
        [
            ({"sizes": {"now": 3}}, True, ""),
            ({"sizes": {"now": 2}}, False, "2 of 3 pods are there"),
            ({"sizes": {"now": 3}, "observedGeneration": 1}, False, "has not seen the latest change"),
            ({"sizes": {"now": 3}, "observedGeneration": 2}, True, ""),
            ({"conditions": [{"type": "Ready", "status": "True"}]}, True, ""),
            ({"conditions": [{"type": "Ready", "status": "Unknown", "message": "coming"}]}, False, "coming"),
            ({}, False, "has not said yet how many pods"),
        ],
    )
    def test_readiness_is_conditions_and_scale(self, status: dict[str, Any], ready: bool, says: str) -> None:
        found = self.kind.readiness({**widget(), "status": status}, 100, DEADLINE, NOW)

        assert (found.ready, found.failed) == (ready, False)
        assert says in found.reason

    @pytest.mark.parametrize(("since", "failed"), [("2025-12-31T23:49:59Z", True), ("2025-12-31T23:50:01Z", False)])
    def test_a_condition_that_is_false_for_longer_than_the_deadline_fails_it(self, since: str, failed: bool) -> None:
        broken = {"type": "Available", "status": "False", "reason": "Broken", "lastTransitionTime": since}

        found = self.kind.readiness({**widget(), "status": {"conditions": [broken]}}, 100, DEADLINE, NOW)

        assert found == Readiness(False, "Broken", failed=failed)

    def test_one_asked_for_nothing_is_ready_with_nothing(self) -> None:
        assert self.kind.readiness(widget(size=0), 100, DEADLINE, NOW).ready

    def test_a_resource_that_runs_no_pods_is_refused(self) -> None:
        with pytest.raises(WorkloadError, match="no pod template"):
            self.kind.template(widget(template={"spec": {"size": 1}}))

    @pytest.mark.parametrize(
        ("version", "says"), [("v2", "no scale subresource"), ("v0", "only in `v1`, `v2`"), ("v9", "does not serve")]
    )
    def test_a_definition_that_cannot_be_scaled_is_refused(self, version: str, says: str) -> None:
        with pytest.raises(WorkloadError, match=says):
            kind_of(WorkloadRef("Widget", "web", f"example.com/{version}"), CRD)
