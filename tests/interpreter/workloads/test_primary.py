"""Protects the derivation of primaries: pods that no other workload selects, rules that speak of the right pods, and
nothing taken over that belongs to the tools that write the target."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsl.ir import Scaler, WorkloadRef
from interpreter.workloads.daemonset import DaemonSetKind
from interpreter.workloads.deployment import DeploymentKind
from interpreter.workloads.kind import REVISION, WorkloadError, WorkloadKind
from interpreter.workloads.metadata import Naming
from interpreter.workloads.selectors import selects
from interpreter.workloads.statefulset import StatefulSetKind
from tests.interpreter.workloads import made

KINDS: list[tuple[WorkloadKind, Any]] = [
    (DeploymentKind(), made.deployment),
    (DaemonSetKind(), made.daemonset),
    (StatefulSetKind(), made.statefulset),
]

label_keys = st.sampled_from(["app", "name", "app.kubernetes.io/name", "tier", "app.kubernetes.io/instance"])
label_values = st.from_regex(re.compile(r"[a-z]([a-z-]{0,6}[a-z])?", re.ASCII), fullmatch=True)
label_sets = st.dictionaries(label_keys, label_values, min_size=1)


@pytest.mark.parametrize(("kind", "target"), KINDS)
@given(selected=label_sets, others=label_sets)
def test_neither_workload_ever_selects_a_pod_of_the_other(
    kind: WorkloadKind, target: Any, selected: dict[str, str], others: dict[str, str]
) -> None:
    found = target()
    found["spec"]["selector"] = {"matchLabels": selected}
    found["spec"]["template"]["metadata"]["labels"] = {**others, **selected}
    try:
        primary = made.primary(kind, found)
    except WorkloadError:
        assert not {"app", "name", "app.kubernetes.io/name"} & set(selected)
        return

    pods = primary["spec"]["template"]["metadata"]["labels"]
    assert selects(primary["spec"]["selector"], pods)
    assert not selects(found["spec"]["selector"], pods)
    assert not selects(primary["spec"]["selector"], found["spec"]["template"]["metadata"]["labels"])


@pytest.mark.parametrize(("kind", "target"), KINDS)
def test_a_primary_has_one_selector_label_the_targets_other_labels_and_its_revision(
    kind: WorkloadKind, target: Any
) -> None:
    found = target()
    name = found["metadata"]["name"]

    primary = made.primary(kind, found)

    revision = made.snapshot(kind, found).revision
    assert primary["metadata"]["name"] == f"{name}-primary"
    assert primary["spec"]["selector"] == {"matchLabels": {"app": f"{name}-primary"}}
    assert primary["spec"]["template"]["metadata"]["labels"] == {
        "app": f"{name}-primary",
        "tier": "front",
        "version": "1",
    }
    assert primary["spec"]["template"]["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        REVISION: revision,
    }
    assert primary["metadata"]["annotations"][REVISION] == revision
    assert kind.template(found) == kind.template(target())  # the target's manifest is left as it was


def test_what_belongs_to_the_targets_own_tools_stays_behind() -> None:
    primary = made.primary(DeploymentKind(), made.deployment())

    assert primary["metadata"]["labels"] == {"app": "web-primary", "team": "shop"}
    assert set(primary["metadata"]["annotations"]) == {"example.com/owner", REVISION, "rollway.dev/replicas"}


def test_labels_go_over_only_with_a_wanted_prefix_but_pods_keep_theirs() -> None:
    kind = DeploymentKind(Naming(prefixes=("te",)))

    primary = made.primary(kind, made.deployment())

    assert primary["metadata"]["labels"] == {"team": "shop"}
    assert primary["spec"]["template"]["metadata"]["labels"]["version"] == "1"


def test_a_deployments_strategy_and_limits_go_over_but_not_that_it_is_paused() -> None:
    target = made.deployment(paused=True)

    spec = made.primary(DeploymentKind(), target)["spec"]

    copied = ("progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy")
    assert {key: spec[key] for key in copied} == {key: target["spec"][key] for key in copied}
    assert "paused" not in spec


def test_affinity_and_spread_that_speak_of_the_target_speak_of_the_primary() -> None:
    spec = made.primary(DeploymentKind(), made.deployment())["spec"]["template"]["spec"]

    anti = spec["affinity"]["podAntiAffinity"]
    here, elsewhere = anti["requiredDuringSchedulingIgnoredDuringExecution"]
    preferred = anti["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]
    near = spec["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]
    assert here["labelSelector"]["matchExpressions"][0]["values"] == ["web-primary", "other"]
    assert elsewhere["labelSelector"] == {"matchLabels": {"app": "web"}}
    assert preferred["labelSelector"] == {"matchLabels": {"app": "web-primary"}}
    assert near["labelSelector"] == {"matchLabels": {"app": "cache"}}
    assert spec["topologySpreadConstraints"][0]["labelSelector"] == {"matchLabels": {"app": "web-primary"}}


def test_tracked_configs_are_named_by_their_copies_and_others_as_they_are() -> None:
    spec = made.primary(DeploymentKind(), made.deployment(), configs=made.CONFIGS)["spec"]["template"]["spec"]

    web, init = spec["containers"][0], spec["initContainers"][0]
    assert web["env"][0]["valueFrom"]["configMapKeyRef"]["name"] == "settings-primary"
    assert web["env"][1]["valueFrom"]["secretKeyRef"]["name"] == "token-primary"
    assert [each["name"] for source in web["envFrom"] for each in source.values()] == ["more-primary", "token-primary"]
    assert init["env"][0]["valueFrom"]["configMapKeyRef"]["name"] == "first-primary"
    assert spec["volumes"][0]["configMap"]["name"] == "settings-primary"
    assert spec["volumes"][1]["secret"]["secretName"] == "tls-primary"
    assert [next(iter(each.values())).get("name") for each in spec["volumes"][2]["projected"]["sources"]] == [
        "more-primary",
        "extra",
        None,
    ]


def test_a_change_of_nothing_but_a_config_changes_the_primarys_pods() -> None:
    before = made.primary(DeploymentKind(), made.deployment(), configs={"configmap/settings": "1"})
    after = made.primary(DeploymentKind(), made.deployment(), configs={"configmap/settings": "2"}, existing=before)

    assert before["spec"]["template"] != after["spec"]["template"]


@pytest.mark.parametrize(("kind", "target"), KINDS)
def test_an_existing_primary_keeps_its_selector_and_its_pods_get_the_labels_for_it(
    kind: WorkloadKind, target: Any
) -> None:
    existing = made.primary(kind, target())
    existing["spec"]["selector"] = {"matchLabels": {"app": f"{target()['metadata']['name']}-primary", "track": "live"}}

    primary = made.primary(kind, target(), existing=existing)

    assert primary["spec"]["selector"] == existing["spec"]["selector"]
    assert selects(primary["spec"]["selector"], primary["spec"]["template"]["metadata"]["labels"])


@pytest.mark.parametrize("labels", [{"tier": "front"}, {"app": "web", "track": "live"}, {"app": "other"}])
def test_an_existing_primary_that_cannot_be_told_from_the_target_is_refused(labels: dict[str, str]) -> None:
    existing = made.primary(DeploymentKind(), made.deployment())
    existing["spec"]["selector"] = {"matchLabels": labels}

    with pytest.raises(WorkloadError, match="rename or delete `web-primary`"):
        made.primary(DeploymentKind(), made.deployment(), existing=existing)


class TestTakenOverFromFlagger:
    """A primary that Flagger made has a random id on its pods, and no revision of ours."""

    def flaggers(self, **annotations: str) -> Any:
        existing = made.primary(DeploymentKind(), made.deployment())
        existing["metadata"]["annotations"] = annotations
        existing["spec"]["template"]["metadata"]["annotations"] = {"prometheus.io/scrape": "true", "flagger-id": "5f"}
        return existing

    def test_its_pods_are_not_rolled_when_it_runs_the_same(self) -> None:
        existing = self.flaggers()

        primary = made.primary(DeploymentKind(), made.deployment(), existing=existing)
        again = made.primary(DeploymentKind(), made.deployment(), existing={**existing, **primary})

        assert primary["spec"]["template"] == again["spec"]["template"] == existing["spec"]["template"]

    def test_its_pods_are_rolled_when_it_runs_something_else(self) -> None:
        existing = self.flaggers()
        existing["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/web:0"

        pods = made.primary(DeploymentKind(), made.deployment(), existing=existing)["spec"]["template"]

        assert pods["metadata"]["annotations"][REVISION]
        assert "flagger-id" not in pods["metadata"]["annotations"]

    def test_a_config_that_changes_later_rolls_them(self) -> None:
        existing = self.flaggers(**{REVISION: "0123456789"})

        pods = made.primary(DeploymentKind(), made.deployment(), existing=existing)["spec"]["template"]

        assert pods["metadata"]["annotations"][REVISION]


class TestReplicas:
    """Server-side apply takes a field back to 1 when we stop to apply it and nobody else owns it."""

    kind = DeploymentKind()
    scaled = made.program(scaler=Scaler(WorkloadRef("HorizontalPodAutoscaler", "web")))

    def test_a_number_is_applied(self) -> None:
        assert made.primary(self.kind, made.deployment(), replicas=5)["spec"]["replicas"] == 5

    def test_an_autoscalers_are_left_out(self) -> None:
        first = made.primary(self.kind, made.deployment(), replicas=5, policy=self.scaled)
        later = made.primary(self.kind, made.deployment(), replicas=None, policy=self.scaled, existing=first)

        assert first["spec"]["replicas"] == 5
        assert "replicas" not in later["spec"]

    def test_a_number_that_was_applied_is_kept_until_the_autoscaler_has_written_its_own(self) -> None:
        existing = made.primary(self.kind, made.deployment(), replicas=5)

        kept = made.primary(self.kind, made.deployment(), replicas=None, policy=self.scaled, existing=existing)
        existing["spec"]["replicas"] = 7
        left = made.primary(self.kind, made.deployment(), replicas=None, policy=self.scaled, existing=existing)

        assert kept["spec"]["replicas"] == 5
        assert "replicas" not in left["spec"]
        assert "rollway.dev/replicas" not in left["metadata"]["annotations"]


def test_entries_that_stand_twice_stand_once_and_the_last_one_counts() -> None:
    target = made.deployment()
    web = target["spec"]["template"]["spec"]["containers"][0]
    web["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "A", "value": "3"}]
    target["spec"]["template"]["spec"]["imagePullSecrets"] = [{"name": "pull"}, {"name": "pull"}]

    spec = made.primary(DeploymentKind(), target)["spec"]["template"]["spec"]

    assert spec["containers"][0]["env"] == [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]
    assert spec["imagePullSecrets"] == [{"name": "pull"}]


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ({"matchLabels": {"tier": "front"}}, "none of the labels `app`, `name`, `app.kubernetes.io/name`"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "none of the labels"),
        ({"matchLabels": {"app": "w" * 56}}, "too long"),
    ],
)
def test_a_target_whose_pods_cannot_be_told_apart_is_refused_with_what_to_do(selector: Any, says: str) -> None:
    with pytest.raises(WorkloadError, match=says):
        DeploymentKind().label(made.deployment(selector=selector))


def test_the_first_selector_label_counts() -> None:
    target = made.deployment(selector={"matchLabels": {"app.kubernetes.io/name": "x", "name": "y"}})

    assert DeploymentKind().label(target) == ("name", "y")


def test_the_affinity_of_flaggers_own_sample_survives() -> None:
    target = made.sample("docs/faq/support/faq--08-deployment-podinfo.yaml")
    if target is None:
        pytest.skip("the samples are not here")
    target["spec"]["template"]["spec"]["containers"] = [{"name": "podinfo", "image": "x"}]

    spec = made.primary(DeploymentKind(), target)["spec"]

    assert spec["template"]["metadata"]["labels"] == {"app": "podinfo-primary", "affinity": "podinfo"}
    assert spec["template"]["spec"]["affinity"] == target["spec"]["template"]["spec"]["affinity"]


class TestDaemonSet:
    kind = DaemonSetKind()

    @pytest.mark.parametrize("mark", ["rollway.dev/scale-to-zero", "flagger.app/scale-to-zero"])
    def test_the_mark_of_zero_is_understood_cleared_and_no_part_of_the_revision(self, mark: str) -> None:
        target, plain = made.daemonset(), made.daemonset()
        for each in (target, plain):
            each["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
        target["spec"]["template"]["spec"]["nodeSelector"][mark] = "true"

        assert self.kind.replicas(target) == 0
        assert self.kind.scaled(target, 0) is None
        assert made.edited(self.kind.scaled(target, 1)) == plain
        assert made.snapshot(self.kind, target) == made.snapshot(self.kind, plain)
        assert made.primary(self.kind, target)["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "ssd"}

    def test_to_nothing_and_back_is_where_it_began(self) -> None:
        target = made.daemonset()

        nothing = made.edited(self.kind.scaled(target, 0))

        assert nothing["spec"]["template"]["spec"]["nodeSelector"] == {"rollway.dev/scale-to-zero": "true"}
        assert self.kind.scaled(nothing, 0) is None
        assert made.edited(self.kind.scaled(nothing, 3)) == target
        assert self.kind.scaled(target, 3) is None

    def test_one_whose_pods_are_not_replaced_by_themselves_is_refused(self) -> None:
        target = made.daemonset()
        target["spec"]["updateStrategy"] = {"type": "OnDelete"}

        with pytest.raises(WorkloadError, match="set it to `RollingUpdate`"):
            made.primary(self.kind, target)


class TestStatefulSet:
    kind = StatefulSetKind()

    def test_a_new_primary_has_claims_and_a_governing_service_of_its_own(self) -> None:
        spec = made.primary(self.kind, made.statefulset())["spec"]

        assert spec["serviceName"] == "db-pods-primary"
        assert spec["podManagementPolicy"] == "Parallel"
        assert spec["ordinals"] == {"start": 1}
        assert [each["metadata"]["name"] for each in spec["volumeClaimTemplates"]] == ["data"]
        assert "status" not in spec["volumeClaimTemplates"][0]

    def test_a_partition_would_leave_the_primary_with_two_revisions(self) -> None:
        assert made.primary(self.kind, made.statefulset())["spec"]["updateStrategy"]["rollingUpdate"]["partition"] == 0

    def test_an_existing_primary_keeps_what_cannot_be_changed(self) -> None:
        existing = made.primary(self.kind, made.statefulset())
        existing["spec"] |= {"serviceName": "elsewhere", "podManagementPolicy": "OrderedReady"}

        spec = made.primary(self.kind, made.statefulset(), existing=existing)["spec"]

        assert (spec["serviceName"], spec["podManagementPolicy"]) == ("elsewhere", "OrderedReady")

    def test_other_claims_than_the_primarys_are_refused(self) -> None:
        existing, target = made.primary(self.kind, made.statefulset()), made.statefulset()
        target["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = "2Gi"

        with pytest.raises(WorkloadError, match="volumeClaimTemplates"):
            made.primary(self.kind, target, existing=existing)

    def test_a_name_that_leaves_no_room_for_pods_is_refused(self) -> None:
        with pytest.raises(WorkloadError, match="shorter name"):
            made.primary(self.kind, made.statefulset("d" * 45))


def test_scaling_a_deployment_changes_its_replicas_and_nothing_else() -> None:
    target = made.deployment()
    kind = DeploymentKind()

    after = made.edited(kind.scaled(target, 0))

    assert kind.replicas(after) == 0
    assert kind.scaled(after, 0) is None
    expected = copy.deepcopy(target)
    expected["spec"]["replicas"] = 0
    assert after == expected
    assert kind.replicas(made.deployment(replicas=None)) == 1
