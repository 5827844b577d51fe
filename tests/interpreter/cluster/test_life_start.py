"""Protects the coming up of the first primary: no request is lost on the way, and what is in the way is said."""

from __future__ import annotations

from typing import Any

from tests.interpreter.cluster.history import History, history
from tests.interpreter.cluster.life import Life, canary_weight, life, service

POLICY = """
    rollout web in NAMESPACE {
      target  deployment/web
      service { port 80; target_port http }
      traffic istio
      steps   { promote }
    }
"""
SEEN = ("Deployment", "Pod", "Service", "EndpointSlice", "VirtualService")
SLOWLY: dict[str, Any] = {"annotations": {"kwok.test/ready-after": "1500ms"}}


def downs(seen: History) -> list[tuple[int, int, str | None]]:
    """At each moment: the target's replicas, the primary's ready ones, and whom the apex selects."""
    found = []
    for world in seen.worlds():
        named = {(ref.kind, ref.name): one for ref, one in world.items()}
        if ("Deployment", "web") in named:
            primary = named.get(("Deployment", "web-primary"), {})
            selector = named.get(("Service", "web"), {}).get("spec", {}).get("selector", {})
            wanted = named["Deployment", "web"]["spec"]["replicas"]
            found.append((wanted, (primary.get("status") or {}).get("readyReplicas", 0), selector.get("app")))
    return found


async def began(at_work: Life, *, users_service: bool, **template: Any) -> History:
    """From a Deployment that serves by itself to a rollout that looks after it."""
    await at_work.deployment(**template)
    if users_service:
        await at_work.apply(service())

    async def serves() -> bool:
        return bool((await at_work.get("Deployment", "web")).get("status", {}).get("readyReplicas") == 2)

    await at_work.so(serves, "the target serves")
    async with history(at_work, *SEEN) as seen:
        await at_work.rollout(POLICY)
        await at_work.phase("Initialized")

        async def down() -> bool:
            return await at_work.replicas("web") == 0

        await at_work.so(down, "the target is scaled down")
    return seen


async def test_no_moment_without_a_ready_pod_behind_the_users_service(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace) as at_work:
        seen = await began(at_work, users_service=True, **SLOWLY)
    assert 0 not in seen.behind("web")
    assert 0 not in seen.endpoints("web")
    at_each_moment = downs(seen)
    assert all(ready == 2 for _, ready, selected in at_each_moment if selected == "web-primary")
    assert all(selected == "web-primary" for wanted, _, selected in at_each_moment if wanted == 0)
    assert {selected for *_, selected in at_each_moment} == {"web", "web-primary"}
    assert seen.values("VirtualService", "web", canary_weight) == [0]


async def test_a_service_of_ours_leads_to_the_target_until_the_primary_is_ready(
    kubeconfig: str, namespace: str
) -> None:
    async with life(kubeconfig, namespace) as at_work:
        seen = await began(at_work, users_service=False, **SLOWLY)
    assert seen.behind("web") == [2]
    assert 0 not in seen.endpoints("web")
    assert [(selected, ready) for _, ready, selected in downs(seen) if selected == "web-primary" and ready < 2] == []


async def test_a_target_that_comes_later(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace) as at_work:
        await at_work.rollout(POLICY)
        status = await at_work.phase("Initializing")
        assert status["reason"] == "waiting for Deployment `web` to exist"
        await at_work.deployment()
        status = await at_work.phase("Initialized")
        assert (await at_work.get("Deployment", "web-primary"))["spec"]["replicas"] == 2
        assert [one["type"] for one in status["conditions"] if one["status"] == "True"] == ["Ready", "Promoted"]


async def test_a_first_image_that_cannot_be_had_is_named_and_can_be_mended(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment(image="web:none", annotations={"kwok.test/fail": "ImagePullBackOff"})
        await at_work.rollout(POLICY)
        status = await at_work.until(lambda seen: "cannot pull image" in seen.get("reason", ""))
        assert status["phase"] == "Initializing"
        assert "2 of 2 pods: cannot pull image `web:none` (ImagePullBackOff)" in status["reason"]
        assert await at_work.replicas("web") == 2
        await at_work.push("web:1")
        await at_work.phase("Initialized")
        assert await at_work.image("web-primary") == "web:1"


async def test_a_target_that_nobody_wants_to_run_gets_a_primary_all_the_same(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment(replicas=0)
        async with history(at_work, "Deployment") as seen:
            await at_work.rollout(POLICY)
            await at_work.phase("Initialized")
            assert await at_work.replicas("web-primary") == 1
    assert seen.values("Deployment", "web", lambda one: one["spec"]["replicas"]) == [0]


async def test_a_target_that_changes_while_its_first_primary_comes_up(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment(**SLOWLY)
        await at_work.rollout(POLICY)
        await at_work.until(lambda seen: "waiting for the primary to be ready" in seen.get("reason", ""))
        await at_work.push("web:2", ready_after="1s")
        await at_work.phase("Initialized")
        assert await at_work.image("web-primary") == "web:2"
        assert (await at_work.state()).runs == 0
