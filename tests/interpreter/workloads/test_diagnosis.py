"""Protects what a person is told about pods that do not become ready: the cause, the worst first, and no secret."""

from __future__ import annotations

from typing import Any

import pytest

from interpreter.objects import Manifest
from interpreter.workloads.diagnosis import MOST, why

BACK_OFF = {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=web pod=web-6d_test(1)"}


def pod(uid: str = "1", **status: Any) -> Manifest:
    return {"metadata": {"name": f"web-{uid}", "uid": uid}, "status": {"phase": "Pending", **status}}


def container(state: dict[str, Any], last: dict[str, Any] | None = None, **more: Any) -> Manifest:
    status = {"name": "web", "image": "example.com/web:2", "state": state, "lastState": last or {}, **more}
    return pod(containerStatuses=[status])


def ready() -> Manifest:
    return pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}])


def warning(reason: str, message: str, uid: str = "1") -> Manifest:
    return {"type": "Warning", "reason": reason, "message": message, "involvedObject": {"uid": uid}}


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (
            container({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling"}}),
            "cannot pull image `example.com/web:2` (ImagePullBackOff)",
        ),
        (container({"waiting": {"reason": "ErrImagePull"}}), "cannot pull image `example.com/web:2` (ErrImagePull)"),
        (
            container({"waiting": BACK_OFF}, {"terminated": {"exitCode": 3, "reason": "Error", "message": "no\nport"}}),
            "container `web` ended with exit code 3 (CrashLoopBackOff): no port",
        ),
        (container({"waiting": BACK_OFF}), "container `web` crashes again and again (CrashLoopBackOff)"),
        (container({"terminated": {"exitCode": 2}}), "container `web` ended with exit code 2"),
        (
            container({"waiting": BACK_OFF}, {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            "container `web` was killed for want of memory (OOMKilled)",
        ),
        (
            container(
                {"waiting": {"reason": "CreateContainerConfigError", "message": 'configmap "settings" not found'}}
            ),
            'container `web` cannot be made: configmap "settings" not found',
        ),
        (container({"waiting": {"reason": "Strange", "message": "odd"}}), "container `web` waits: odd"),
        (container({"running": {}}, ready=False), "container `web` runs but is not ready: its readiness probe fails"),
        (
            pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/2 nodes: Insufficient cpu."}]),
            "cannot be scheduled: 0/2 nodes: Insufficient cpu.",
        ),
        (pod(phase="Failed", reason="Evicted", message="low on memory"), "evicted: low on memory"),
        (pod(phase="Failed", message="deadline"), "failed: deadline"),
        (
            pod(initContainerStatuses=[{"name": "init", "state": {"terminated": {"exitCode": 1}}}]),
            "container `init` ended with exit code 1",
        ),
        (
            pod(
                conditions=[{"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": "gate"}]
            ),
            "a readiness gate is not passed: gate",
        ),
    ],
)
def test_each_failure_in_words(found: Manifest, says: str) -> None:
    assert why([found]) == f"1 of 1 pod: {says}"


def test_nothing_is_said_of_pods_that_are_ready_or_on_their_way_or_going() -> None:
    going = {**pod(phase="Failed"), "metadata": {"deletionTimestamp": "now", "uid": "2"}}

    assert why([]) == ""
    assert why([ready(), pod(), container({"waiting": {"reason": "ContainerCreating"}}), going]) == ""
    assert why([pod(phase="Succeeded", containerStatuses=[{"state": {"terminated": {"exitCode": 0}}}])]) == ""


def test_causes_are_counted_and_told_worst_first() -> None:
    probe = container({"running": {}}, ready=False)
    image = container({"waiting": {"reason": "ErrImagePull"}})

    told = why([probe, image, ready(), probe])

    assert told == (
        "1 of 4 pods: cannot pull image `example.com/web:2` (ErrImagePull); "
        "2 of 4 pods: container `web` runs but is not ready: its readiness probe fails"
    )


def test_a_pod_with_two_failures_tells_the_worse() -> None:
    found = container({"waiting": {"reason": "ErrImagePull"}})
    found["status"]["containerStatuses"].insert(0, {"name": "side", "state": {"running": {}}, "ready": False})

    assert why([found]) == "1 of 1 pod: cannot pull image `example.com/web:2` (ErrImagePull)"


def test_events_tell_what_a_pod_does_not() -> None:
    probe, stuck = container({"running": {}}, ready=False), pod("2")
    events = [
        warning("Unhealthy", "Readiness probe failed: HTTP 503 from 10.32.0.7:8080"),
        warning("FailedMount", 'secret "tls" not found', "2"),
        warning("Unhealthy", "of another", "3"),
        {**warning("FailedMount", "not a warning", "2"), "type": "Normal"},
    ]

    assert why([probe, stuck], events) == (
        '1 of 2 pods: cannot be started: secret "tls" not found; '
        "1 of 2 pods: container `web` runs but is not ready: Readiness probe failed: HTTP 503 from …"
    )


def test_pods_that_could_not_even_be_made_are_told_by_an_event() -> None:
    assert why([], [warning("FailedCreate", "exceeded quota: small")]) == "no pods: exceeded quota: small"


def test_it_is_short_and_hides_what_looks_secret() -> None:
    last = {"terminated": {"exitCode": 1, "message": "password=hunter2 " + "x" * 1000}}
    pods = [
        container({"waiting": {**BACK_OFF}}, last),
        container({"waiting": {"reason": "ErrImagePull"}}, image="i" * 400),
    ]

    told = why(pods)

    assert len(told) <= MOST
    assert "hunter2" not in why(pods[:1])
    assert "***" in why(pods[:1])
