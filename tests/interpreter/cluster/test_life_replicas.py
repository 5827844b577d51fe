"""Protects rollouts without a data plane: the share is that of the ready pods behind the one Service, it is raised by
nothing but pods that become ready, and there are never fewer of them than the target was asked to run."""

from __future__ import annotations

from typing import Any


from interpreter import state_json
from tests.interpreter.cluster.history import History, World, history
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, life

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
