"""Protects rollouts without a data plane: the share is that of the ready pods behind the one Service, it is raised by
nothing but pods that become ready, and there are never fewer of them than the target was asked to run."""

from __future__ import annotations

import asyncio
from typing import Any

from interpreter import state_json
from interpreter.objects import Manifest
from interpreter.traffic.reading import noted
from tests.interpreter.cluster.history import History, World, history
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, deployment, life, service

POLICY = """
    GATE
    rollout web in NAMESPACE {
      target  deployment/web
      service { port 80; target_port http }
      traffic replicas
      steps   { shift to 25%; wait for gate go; shift to 50%; hold 1s; promote }
      on delete revert
    }
"""
LABELS = {"app": "web", "example.com/service": "web"}
SEEN = ("Service", "Pod", "RolloutRun", "Deployment")
PODS = 4


def shares(seen: History) -> list[tuple[int, int]]:
    """How many ready pods of primary and canary the Service led to, at each moment, each once in a row."""
    found: list[tuple[int, int]] = []
    for world in seen.worlds():
        now = behind(seen, world)
        if now is not None and (not found or now != found[-1]):
            found.append(now)
    return found


def behind(seen: History, world: World) -> tuple[int, int] | None:
    apex = next((one for ref, one in world.items() if (ref.kind, ref.name) == ("Service", "web")), None)
    if apex is None:
        return None
    selector = apex["spec"]["selector"]
    arms = [{**selector, "app": app} for app in ("web-primary", "web")]
    ready = [seen.ready(world, {"spec": {"selector": arm}}) for arm in arms]
    asked = selector.get("app")
    return ready[0] if asked in (None, "web-primary") else 0, ready[1] if asked in (None, "web") else 0


def written(world: World) -> float:
    """The weight of the latest state that was written down."""
    runs = [one for ref, one in world.items() if ref.kind == "RolloutRun" and (one.get("status") or {}).get("state")]
    if not runs:
        return 0.0
    latest: Any = max(runs, key=lambda one: int(one["spec"]["number"]))
    return state_json.decode(latest["status"]["state"]).routing.weight


def wrongs(seen: History) -> list[str]:
    """Where the canary had more than was written down, or the Service fewer pods than it should."""
    found = []
    for world in seen.worlds():
        now = behind(seen, world)
        if now is not None and now[1] and 100 * now[1] / sum(now) > written(world) + 0.01:
            found.append(f"{now} with {written(world)}% written down")
    return found


async def at_rest(at_work: Life, policy: str, **template: Any) -> None:
    await at_work.deployment(replicas=PODS, labels=LABELS, **template)
    await at_work.rollout(policy)
    await at_work.phase("Initialized")
    await at_work.so(lambda: has(at_work, "web", 0), "the target has no pods")


async def has(at_work: Life, app: str, number: int) -> bool:
    """Whether an app has so many pods, all ready."""
    found = await at_work.get("Deployment", app)
    status = found.get("status") or {}
    ready, there = status.get("readyReplicas", 0), status.get("replicas", 0)
    return bool(found["spec"]["replicas"] == ready == there == number)


async def at_the_gate(at_work: Life) -> None:
    await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))


async def test_weights_come_about_by_pods(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace) as at_work:
        await at_rest(at_work, POLICY.replace("GATE", hooks.gate("go")))
        async with history(at_work, *SEEN) as seen:
            await at_work.push("web:2", ready_after="300ms")
            await at_the_gate(at_work)
            assert await has(at_work, "web", 1)
            assert await has(at_work, "web-primary", 3)
            hooks.open("go")
            await at_work.phase("Succeeded")
            assert await at_work.image("web-primary") == "web:2"
            await at_work.so(lambda: has(at_work, "web", 0), "the canary goes down")
            assert await has(at_work, "web-primary", PODS)
            primary = await at_work.get("Deployment", "web-primary")
            assert "rollway.dev/total" not in primary["metadata"]["annotations"]
        assert wrongs(seen) == []
        at_each_moment = shares(seen)
        assert min(sum(each) for each in at_each_moment) == PODS
        assert {(3, 1), (2, 2)} <= set(at_each_moment)
        assert at_each_moment[0] == at_each_moment[-1] == (PODS, 0)


async def test_a_rollback_leads_away_from_the_canary_first(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """And then the primary gets its pods back, without anybody but the API server."""
    policy = POLICY.replace("shift to 25%", "shift to 50%").replace("GATE", hooks.gate("go"))
    async with life(kubeconfig, namespace) as at_work:
        await at_rest(at_work, policy)
        await at_work.push("web:2")
        await at_the_gate(at_work)
        assert await has(at_work, "web", 2)
        async with history(at_work, *SEEN) as seen:
            await at_work.annotate(abort=await at_work.taken_up())
            await at_work.phase("Failed")
            await at_work.so(lambda: has(at_work, "web-primary", PODS), "the primary is whole")
            await at_work.so(lambda: has(at_work, "web", 0), "the canary goes down")
        assert wrongs(seen) == []
        at_each_moment = shares(seen)
        assert at_each_moment[:2] == [(2, 2), (2, 0)]
        assert at_each_moment[-1] == (PODS, 0)
        assert seen.values("Deployment", "web", lambda one: one["spec"]["replicas"]) == [2, 0]
        assert await at_work.image("web-primary") == "web:1"


async def test_killed_again_and_again_it_goes_the_same_way(kubeconfig: str, namespace: str) -> None:
    policy = POLICY.replace("GATE", "").replace("wait for gate go", "hold 1s")
    async with life(kubeconfig, namespace) as at_work:
        await at_rest(at_work, policy)
        async with history(at_work, *SEEN) as seen:
            await at_work.push("web:2", ready_after="300ms")
            deaths = 0
            while (await at_work.status()).get("phase") != "Succeeded":
                await asyncio.sleep(0.3 + 0.2 * (deaths % 7))
                await at_work.kill()
                await at_work.start()
                deaths += 1
                assert deaths < 50, await at_work.story()
            await at_work.so(lambda: has(at_work, "web", 0), "the canary goes down")
            await at_work.so(lambda: has(at_work, "web-primary", PODS), "the primary is whole")
        assert deaths > 2
        assert await at_work.image("web-primary") == "web:2"
        assert wrongs(seen) == []
        at_each_moment = shares(seen)
        assert min(sum(each) for each in at_each_moment) == PODS
        assert {(3, 1), (2, 2)} <= set(at_each_moment)
        notes = seen.values("Service", "web", lambda one: noted(one, "web"))
        assert [one.weight for one in notes if one is not None] == [25, 50]


async def test_a_rollout_that_is_deleted_in_the_middle(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """The user's own Service, the target and its number of pods are as they were, and no pod is missed meanwhile."""
    users = service("web", selector={"app": "web", "example.com/service": "web"})
    async with life(kubeconfig, namespace) as at_work:
        await at_work.apply(users)
        await at_rest(at_work, POLICY.replace("GATE", hooks.gate("go")))
        await at_work.push("web:2")
        await at_the_gate(at_work)
        assert (await at_work.get("Service", "web"))["spec"]["selector"] == {"example.com/service": "web"}
        async with history(at_work, *SEEN) as seen:
            await at_work.delete("Rollout", "web")
            await at_work.gone("Rollout", "web")
        before_it_led_to_the_target = [each for each in shares(seen) if each[0]]
        assert before_it_led_to_the_target[-1][0] == PODS
        assert min(sum(each) for each in shares(seen) if each not in before_it_led_to_the_target) == PODS
        assert await has(at_work, "web", PODS)
        after = await at_work.get("Service", "web")
        assert after["spec"]["selector"] == users["spec"]["selector"]
        assert not [key for key in after["metadata"].get("annotations") or {} if key.startswith("rollway.dev/")]


async def test_without_revert_the_primary_is_left_whole(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    policy = POLICY.replace("on delete revert", "").replace("GATE", hooks.gate("go"))
    async with life(kubeconfig, namespace) as at_work:
        await at_rest(at_work, policy)
        await at_work.push("web:2")
        await at_the_gate(at_work)
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")
        assert await at_work.replicas("web-primary") == PODS
        assert (await at_work.get("Service", "web"))["spec"]["selector"] == {"app": "web-primary"}


QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "no-more-pods"},
    "spec": {"hard": {"pods": "0"}},
}


async def test_all_of_the_traffic_and_a_promotion_that_fails(kubeconfig: str, namespace: str) -> None:
    """At 100% the primary is whole, out of sight. One that does not come up leaves everything with the canary, until it
    is tried again."""
    policy = """
        rollout web in NAMESPACE {
          target   deployment/web
          service  { port 80; target_port http }
          traffic  replicas
          deadline 40s
          steps    { shift to 50%; shift to 100%; wait for approval; promote }
        }
    """
    async with life(kubeconfig, namespace, speed=5) as at_work:
        await at_rest(at_work, policy)
        async with history(at_work, *SEEN) as seen:
            await at_work.push("web:2")
            await at_work.until(lambda status: "approval" in status.get("reason", ""))
            assert await has(at_work, "web", PODS)
            await at_work.so(lambda: has(at_work, "web-primary", PODS), "the primary is whole")
            await at_work.apply(QUOTA)
            await at_work.annotate(approve=await at_work.taken_up())
            await at_work.phase("Failed")
            assert (await at_work.get("Service", "web"))["spec"]["selector"] == {"app": "web"}
            await at_work.delete("ResourceQuota", "no-more-pods")
            await at_work.annotate(retry=await at_work.taken_up())
            await at_work.phase("Succeeded")
        assert wrongs(seen) == []
        assert min(sum(each) for each in shares(seen)) == PODS
        assert await has(at_work, "web-primary", PODS)


async def test_what_cannot_be_split_is_said_before_anything_begins(kubeconfig: str, namespace: str) -> None:
    """And what is to be done about it, which can be done."""
    policy = POLICY.replace("GATE", "").replace("wait for gate go; ", "")
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment(replicas=PODS)
        await at_work.apply(other("db", **LABELS))
        await at_work.rollout(policy)
        await at_work.phase("Initialized")
        await at_work.push("web:2")
        status = await at_work.until(lambda seen: "have no label in common" in str(seen))
        assert status["phase"] == "Initialized"
        labelled = {"spec": {"template": {"metadata": {"labels": LABELS}}}}
        await at_work.edit("Deployment", "web", labelled)
        await at_work.until(lambda seen: "those of Deployment" in str(seen) and "have not" in str(seen))
        labelled["spec"]["template"]["metadata"]["labels"] = {"example.com/service": "web"}
        await at_work.edit("Deployment", "web-primary", labelled)
        await at_work.until(lambda seen: "pods of Deployment `db` too" in str(seen))
        await at_work.delete("Deployment", "db")
        await at_work.phase("Succeeded")
        await at_work.apply(autoscaler("web"))
        await at_work.push("web:3")
        await at_work.until(lambda seen: "the HorizontalPodAutoscaler `web` changes" in str(seen))
        await at_work.delete("HorizontalPodAutoscaler", "web")
        await at_work.so(lambda: runs(at_work, "web:3"), "the next is promoted")


async def runs(at_work: Life, image: str) -> bool:
    return await at_work.image("web-primary") == image


async def test_a_weight_that_the_pods_are_too_few_for_is_told(kubeconfig: str, namespace: str) -> None:
    policy = POLICY.replace("GATE", "").replace("wait for gate go; ", "").replace("25%", "5%")
    async with life(kubeconfig, namespace) as at_work:
        await at_rest(at_work, policy)
        await at_work.push("web:2")
        await at_work.phase("Succeeded")
        assert await at_work.happened("WeightRounded") == (
            "5% comes to 20%: 1 of 5 pods; with 20 replicas it would be what it says"
        )
        assert len(await at_work.events("WeightRounded")) == 1


def other(name: str, **labels: str) -> Manifest:
    """Somebody else's, without pods."""
    made = deployment(name, replicas=0)
    made["spec"]["template"]["metadata"]["labels"] = {**labels, "app": name}
    return made


def autoscaler(name: str) -> Manifest:
    """A user's own, which the policy does not name."""
    aim = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    spec = {"scaleTargetRef": aim, "minReplicas": 1, "maxReplicas": 9, "metrics": [cpu]}
    metadata = {"name": name}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}
