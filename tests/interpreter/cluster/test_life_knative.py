"""Protects rollouts of Knative's Services: shares by Revision in the user's own object, and nothing made beside it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from interpreter.objects import Manifest
from interpreter.workloads.knative import API_VERSION, PRIMARY
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.knative import Knative, knative
from tests.interpreter.cluster.life import Life, life

POLICY = """
    GATE
    rollout web in NAMESPACE {
      target  serving.knative.dev/v1/Service/web
      traffic knative
      steps   { shift to 10%; wait for gate go; shift to 50%; hold 1s; promote }
      on delete revert
    }
"""
FIRST, SECOND, THIRD = "web-00001", "web-00002", "web-00003"


@pytest.fixture(autouse=True)
def _definitions(control_plane: ControlPlane) -> None:
    control_plane.install_crds("knative")


def users(image: str = "web:1", traffic: list[dict[str, Any]] | None = None) -> Manifest:
    template = {"metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "1"}}}
    spec = {"template": {**template, "spec": {"containers": [{"image": image, "ports": [{"containerPort": 9898}]}]}}}
    shares = {} if traffic is None else {"traffic": traffic}
    return {"apiVersion": API_VERSION, "kind": "Service", "metadata": {"name": "web"}, "spec": {**spec, **shares}}


async def live(at_work: Life) -> Manifest:
    return await at_work.get("Service", "web", API_VERSION)


async def at_rest(at_work: Life, policy: str, **given: Any) -> None:
    await at_work.apply(users(**given))
    await at_work.rollout(policy)
    await at_work.phase("Initialized")


async def at_the_gate(at_work: Life) -> None:
    await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))


def shares(seen: Knative, name: str) -> list[int]:
    """What a Revision had, each once in a row."""
    found = [dict(each).get(name, 0) for each in seen.seen]
    return [one for index, one in enumerate(found) if index == 0 or one != found[index - 1]]


async def test_from_the_first_revision_to_the_next(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace) as at_work, knative(at_work) as seen:
        await at_rest(at_work, POLICY.replace("GATE", hooks.gate("go")))
        assert (await live(at_work))["metadata"]["annotations"][PRIMARY] == FIRST
        await at_work.apply(users("web:2"))
        await at_the_gate(at_work)
        assert dict(seen.seen[-1]) == {FIRST: 90, SECOND: 10}
        hooks.open("go")
        await at_work.phase("Succeeded")
        assert (await live(at_work))["metadata"]["annotations"][PRIMARY] == SECOND
        assert dict(seen.seen[-1]) == {SECOND: 100, "latest": 0}
        assert shares(seen, SECOND) == [0, 10, 50, 100]
        assert await at_work.all_of("Deployment") == []
        assert await at_work.all_of("Service") == []


async def test_a_rollback_and_a_revision_that_knative_gives_up(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace) as at_work, knative(at_work) as seen:
        await at_rest(at_work, POLICY.replace("GATE", hooks.gate("go")))
        await at_work.apply(users("web:2"))
        await at_the_gate(at_work)
        await at_work.annotate(abort=await at_work.taken_up())
        await at_work.phase("Failed")
        assert dict(seen.seen[-1]) == {FIRST: 100, "latest": 0}
        await at_work.apply(users("web:broken"))
        status = await at_work.until(lambda status: "Unable to fetch image" in status.get("reason", ""))
        assert status["phase"] == "Failed"
        assert dict(seen.seen[-1]) == {FIRST: 100, "latest": 0}
        assert shares(seen, THIRD) == [0]


async def test_a_newer_revision_in_the_middle(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace) as at_work, knative(at_work) as seen:
        await at_rest(at_work, POLICY.replace("GATE", hooks.gate("go")))
        await at_work.apply(users("web:2"))
        await at_the_gate(at_work)
        await at_work.apply(users("web:3"))
        await at_work.happened("Superseded")
        await at_the_gate(at_work)
        assert dict(seen.seen[-1]) == {FIRST: 90, THIRD: 10}
        assert shares(seen, SECOND) == [0, 10, 0]
        hooks.open("go")
        await at_work.phase("Succeeded")
        assert dict(seen.seen[-1]) == {THIRD: 100, "latest": 0}


async def test_killed_again_and_again_it_goes_the_same_way(kubeconfig: str, namespace: str) -> None:
    policy = POLICY.replace("GATE", "").replace("wait for gate go", "hold 1s")
    async with life(kubeconfig, namespace) as at_work, knative(at_work) as seen:
        await at_rest(at_work, policy)
        await at_work.apply(users("web:2"))
        deaths = 0
        while (await at_work.status()).get("phase") != "Succeeded":
            await asyncio.sleep(0.3 + 0.2 * (deaths % 7))
            await at_work.kill()
            await at_work.start()
            deaths += 1
            assert deaths < 50, await at_work.story()
        assert deaths > 1
        assert shares(seen, SECOND) == [0, 10, 50, 100]


async def test_the_users_own_traffic_is_put_back(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    own = [{"latestRevision": True, "percent": 100, "tag": "live"}]
    async with life(kubeconfig, namespace) as at_work, knative(at_work):
        await at_rest(at_work, POLICY.replace("GATE", hooks.gate("go")), traffic=own)
        template = (await live(at_work))["spec"]["template"]
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")
        after = await live(at_work)
        assert after["spec"]["traffic"] == own
        assert not [key for key in after["metadata"].get("annotations") or {} if key.startswith("rollway.dev/")]
        assert after["spec"]["template"] == template
