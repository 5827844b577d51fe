"""Protects the primary's copies of autoscalers, the pause of a target's, and how many replicas a canary gets."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dsl.ir import Program, Scaler, WorkloadRef
from interpreter.desired import CanaryScale
from interpreter.objects import Ref
from interpreter.workloads import scalers
from interpreter.workloads.kind import WorkloadError
from interpreter.workloads.replicas import canary_replicas
from tests.interpreter.workloads import made


def of(kind: str, **scaler: Any) -> Program:
    return made.program(name="podinfo", scaler=Scaler(WorkloadRef(kind, "podinfo"), **scaler))


def hpa(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "podinfo", "namespace": made.NAMESPACE, "labels": {"team": "shop"}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "minReplicas": 2,
            "maxReplicas": 4,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 9}},
                },
                {"type": "Object", "object": {"describedObject": {"kind": "Deployment", "name": "podinfo"}}},
                {"type": "Object", "object": {"describedObject": {"kind": "Ingress", "name": "podinfo"}}},
            ],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
            **spec,
        },
        "status": {"currentReplicas": 2},
    }


def scaled_object(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {
            "name": "podinfo",
            "namespace": made.NAMESPACE,
            "labels": {"scaledobject.keda.sh/name": "podinfo", "team": "shop"},
            "annotations": {"autoscaling.keda.sh/paused-replicas": "0"},
        },
        "spec": {
            "scaleTargetRef": {"name": "podinfo"},
            "minReplicaCount": 2,
            "maxReplicaCount": 3,
            "advanced": {"horizontalPodAutoscalerConfig": {"name": "podinfo-hpa"}},
            "triggers": [
                {"type": "prometheus", "name": "rate", "metadata": {"query": 'sum(http_requests{app="podinfo"})'}},
                {"type": "cron", "metadata": {"start": "0 8 * * *"}},
            ],
            **spec,
        },
    }


def test_an_hpa_is_copied_for_the_primary_as_it_is_now() -> None:
    found = scalers.primary_scaler(of("HorizontalPodAutoscaler"), hpa())

    assert found["metadata"] == {"name": "podinfo-primary", "namespace": made.NAMESPACE, "labels": {"team": "shop"}}
    spec = found["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo-primary"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 4)
    assert spec["behavior"] == hpa()["spec"]["behavior"]
    assert spec["metrics"][0] == hpa()["spec"]["metrics"][0]
    assert [each["object"]["describedObject"]["name"] for each in spec["metrics"][1:]] == ["podinfo-primary", "podinfo"]
    assert "status" not in found


def test_the_policys_bounds_take_the_place_of_the_targets() -> None:
    found = scalers.primary_scaler(of("HorizontalPodAutoscaler", min_replicas=5, max_replicas=9), hpa())["spec"]

    assert (found["minReplicas"], found["maxReplicas"]) == (5, 9)


def test_bounds_that_cross_are_refused() -> None:
    with pytest.raises(WorkloadError, match="at least 5 and at most 4"):
        scalers.primary_scaler(of("HorizontalPodAutoscaler", min_replicas=5), hpa())


def test_a_scaler_of_something_else_is_refused() -> None:
    other = hpa(scaleTargetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"})

    with pytest.raises(WorkloadError, match="scales Deployment `other`"):
        scalers.primary_scaler(of("HorizontalPodAutoscaler"), other)


def test_a_scaled_object_is_copied_without_its_pause_and_without_kedas_own_label() -> None:
    policy = of("ScaledObject", min_replicas=3, max_replicas=6)

    found = scalers.primary_scaler(policy, scaled_object())

    assert found["metadata"] == {"name": "podinfo-primary", "namespace": made.NAMESPACE, "labels": {"team": "shop"}}
    spec = found["spec"]
    assert spec["scaleTargetRef"] == {"name": "podinfo-primary"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (3, 6)
    assert spec["advanced"]["horizontalPodAutoscalerConfig"]["name"] == "podinfo-hpa-primary"
    assert spec["triggers"][0]["metadata"]["query"] == 'sum(http_requests{app="podinfo-primary"})'
    assert spec["triggers"][1] == scaled_object()["spec"]["triggers"][1]


@pytest.mark.parametrize(
    ("query", "becomes"),
    [
        ('a{app="podinfo"}', 'a{app="podinfo-primary"}'),
        ('a{app="podinfo-canary"}', 'a{app="podinfo-primary"}'),
        ('a{pod=~"podinfo-[0-9a-f]+-.*"}', 'a{pod=~"podinfo-primary-[0-9a-f]+-.*"}'),
        ('a{app="podinfo-primary"}', 'a{app="podinfo-primary"}'),
        ('a{app="mypodinfo", b="x-podinfo", c="podinfos"}', 'a{app="mypodinfo", b="x-podinfo", c="podinfos"}'),
    ],
)
def test_queries_that_speak_of_the_target_speak_of_the_primary(query: str, becomes: str) -> None:
    source = scaled_object(triggers=[{"type": "prometheus", "metadata": {"query": query}}])

    assert scalers.primary_scaler(of("ScaledObject"), source)["spec"]["triggers"][0]["metadata"]["query"] == becomes


def test_a_query_that_the_policy_gives_is_taken_as_it_is() -> None:
    found = scalers.primary_scaler(of("ScaledObject", queries={"rate": 'x{app="podinfo"}'}), scaled_object())

    assert found["spec"]["triggers"][0]["metadata"]["query"] == 'x{app="podinfo"}'


def test_a_scaled_object_is_paused_and_resumed_and_an_hpa_needs_neither() -> None:
    running = scaled_object()
    del running["metadata"]["annotations"]

    paused = made.edited(scalers.paused(running))

    assert paused["metadata"]["annotations"] == {"autoscaling.keda.sh/paused-replicas": "0"}
    assert scalers.paused(paused) is None
    assert made.edited(scalers.resumed(paused))["metadata"]["annotations"] == {}
    assert scalers.resumed(running) is None
    assert scalers.paused(hpa()) is scalers.resumed(hpa()) is None


def test_a_pause_at_another_number_is_the_users() -> None:
    found = scaled_object()
    found["metadata"]["annotations"]["autoscaling.keda.sh/paused-replicas"] = "5"

    assert scalers.resumed(found) is None


@pytest.mark.parametrize(
    ("scaler", "floor"),
    [(hpa(), 2), (hpa(minReplicas=None), 1), (hpa(minReplicas=0), 1), (scaled_object(minReplicaCount=0), 1)],
)
def test_the_fewest_canaries_of_a_scaler(scaler: dict[str, Any], floor: int) -> None:
    assert scalers.canary_floor(scaler) == floor


def test_what_scalers_are_called() -> None:
    assert scalers.target_ref(of("ScaledObject")) == Ref("keda.sh/v1alpha1", "ScaledObject", "test", "podinfo")
    assert scalers.primary_ref(of("HorizontalPodAutoscaler")) == Ref(
        "autoscaling/v2", "HorizontalPodAutoscaler", "test", "podinfo-primary"
    )
    assert scalers.primary_ref(made.program()) is None
    with pytest.raises(WorkloadError, match="no kind of autoscaler"):
        scalers.target_ref(of("VerticalPodAutoscaler"))


def test_rendering_leaves_the_targets_own_scaler_as_it_was() -> None:
    source = scaled_object()
    before = copy.deepcopy(source)

    scalers.primary_scaler(of("ScaledObject"), source)

    assert source == before


@pytest.mark.parametrize(
    ("scale", "primary", "floor", "current", "weight", "wanted"),
    [
        (CanaryScale("off"), 10, 2, 5, 50, 0),
        (CanaryScale("full"), 10, 2, 5, 50, 5),
        (CanaryScale("full"), 10, 2, 0, 50, 2),
        (CanaryScale("full"), 10, None, 0, 50, 10),
        (CanaryScale("full"), 0, None, 0, 50, 1),
        (CanaryScale("share", 25), 10, 2, 5, 0, 3),
        (CanaryScale("share", 10), 10, None, 0, 0, 1),
        (CanaryScale("share", 28), 25, None, 0, 0, 7),
        (CanaryScale("share", 1), 10, None, 0, 0, 1),
        (CanaryScale("replicas", 4), 10, 2, 5, 0, 4),
        (CanaryScale("replicas", 0), 10, 2, 5, 0, 1),
        (CanaryScale("traffic"), 10, 2, 5, 15, 2),
        (CanaryScale("traffic"), 10, 2, 5, 0, 1),
    ],
)
def test_how_many_canaries_a_scale_comes_to(
    scale: CanaryScale, primary: int, floor: int | None, current: int, weight: float, wanted: int
) -> None:
    assert canary_replicas(scale, primary, floor, current, weight) == wanted
