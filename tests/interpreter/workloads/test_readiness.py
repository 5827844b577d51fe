"""Protects what ready means for each kind, and that failed means that waiting will not help."""

from __future__ import annotations

from typing import Any

import pytest

from interpreter.objects import Manifest
from interpreter.questions import Readiness
from interpreter.workloads.daemonset import DaemonSetKind
from interpreter.workloads.deployment import DeploymentKind
from interpreter.workloads.statefulset import StatefulSetKind
from tests.interpreter.workloads import made

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
DEADLINE = 600_000
SEEN = {"observedGeneration": 1}


def at(seconds_ago: int) -> str:
    minutes, seconds = divmod(86_400 - seconds_ago, 60)
    return f"2025-12-31T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}Z"


def deployment(status: dict[str, Any], share: float = 100, **spec: Any) -> Readiness:
    return DeploymentKind().readiness({**made.deployment(**spec), "status": status}, share, DEADLINE, NOW)


def progressing(reason: str, seconds_ago: int = 0, message: str = "") -> dict[str, str]:
    return {"type": "Progressing", "reason": reason, "lastUpdateTime": at(seconds_ago), "message": message}


def unavailable(seconds_ago: int) -> dict[str, str]:
    return {
        "type": "Available",
        "status": "False",
        "reason": "MinimumReplicasUnavailable",
        "lastUpdateTime": at(seconds_ago),
    }


def refused(said: str) -> dict[str, str]:
    return {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said}


UP = {**SEEN, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({}, "has not seen the latest change"),
        ({**UP, "observedGeneration": 0}, "has not seen the latest change"),
        ({**UP, "updatedReplicas": 2}, "2 of 3 pods are updated"),
        (
            {**UP, "updatedReplicas": 2, "conditions": [refused('pods "a-5d-x7" is forbidden: exceeded quota: room')]},
            "2 of 3 pods are updated: exceeded quota: room",
        ),
        ({**UP, "replicas": 5}, "2 old pods are still there"),
        ({**UP, "replicas": 4}, "1 old pod is still there"),
        ({**UP, "availableReplicas": 2}, "2 of 3 pods are available"),
    ],
)
def test_a_deployment_that_is_on_its_way_says_what_is_missing(status: dict[str, Any], says: str) -> None:
    found = deployment(status)

    assert (found.ready, found.failed) == (False, False)
    assert says in found.reason


def test_a_deployment_is_ready_when_all_is_updated_and_available_and_nothing_old_is_left() -> None:
    assert deployment(UP) == Readiness(True)


@pytest.mark.parametrize(
    ("available", "share", "ready"), [(2, 50, True), (1, 50, False), (0, 0, True), (2, 100, False)]
)
def test_the_share_of_available_pods_that_is_asked_for_is_enough(available: int, share: float, ready: bool) -> None:
    assert deployment({**UP, "availableReplicas": available}, share).ready is ready


def test_a_deployment_asked_for_no_pods_is_ready_with_none() -> None:
    assert deployment(SEEN, replicas=0).ready


def test_no_progress_within_its_own_deadline_fails_it_with_the_servers_words() -> None:
    status = {**UP, "updatedReplicas": 1, "conditions": [progressing("ProgressDeadlineExceeded", message="no luck")]}

    assert deployment(status) == Readiness(False, "no luck", failed=True)


def test_a_condition_of_an_earlier_generation_fails_nothing() -> None:
    status = {"observedGeneration": 0, "conditions": [progressing("ProgressDeadlineExceeded")]}

    assert not deployment(status).failed


@pytest.mark.parametrize(
    ("unavailable_s", "progress_s", "failed"), [(601, 601, True), (599, 601, False), (86_000, 5, False)]
)
def test_too_few_pods_for_longer_than_the_deadline_fail_it_unless_it_has_made_progress_since(
    unavailable_s: int, progress_s: int, failed: bool
) -> None:
    conditions = [unavailable(unavailable_s), progressing("ReplicaSetUpdated", progress_s)]

    found = deployment({**UP, "availableReplicas": 0, "conditions": conditions})

    assert (found.ready, found.failed) == (False, failed)
    assert "0 of 3 pods are available" in found.reason


def test_a_paused_deployment_says_so() -> None:
    found = deployment(UP, paused=True)

    assert not found.ready
    assert "kubectl rollout resume deployment/web" in found.reason


def daemonset(status: dict[str, Any], share: float = 100, *, zero: bool = False) -> Readiness:
    workload = made.daemonset()
    if zero:
        workload = made.edited(DaemonSetKind().scaled(workload, 0))
    return DaemonSetKind().readiness({**workload, "status": status}, share, DEADLINE, NOW)


@pytest.mark.parametrize(
    ("status", "share", "says"),
    [
        ({}, 100, "has not seen"),
        ({**SEEN, "desiredNumberScheduled": 0}, 100, "no node"),
        ({**SEEN, "desiredNumberScheduled": 4, "updatedNumberScheduled": 3}, 100, "3 of 4 pods are updated"),
        (
            {**SEEN, "desiredNumberScheduled": 4, "updatedNumberScheduled": 4, "numberAvailable": 2},
            75,
            "2 of 4 pods are available",
        ),
        ({**SEEN, "desiredNumberScheduled": 4, "updatedNumberScheduled": 4, "numberAvailable": 2}, 50, ""),
    ],
)
def test_a_daemonset_is_ready_when_each_node_has_its_latest_pod(
    status: dict[str, Any], share: float, says: str
) -> None:
    found = daemonset(status, share)

    assert found.ready is not bool(says)
    assert says in found.reason


def test_a_daemonset_scaled_to_nothing_is_ready_with_nothing() -> None:
    assert daemonset(SEEN, zero=True).ready
    assert DaemonSetKind().replicas({**made.daemonset(), "status": {"desiredNumberScheduled": 4}}) == 4


def statefulset(partition: int = 0, **status: Any) -> Readiness:
    workload: Manifest = made.statefulset()
    workload["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = partition
    return StatefulSetKind().readiness({**workload, "status": {**SEEN, **status}}, 100, DEADLINE, NOW)


ROLLING = {"currentRevision": "db-1", "updateRevision": "db-2", "replicas": 3, "availableReplicas": 3}
ROLLED = {**ROLLING, "currentRevision": "db-2"}


def test_a_statefulset_is_ready_when_every_pod_is_of_the_update_revision() -> None:
    assert statefulset(**ROLLED).ready
    assert statefulset(**ROLLING, updatedReplicas=3).ready
    assert "2 of 3 pods are updated" in statefulset(**ROLLING, updatedReplicas=2).reason
    assert "2 of 3 pods are updated" in statefulset(**{**ROLLED, "replicas": 2}).reason
    assert "2 of 3 pods are available" in statefulset(**{**ROLLED, "availableReplicas": 2}).reason
    assert "4 pods still, 1 more than wanted" in statefulset(**{**ROLLED, "replicas": 4}).reason


def test_a_partition_that_holds_pods_back_is_named() -> None:
    assert "`partition: 2`" in statefulset(2, **ROLLING, updatedReplicas=1).reason
