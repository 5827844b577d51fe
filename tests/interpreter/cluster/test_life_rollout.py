"""Protects a rollout by weights on Istio, from a new revision to its end, and all that people do to one on its way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.interpreter.cluster.history import history
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, canary_weight, life

FAST = 20.0
"""A gate is asked every ten seconds of a policy's time."""


def policy(hooks: Hooks, steps: str, *more: str, gates: str = "go") -> str:
    """A rollout of `web` by these steps, in which the gates are shut to begin with."""
    declared = hooks.gate(*gates.split())
    parts = ["target deployment/web", "service { port 80; target_port http }", "traffic istio", "deadline 10m", *more]
    return f"{declared}\nrollout web in NAMESPACE {{\n" + "\n".join([*parts, f"steps {{\n{steps}\n}}"]) + "\n}"


CANARY = "shift to 10%\n wait for gate go\n shift to 30%\n shift to 50%\n promote"


@asynccontextmanager
async def rollout(
    kubeconfig: str, namespace: str, text: str, *, speed: float = FAST, **settings: Any
) -> AsyncIterator[Life]:
    """A rollout that has its first primary."""
    async with life(kubeconfig, namespace, speed=speed, **settings) as at_work:
        await at_work.deployment()
        await at_work.rollout(text)
        await at_work.phase("Initialized")
        yield at_work


async def test_by_weights_and_a_gate_to_a_promotion(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, policy(hooks, CANARY)) as at_work:
        first = await at_work.status()
        async with history(at_work, "VirtualService", "Deployment", "Service", "Pod", "Rollout") as seen:
            await at_work.push("web:2")
            status = await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
            assert (status["weight"], status["step"]["text"]) == (10, "wait for gate go")
            assert await at_work.image("web-primary") == "web:1"
            hooks.open("go")
            status = await at_work.phase("Succeeded")
            await at_work.so(lambda: _down(at_work), "the canary goes down")
    assert seen.values("VirtualService", "web", canary_weight) == [0, 10, 30, 50, 0]
    assert await _images(seen) == ["web:1", "web:2"]
    assert 0 not in seen.behind("web")
    told = seen.values("Rollout", "web", lambda one: one.get("status", {}).get("phase"))
    assert told == ["Initialized", "Progressing", "Promoting", "Succeeded"]
    assert status["lastPromotedSpec"] == status["lastAppliedSpec"] != first["lastPromotedSpec"]
    assert [call.body["weight"] for call in hooks.called("go")][-1] == 10


async def _down(at_work: Life) -> bool:
    return await at_work.replicas("web") == 0


async def _images(seen: Any) -> list[str]:
    return list(
        seen.values("Deployment", "web-primary", lambda one: one["spec"]["template"]["spec"]["containers"][0]["image"])
    )


async def test_a_canary_gets_traffic_only_when_it_is_ready(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with (
        rollout(kubeconfig, namespace, policy(hooks, "shift to 10%\n promote")) as at_work,
        history(at_work, "VirtualService", "Deployment") as seen,
    ):
        await at_work.push("web:2", ready_after="1s")
        await at_work.phase("Succeeded")
    ready_then = []
    for world in seen.worlds():
        named = {(ref.kind, ref.name): one for ref, one in world.items()}
        if canary_weight(named["VirtualService", "web"]):
            ready_then.append(named["Deployment", "web"]["status"].get("readyReplicas", 0))
    assert ready_then
    assert set(ready_then) == {2}


# --- people -----------------------------------------------------------------------------------------------------


APPROVED = "shift to 10%\n wait for approval\n shift to 50%\n promote"


async def test_an_approval_is_of_one_revision(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, policy(hooks, APPROVED)) as at_work:
        await at_work.push("web:2")
        await at_work.until(lambda seen: "waiting for approval" in seen.get("reason", ""))
        earlier = (await at_work.status())["revision"]
        await at_work.push("web:3")
        await at_work.until(lambda seen: seen["revision"] != earlier and "approval" in seen.get("reason", ""))
        await at_work.annotate(approve=earlier)
        said = await at_work.happened("SignalIgnored", earlier)
        assert "approve" in said
        await at_work.so(lambda: _without_annotations(at_work), "the late click is taken off")
        assert (await at_work.status())["weight"] == 10
        revision = (await at_work.status())["revision"]
        await at_work.annotate(approve=json.dumps({"revision": revision, "by": "anna", "reason": "looks good"}))
        await at_work.phase("Succeeded")
        assert "anna" in await at_work.happened("Approved")
        assert await _without_annotations(at_work)
        (approval,) = (await at_work.state()).run.approvals  # type: ignore[union-attr]
        assert (approval.who, approval.via, approval.reason) == ("anna", "annotation", "looks good")


async def _without_annotations(at_work: Life) -> bool:
    annotations = (await at_work.get("Rollout", "web"))["metadata"].get("annotations") or {}
    return not [key for key in annotations if key.startswith("rollway.dev/")]


async def test_the_same_approval_given_twice_works_twice(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    steps = "shift to 10%\n wait for approval\n shift to 50%\n wait for approval\n promote"
    async with rollout(kubeconfig, namespace, policy(hooks, steps)) as at_work:
        await at_work.push("web:2")
        revision = await at_work.taken_up()
        for weight in (10, 50):
            await at_work.weighs(weight)
            await at_work.until(lambda seen: "waiting for approval" in seen["reason"])
            await at_work.so(lambda: _without_annotations(at_work), "the last one is taken off")
            await at_work.annotate(approve=revision)
        await at_work.phase("Succeeded")


async def test_what_cannot_be_read_is_taken_off_and_said(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, policy(hooks, APPROVED)) as at_work:
        await at_work.push("web:2")
        await at_work.until(lambda seen: "waiting for approval" in seen.get("reason", ""))
        await at_work.annotate(approve="{not json")
        said = await at_work.happened("SignalIgnored")
        assert "rollway.dev/approve" in said
        await at_work.so(lambda: _without_annotations(at_work), "it is taken off")
        assert (await at_work.status())["weight"] == 10


async def test_an_abort_and_a_retry(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with (
        rollout(kubeconfig, namespace, policy(hooks, CANARY)) as at_work,
        history(at_work, "VirtualService") as seen,
    ):
        await at_work.push("web:2")
        revision = await at_work.taken_up()
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        await at_work.annotate(abort=json.dumps({"revision": revision, "by": "ben", "reason": "wrong colour"}))
        status = await at_work.phase("Failed")
        assert status["reason"] == "aborted by ben: wrong colour"
        await at_work.so(lambda: _down(at_work), "the canary goes down")
        assert await at_work.image("web-primary") == "web:1"
        hooks.open("go")
        await at_work.annotate(retry=revision)
        await at_work.phase("Succeeded")
        assert await at_work.image("web-primary") == "web:2"
    assert seen.values("VirtualService", "web", canary_weight) == [0, 10, 0, 10, 30, 50, 0]


async def test_promoted_by_hand(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, policy(hooks, CANARY)) as at_work:
        await at_work.push("web:2")
        revision = await at_work.taken_up()
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        await at_work.annotate(promote=revision)
        await at_work.phase("Succeeded")
        assert await at_work.image("web-primary") == "web:2"
        assert "by hand" in await at_work.happened("Promoting")


async def test_pause_and_resume(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, policy(hooks, CANARY)) as at_work:
        await at_work.push("web:2")
        revision = await at_work.taken_up()
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        await at_work.annotate(pause=revision)
        await at_work.until(lambda seen: seen.get("reason") == "paused")
        hooks.open("go")
        asked = len(hooks.called("go"))
        await at_work.annotate(pause=None)
        await at_work.push("web:2")  # the same: a change of the object that changes nothing
        assert (await at_work.status())["weight"] == 10
        assert len(hooks.called("go")) == asked
        await at_work.annotate(resume=revision)
        await at_work.phase("Succeeded")


async def test_suspended_it_stays_as_it_is(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, policy(hooks, CANARY)) as at_work:
        await at_work.push("web:2")
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        await at_work.edit("Rollout", "web", {"spec": {"suspend": True}})
        await at_work.until(lambda seen: seen.get("reason") == "suspended: the traffic stays as it is")
        hooks.open("go")
        assert await at_work.weight() == 10
        assert (await at_work.status())["phase"] == "Progressing"
        await at_work.edit("Rollout", "web", {"spec": {"suspend": False}})
        await at_work.phase("Succeeded")


# --- other revisions --------------------------------------------------------------------------------------------


async def test_a_newer_revision_starts_again_from_the_first_step(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    text = policy(hooks, "shift to 10%\n shift to 30%\n wait for gate go\n promote")
    async with (
        rollout(kubeconfig, namespace, text) as at_work,
        history(at_work, "VirtualService", "Deployment") as seen,
    ):
        await at_work.push("web:2")
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        await at_work.push("web:3")
        await at_work.until(lambda seen: seen["run"] == "web-2" and "waiting for gate" in seen.get("reason", ""))
        hooks.open("go")
        await at_work.phase("Succeeded")
        assert (await at_work.get("RolloutRun", "web-1"))["status"]["outcome"] == "superseded"
    assert seen.values("VirtualService", "web", canary_weight) == [0, 10, 30, 0, 10, 30, 0]
    assert await _images(seen) == ["web:1", "web:3"]


async def test_back_to_the_old_revision_ends_unharmed(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, policy(hooks, CANARY)) as at_work:
        await at_work.push("web:2")
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        await at_work.push("web:1")
        status = await at_work.phase("Succeeded")
        assert await at_work.weight() == 0
        assert (await at_work.get("RolloutRun", "web-1"))["status"]["outcome"] == "reverted"
        assert status["lastPromotedSpec"] == status["lastAppliedSpec"]
        await at_work.so(lambda: _down(at_work), "the canary goes down")


async def test_a_target_that_is_edited_during_the_promotion_never_reaches_the_primary(
    kubeconfig: str, namespace: str, hooks: Hooks
) -> None:
    text = policy(hooks, "shift to 10%\n wait for gate go\n promote")
    async with (
        rollout(kubeconfig, namespace, text) as at_work,
        history(at_work, "VirtualService", "Deployment") as seen,
    ):
        await at_work.push("web:2", ready_after="1500ms")
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        hooks.open("go")
        await at_work.phase("Promoting")
        hooks.shut.add("go")
        await at_work.push("web:3")
        status = await at_work.until(lambda seen: seen["run"] == "web-2" and "gate" in seen.get("reason", ""))
        assert await at_work.image("web-primary") == "web:2"
        assert status["weight"] == 10
        hooks.open("go")
        await at_work.phase("Succeeded")
    assert await _images(seen) == ["web:1", "web:2", "web:3"]
    assert (await _run(seen, "web")) == [0, 10, 0, 10, 0]


async def _run(seen: Any, name: str) -> list[int]:
    return list(seen.values("VirtualService", name, canary_weight))


@pytest.mark.parametrize("stays_up", [True, False])
async def test_promoted_again_after_a_crash_of_the_controller(
    kubeconfig: str, namespace: str, hooks: Hooks, stays_up: bool
) -> None:
    """The target has moved on, and the controller that began the promotion is gone: the run has kept what it began."""
    text = policy(hooks, "shift to 10%\n wait for gate go\n promote")
    async with rollout(kubeconfig, namespace, text) as at_work:
        await at_work.push("web:2", ready_after="2s")
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        if not stays_up:
            await at_work.stop()
        hooks.open("go")
        if stays_up:
            await at_work.phase("Promoting")
            await at_work.stop()
        await at_work.push("web:3")
        await at_work.start()
        await at_work.phase("Succeeded")
        await at_work.until(lambda seen: seen["phase"] == "Succeeded" and seen["run"] == "web-2")
        assert await at_work.image("web-primary") == "web:3"


async def test_analysis_can_be_skipped(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with (
        rollout(kubeconfig, namespace, policy(hooks, CANARY, "skip analysis")) as at_work,
        history(at_work, "VirtualService") as seen,
    ):
        await at_work.push("web:2")
        await at_work.phase("Succeeded")
        assert await at_work.image("web-primary") == "web:2"
    assert await _run(seen, "web") == [0]


# --- promotions -------------------------------------------------------------------------------------------------


async def test_traffic_returns_in_steps(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    text = policy(hooks, "shift to 90%\n promote by 40% every 10s")
    async with rollout(kubeconfig, namespace, text) as at_work, history(at_work, "VirtualService") as seen:
        await at_work.push("web:2")
        await at_work.phase("Succeeded")
    assert await _run(seen, "web") == [0, 90, 50, 10, 0]


async def test_a_primary_that_fails_leaves_the_traffic_on_the_canary(
    kubeconfig: str, namespace: str, hooks: Hooks
) -> None:
    """There is no room for a fifth pod, so the primary cannot be rolled."""
    text = policy(hooks, "shift to 10%\n wait for gate go\n promote").replace("deadline 10m", "deadline 90s")
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "room"},
        "spec": {"hard": {"pods": "4"}},
    }
    async with (
        rollout(kubeconfig, namespace, text) as at_work,
        history(at_work, "VirtualService", "Pod", "Service") as seen,
    ):
        await at_work.push("web:2")
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        await at_work.apply(quota)
        hooks.open("go")
        status = await at_work.phase("Failed")
        assert "the primary did not become ready within 1m30s" in status["reason"]
        assert "exceeded quota: room" in status["reason"]
        assert "all traffic is on the canary" in status["reason"]
        await at_work.weighs(100)
        assert await at_work.replicas("web") == 2
        await at_work.delete("ResourceQuota", "room")
        await at_work.annotate(retry=status["revision"])
        await at_work.phase("Succeeded")
        await at_work.so(lambda: _down(at_work), "the canary goes down")
        assert await at_work.image("web-primary") == "web:2"
    assert await _run(seen, "web") == [0, 10, 100, 0]
    assert 0 not in seen.behind("web-canary")[seen.behind("web-canary").index(2) : -1]
