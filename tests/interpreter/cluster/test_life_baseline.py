"""Protects the third arm: a fresh copy of the primary beside the canary, of its size, with as much traffic, and gone
with it, whatever the end of the run and whoever dies in the middle of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from interpreter.objects import Manifest
from tests.interpreter.cluster.history import History, World, history
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, canary_weight, deployment, life

SEEN = ("VirtualService", "Deployment", "Service", "Pod")
STEPS = "shift to 20%\n wait for gate go\n shift to 50%\n promote"


def policy(hooks: Hooks, steps: str = STEPS, *more: str) -> str:
    parts = ["target deployment/web", "service { port 80; target_port http }", "traffic istio", "baseline", *more]
    return f"{hooks.gate('go')}\nrollout web in NAMESPACE {{\n" + "\n".join([*parts, f"steps {{\n{steps}\n}}"]) + "\n}"


@asynccontextmanager
async def rollout(kubeconfig: str, namespace: str, text: str, **template: Any) -> AsyncIterator[Life]:
    """A rollout that has its first primary."""
    async with life(kubeconfig, namespace, speed=20.0) as at_work:
        await at_work.deployment(**template)
        await at_work.rollout(text)
        await at_work.phase("Initialized")
        yield at_work


async def at_the_gate(at_work: Life) -> None:
    await at_work.push("web:2")
    await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))


def baseline_weight(virtual_service: Manifest) -> int:
    (rule,) = virtual_service["spec"]["http"]
    weights = {one["destination"]["host"]: one.get("weight", 100) for one in rule["route"]}
    return int(weights.get("web-baseline", 0))


def unready(seen: History, least: int = 1) -> list[int]:
    """How many pods of the baseline were ready at the moments at which it had traffic and fewer than `least` were."""
    found = []
    for world in seen.worlds():
        named = {(ref.kind, ref.name): one for ref, one in world.items()}
        if baseline_weight(named["VirtualService", "web"]):
            service = named.get(("Service", "web-baseline"))
            found.append(0 if service is None else _ready(seen, world, service))
    assert found
    return [count for count in found if count < least]


def _ready(seen: History, world: World, service: Manifest) -> int:
    return seen.ready(world, service)


def left_early(seen: History) -> list[int]:
    """How many canaries there were to be when the baseline went: data planes have had time to forget it by then."""
    found, was_there = [], False
    for world in seen.worlds():
        named = {ref.name: one for ref, one in world.items() if ref.kind == "Deployment"}
        if was_there and "web-baseline" not in named:
            found.append(int(named["web"]["spec"]["replicas"]))
        was_there = "web-baseline" in named
    assert found
    return [count for count in found if count]


async def is_gone(at_work: Life) -> None:
    for kind in ("Deployment", "Service", "DestinationRule"):
        await at_work.gone(kind, "web-baseline")
    hosts = [
        one["destination"]["host"] for one in (await at_work.get("VirtualService", "web"))["spec"]["http"][0]["route"]
    ]
    assert "web-baseline" not in hosts


async def test_a_promotion_with_a_controller_that_dies(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours"}, "data": {"sky": "blue"}}
    async with life(kubeconfig, namespace, speed=20.0) as at_work:
        await at_work.apply(config)
        await at_work.deployment(replicas=3)
        container = {"name": "app", "image": "web:1", "envFrom": [{"configMapRef": {"name": "colours"}}]}
        await at_work.edit("Deployment", "web", {"spec": {"template": {"spec": {"containers": [container]}}}})
        await at_work.rollout(policy(hooks, f"scale canary to 2\n {STEPS}").replace("; target_port http", ""))
        await at_work.phase("Initialized")
        async with history(at_work, *SEEN) as seen:
            await at_the_gate(at_work)
            made = await at_work.get("Deployment", "web-baseline")
            primary = await at_work.get("Deployment", "web-primary")
            assert made["spec"]["replicas"] == await at_work.replicas("web") == 2
            assert made["spec"]["selector"]["matchLabels"] == {"app": "web-baseline"}
            assert await at_work.image("web-baseline") == "web:1"
            (copied,) = made["spec"]["template"]["spec"]["containers"]
            assert copied["envFrom"] == [{"configMapRef": {"name": "colours-primary"}}]
            assert made["metadata"]["ownerReferences"] == primary["metadata"]["ownerReferences"]
            route = await at_work.get("VirtualService", "web")
            assert (canary_weight(route), baseline_weight(route)) == (20, 20)
            assert (await at_work.get("Service", "web-baseline"))["spec"]["selector"] == {"app": "web-baseline"}

            await at_work.kill()
            await at_work.start()
            hooks.open("go")
            await at_work.phase("Succeeded")
            await is_gone(at_work)
    assert seen.values("VirtualService", "web", canary_weight) == [0, 20, 50, 0]
    assert [one for one in seen.values("VirtualService", "web", baseline_weight) if one] == [20, 25]
    assert unready(seen) == []
    assert left_early(seen) == []
    assert 0 not in seen.behind("web")


async def test_a_rollback_with_a_controller_that_dies(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, policy(hooks)) as at_work, history(at_work, *SEEN) as seen:
        await at_the_gate(at_work)
        await at_work.kill()
        await at_work.annotate(abort=(await at_work.status())["revision"])
        await at_work.start()
        await at_work.phase("Failed")
        await is_gone(at_work)
        first = seen.values("Deployment", "web-baseline", lambda one: one["metadata"]["uid"])
        assert await at_work.image("web-primary") == "web:1"

        await at_work.push("web:3")
        await at_work.until(lambda now: "waiting for gate" in now.get("reason", ""))
        assert (await at_work.get("Deployment", "web-baseline"))["metadata"]["uid"] not in first
    assert unready(seen) == []
    assert left_early(seen) == []


async def test_traffic_waits_for_the_baseline(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    slow = {"annotations": {"kwok.test/ready-after": "2s"}}
    async with rollout(kubeconfig, namespace, policy(hooks), **slow) as at_work, history(at_work, *SEEN) as seen:
        await at_work.push("web:2")
        waited = await at_work.until(lambda now: "the baseline is not ready" in now.get("reason", ""))
        assert waited["weight"] == 0
        await at_work.until(lambda now: "waiting for gate" in now.get("reason", ""))
    assert unready(seen, 2) == []


async def test_a_rollout_that_is_deleted_takes_its_baseline_along(
    kubeconfig: str, namespace: str, hooks: Hooks
) -> None:
    async with rollout(kubeconfig, namespace, policy(hooks)) as at_work, history(at_work, *SEEN) as seen:
        await at_the_gate(at_work)
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")
        await is_gone(at_work)
        assert await at_work.image("web-primary") == "web:1"
    assert unready(seen) == []


async def test_a_policy_that_drops_the_baseline(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """What is left of one when the controller comes up with another policy is removed."""
    async with rollout(kubeconfig, namespace, policy(hooks)) as at_work:
        await at_the_gate(at_work)
        await at_work.kill()
        await at_work.rollout(policy(hooks).replace("baseline\n", ""))
        await at_work.annotate(abort=(await at_work.status())["revision"])
        await at_work.start()
        await at_work.phase("Failed")
        await is_gone(at_work)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("traffic istio", "traffic kubernetes"), "`kubernetes` cannot give"),
        (("deployment/", "daemonset/"), "DaemonSet"),
    ],
)
async def test_where_none_can_be_run_the_policy_is_refused(
    kubeconfig: str, namespace: str, hooks: Hooks, change: tuple[str, str], words: str
) -> None:
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment()
        await at_work.rollout(policy(hooks, "shift to 100%\n promote").replace(*change))
        said = await at_work.happened("PolicyRefused", words)
        assert "RW414" in said
        assert "of primary" in said


async def test_a_statefulsets_baseline_has_a_governing_service_of_its_own(
    kubeconfig: str, namespace: str, hooks: Hooks
) -> None:
    spec = {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 8080}]}
    governing = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web-pods"}, "spec": spec}
    given = deployment()
    given |= {"kind": "StatefulSet", "spec": {**given["spec"], "serviceName": "web-pods"}}
    text = policy(hooks).replace("deployment/", "statefulset/")
    async with life(kubeconfig, namespace, speed=20.0) as at_work:
        await at_work.apply(governing, given)
        await at_work.rollout(text)
        await at_work.phase("Initialized")
        container = {"name": "app", "image": "web:2", "ports": [{"name": "http", "containerPort": 8080}]}
        await at_work.edit("StatefulSet", "web", {"spec": {"template": {"spec": {"containers": [container]}}}})
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        made = await at_work.get("StatefulSet", "web-baseline")
        assert made["status"]["readyReplicas"] == 2
        assert made["spec"]["serviceName"] == "web-pods-baseline"
        own = await at_work.get("Service", "web-pods-baseline")
        assert (own["spec"]["clusterIP"], own["spec"]["selector"]) == ("None", {"app": "web-baseline"})
        hooks.open("go")
        await at_work.phase("Succeeded")
        for kind, name in (
            ("StatefulSet", "web-baseline"),
            ("Service", "web-pods-baseline"),
            ("Service", "web-baseline"),
        ):
            await at_work.gone(kind, name)
