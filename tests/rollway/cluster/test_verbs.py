"""Approve and its likes against a real API server, with the test in the interpreter's place."""

from __future__ import annotations

import json

import pytest

from rollway.exit_codes import ExitCode
from tests.rollway.cluster import writing
from tests.rollway.cluster.conftest import Cluster, on_terminal
from tests.rollway.cluster.objects import LOG, WAITS


def line(what: str, text: str) -> dict[str, object]:
    return {"at": "2026-11-23T10:09:00Z", "step": WAITS, "weight": 50, "what": what, "text": text}


def test_an_approval_is_bound_signed_taken_and_told(cluster: Cluster) -> None:
    owner, run = cluster.waiting()
    seen = {}

    def interpreter() -> None:
        seen.update(cluster.asked(owner, "approve")["metadata"]["annotations"])
        writing.status(cluster.api, run, log=[*LOG, line("Approved", "approved by admin: CHG-1")])
        writing.status(cluster.api, owner, phase="Promoting", reason="waiting for the primary to be ready")
        writing.take(cluster.api, owner, "approve")

    work = cluster.meanwhile(interpreter)
    said = cluster.rollway("approve", "checkout", "--reason", "CHG-1", "--wait", "60s")
    work.result()
    assert said.code == ExitCode.FINE
    assert said.out == "Approved         approved by admin: CHG-1\n"
    assert said.err == (
        f"asked checkout in {cluster.namespace} to approve revision ff87463d6c\n"
        f"checkout in {cluster.namespace} is now in phase Promoting at 50%: waiting for the primary to be ready\n"
    )
    asked = json.loads(seen["rollway.dev/approve"])
    assert asked.pop("at").endswith("Z")
    assert asked.pop("id")
    assert asked == {"revision": "ff87463d6c", "step": WAITS, "by": "admin", "reason": "CHG-1", "via": "cli"}


def test_what_the_interpreter_ignores_is_told_and_an_error(cluster: Cluster) -> None:
    owner, run = cluster.waiting()

    def interpreter() -> None:
        cluster.asked(owner, "pause")
        writing.status(cluster.api, run, log=[*LOG, line("SignalIgnored", "ignored `pause` for revision ff87463d6c")])
        writing.take(cluster.api, owner, "pause")

    work = cluster.meanwhile(interpreter)
    said = cluster.rollway("pause", "checkout", "--wait", "60s")
    work.result()
    assert said.code == ExitCode.FINDINGS
    assert "SignalIgnored" in said.out


def test_what_nobody_takes_stands_and_is_told(cluster: Cluster) -> None:
    owner, _ = cluster.waiting()
    said = cluster.rollway("abort", "checkout", "--wait", "300ms")
    assert said.code == ExitCode.WAITING
    assert "it has not been taken within 0.3s, and stands: is `rollway controller` running" in said.err
    assert cluster.asked(owner, "abort")
    assert "asked for      abort of ff87463d6c by admin" in cluster.rollway("status", "checkout").out


def test_nobody_is_waited_for_if_so_said(cluster: Cluster) -> None:
    cluster.waiting()
    assert cluster.rollway("promote", "checkout", "--no-wait").code == ExitCode.FINE


def test_what_is_kept_for_later_is_not_waited_for(cluster: Cluster) -> None:
    owner = cluster.rollout()
    cluster.run(owner)
    said = cluster.rollway("approve", "checkout", "--wait", "1h")
    assert said.code == ExitCode.FINE
    assert said.err.endswith("it is kept until a step waits for approval\n")


def test_another_revision_is_refused_and_nothing_is_written(cluster: Cluster) -> None:
    owner, _ = cluster.waiting()
    said = cluster.rollway("approve", "checkout", "--revision", "0000000000")
    assert said.code == ExitCode.USAGE
    assert "is at revision `ff87463d6c` (WaitingPromotion), not at `0000000000`" in said.err
    assert "annotations" not in cluster.api.get(writing.path(owner))["metadata"]


def test_a_revision_that_comes_between_reading_and_writing_is_not_approved(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object is read, then another revision takes over, then the approval is written: it must not be."""
    owner, _ = cluster.waiting()

    async def who(api: object) -> str:
        writing.status(cluster.api, owner, revision="1111111111", phase="Progressing")
        return "anna"

    monkeypatch.setattr("rollway.cluster.verbs.who", who)
    said = cluster.rollway("approve", "checkout")
    assert said.code == ExitCode.USAGE
    assert "is at revision `1111111111` (Progressing), not at `ff87463d6c`" in said.err
    assert "annotations" not in cluster.api.get(writing.path(owner))["metadata"]


def test_a_status_that_is_written_in_between_is_no_obstacle(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, _ = cluster.waiting()

    async def who(api: object) -> str:
        writing.status(cluster.api, owner, iterations=5)
        return "anna"

    monkeypatch.setattr("rollway.cluster.verbs.who", who)
    assert cluster.rollway("approve", "checkout", "--no-wait").code == ExitCode.FINE
    assert cluster.asked(owner, "approve")


def test_a_canary_of_flaggers_is_steered_alike(cluster: Cluster) -> None:
    owner = cluster.canary()
    said = cluster.rollway("pause", "cart", "--no-wait")
    assert said.code == ExitCode.FINE
    value = cluster.asked(owner, "pause")["metadata"]["annotations"]["rollway.dev/pause"]
    assert json.loads(value)["revision"] == "68d5b9c6f8"


def test_who_may_not_is_told_what_is_lacking(cluster: Cluster) -> None:
    cluster.waiting()
    reader = {"apiGroups": ["rollway.dev"], "resources": ["rollouts", "rolloutruns"], "verbs": ["get", "list"]}
    canaries = {"apiGroups": ["flagger.app"], "resources": ["canaries"], "verbs": ["get"]}
    kubeconfig = cluster.plane.as_service_account(cluster.namespace, "reader", [reader, canaries])
    said = cluster.rollway("approve", "checkout", kubeconfig=kubeconfig)
    assert said.code == ExitCode.USAGE
    assert 'cannot patch resource "rollouts" in API group "rollway.dev"' in said.err
    assert "grant it in the Role" in said.err


def test_an_abort_is_asked_for_once_more_on_a_terminal(cluster: Cluster) -> None:
    owner, _ = cluster.waiting()
    asked, answered = on_terminal(cluster, b"n\n", "abort", "checkout", "--no-wait")
    assert f"abort `checkout` in `{cluster.namespace}` at 50% of the traffic (revision ff87463d6c)? [y/N]" in asked
    assert answered == ExitCode.USAGE
    assert "annotations" not in cluster.api.get(writing.path(owner))["metadata"]
    _, answered = on_terminal(cluster, b"y\n", "abort", "checkout", "--no-wait")
    assert answered == ExitCode.FINE
    assert cluster.asked(owner, "abort")
    asked, answered = on_terminal(cluster, b"", "abort", "checkout", "--no-wait", "--yes")
    assert answered == ExitCode.FINE
    assert "[y/N]" not in asked
