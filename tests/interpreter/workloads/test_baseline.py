"""Protects the baseline: the primary's pods once more, which nobody else selects, and nothing that outlives them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interpreter.cluster.names import NUMBER
from interpreter.objects import Apply, Manifest, ref_of
from interpreter.workloads.baseline import baseline, is_of
from interpreter.workloads.deployment import DeploymentKind
from interpreter.workloads.kind import REVISION, WorkloadError, WorkloadKind
from interpreter.workloads.leads import Leads
from interpreter.workloads.selectors import selects
from interpreter.workloads.services import baseline_refs, baseline_services, services
from interpreter.workloads.statefulset import StatefulSetKind
from tests.interpreter.workloads import made

KINDS: list[tuple[WorkloadKind, Any]] = [(DeploymentKind(), made.deployment), (StatefulSetKind(), made.statefulset)]


def copied(kind: WorkloadKind, target: Manifest, primary: Manifest | None = None, run: int = 3) -> Manifest:
    return baseline(target, primary or made.primary(kind, target), kind.label(target), replicas=2, run=run)


def pods(workload: Manifest) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


@pytest.mark.parametrize(("kind", "target"), KINDS)
def test_none_of_the_three_selects_a_pod_of_another(kind: WorkloadKind, target: Any) -> None:
    found = target()
    three = [found, made.primary(kind, found), copied(kind, found)]
    for one in three:
        assert [selects(other["spec"]["selector"], pods(one)) for other in three].count(True) == 1
        assert selects(one["spec"]["selector"], pods(one))


@pytest.mark.parametrize(("kind", "target"), KINDS)
def test_its_pods_are_the_primarys_but_for_the_label_and_the_run(kind: WorkloadKind, target: Any) -> None:
    found = target()
    name = found["metadata"]["name"]
    primary, copy = made.primary(kind, found), copied(kind, found)
    theirs, ours = (json.loads(json.dumps(one["spec"]["template"])) for one in (primary, copy))
    assert ours["metadata"]["annotations"].pop(NUMBER) == "3"
    ours["metadata"]["labels"]["app"] = theirs["metadata"]["labels"]["app"]
    assert json.dumps(ours).replace(f"{name}-baseline", f"{name}-primary") == json.dumps(theirs)
    assert (copy["metadata"]["name"], copy["spec"]["replicas"]) == (f"{name}-baseline", 2)
    assert f"{name}-primary" not in json.dumps([copy["metadata"], copy["spec"]["selector"], ours["spec"]["affinity"]])


def test_it_is_of_one_revision_and_one_run() -> None:
    kind, found = KINDS[0][0], made.deployment()
    primary = made.primary(kind, found)
    revision = primary["metadata"]["annotations"][REVISION]
    copy = copied(kind, found, primary)
    assert is_of(copy, revision, 3)
    assert not is_of(copy, revision, 4)
    assert not is_of(copy, "other", 3)
    assert copied(kind, found, primary, run=4)["spec"]["template"] != copy["spec"]["template"]


def test_a_statefulsets_volumes_go_with_it_and_its_pods_have_names_of_their_own() -> None:
    kind, found = KINDS[1][0], made.statefulset()
    spec = copied(kind, found)["spec"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Delete", "whenScaled": "Delete"}
    assert spec["serviceName"] == "db-pods-baseline"
    assert spec["volumeClaimTemplates"] == made.primary(kind, found)["spec"]["volumeClaimTemplates"]
    assert spec["updateStrategy"]["rollingUpdate"]["partition"] == 0


def test_a_primary_that_would_take_its_pods_is_refused() -> None:
    kind, found = KINDS[0][0], made.deployment()
    primary = made.primary(kind, found)
    primary["spec"]["selector"] = {"matchLabels": {"role": "primary"}}
    pods(primary)["role"] = "primary"
    with pytest.raises(WorkloadError, match="selects its pods by other labels than `app: web-primary`"):
        copied(kind, found, primary)


def test_names_that_are_too_long() -> None:
    found = made.deployment("w" * 55)
    with pytest.raises(WorkloadError, match="too long for a baseline"):
        copied(KINDS[0][0], found)
    found = made.statefulset("d" * 44)
    with pytest.raises(WorkloadError, match="longer than 52 characters"):
        copied(KINDS[1][0], found)


@pytest.mark.parametrize(("kind", "target"), KINDS)
def test_its_services_are_like_the_primarys_and_are_its_own(kind: WorkloadKind, target: Any) -> None:
    found = target()
    name = found["metadata"]["name"]
    policy = made.program(found["kind"], name)
    workload = copied(kind, found)
    workload["metadata"]["uid"] = "u-1"
    label = kind.label(found)
    made_now = [
        one.manifest for one in baseline_services(policy, *label, found, {}, workload) if isinstance(one, Apply)
    ]
    primarys = [one.manifest for one in services(policy, *label, found, {}, Leads.PRIMARY) if isinstance(one, Apply)]
    like = {
        each["metadata"]["name"]: each["spec"] for each in primarys if each["metadata"]["name"].endswith("-primary")
    }
    assert {ref_of(each) for each in made_now} == set(baseline_refs(policy, found))
    for each in made_now:
        spec = like[each["metadata"]["name"].replace("-baseline", "-primary")]
        assert each["spec"] == {**spec, "selector": {"app": f"{name}-baseline"}}
        (owner,) = each["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == (found["kind"], f"{name}-baseline", "u-1")
