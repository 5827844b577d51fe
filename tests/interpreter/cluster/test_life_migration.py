"""Protects the move from one traffic provider to another, and from one way to use it to another, while a rollout is at
rest: the new routes hold before the old ones go, the user's own are as they were, nothing is left behind, and a
controller that dies in between is followed by one that comes to the same end."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from interpreter.cluster import names
from interpreter.objects import Manifest, Ref
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.history import History, history
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, canary_weight, life, service

POLICY = """
    GATE
    rollout web in NAMESPACE {
      target  deployment/web
      service { port 80; target_port http }
      traffic TRAFFIC
      steps   { shift to 20%; wait for gate go; promote }
      on delete revert
    }
"""
ISTIO = "istio"
GATEWAY = "gateway_api { route front }"
USERS: Manifest = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "front"},
    "spec": {
        "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}],
        "hostnames": ["shop.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"group": "", "kind": "Service", "name": "web", "port": 80, "weight": 1}],
            }
        ],
    },
}
SEEN = ("VirtualService", "HTTPRoute", "Service", "Pod", "EndpointSlice")


@pytest.fixture
def kubeconfig(control_plane: ControlPlane) -> str:
    """The administrator's, of a control plane that has both data planes' definitions."""
    control_plane.install_crds("rollway", "istio", "gateway-api")
    return str(control_plane.kubeconfig)


def policy(hooks: Hooks, traffic: str) -> str:
    return POLICY.replace("GATE", hooks.gate("go")).replace("TRAFFIC", traffic)


async def at_rest(at_work: Life, hooks: Hooks, traffic: str) -> None:
    await at_work.deployment()
    await at_work.apply(service(), USERS)
    await at_work.rollout(policy(hooks, traffic))
    await at_work.phase("Initialized")


def backends(route: Manifest) -> list[tuple[str, int]]:
    (rule,) = route["spec"]["rules"]
    return [(one["name"], one.get("weight", 1)) for one in rule["backendRefs"]]


async def moved(at_work: Life, times: int = 1) -> None:
    await at_work.happened("TrafficMoved", times=times)


async def is_on_istio(at_work: Life) -> bool:
    """Whether Istio's are there, and the user's route is as it was, to the last word."""
    route = await at_work.get("HTTPRoute", "front")
    clean = route["spec"] == USERS["spec"] and not [key for key in _notes(route) if names.GROUP in key]
    found = await at_work.find("VirtualService", "web")
    return clean and found is not None and canary_weight(found) == 0


async def is_on_the_gateway(at_work: Life) -> bool:
    """Whether the user's route leads to the primary, and nothing of Istio's is left."""
    left = [*await at_work.all_of("VirtualService"), *await at_work.all_of("DestinationRule")]
    return not left and ("web-primary", 100) in backends(await at_work.get("HTTPRoute", "front"))


def _notes(route: Manifest) -> dict[str, str]:
    return {**(route["metadata"].get("annotations") or {}), **(route["metadata"].get("labels") or {})}


async def test_there_and_back_and_on_with_the_next_revision(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work, history(at_work, *SEEN) as seen:
        await at_rest(at_work, hooks, GATEWAY)
        await at_work.so(lambda: is_on_the_gateway(at_work), "the user's route leads to the primary")
        await at_work.rollout(policy(hooks, ISTIO))
        await moved(at_work)
        assert await is_on_istio(at_work)
        await at_work.rollout(policy(hooks, GATEWAY))
        await moved(at_work, times=2)
        assert await is_on_the_gateway(at_work)
        await at_work.push("web:2")
        await at_work.until(lambda status: "waiting for gate" in status.get("reason", ""))
        assert ("web-canary", 20) in backends(await at_work.get("HTTPRoute", "front"))
        assert await at_work.all_of("VirtualService") == []
    behind = seen.behind("web")
    assert 0 not in behind[behind.index(2) :], behind  # from when the first pods were ready
    assert _always_routed(seen, namespace)


def _always_routed(seen: History, namespace: str) -> bool:
    """Whether one of the two led to the primary at every moment since the first did."""
    front = Ref(USERS["apiVersion"], "HTTPRoute", namespace, "front")
    virtual = Ref("networking.istio.io/v1", "VirtualService", namespace, "web")
    led = [
        virtual in world or "web-primary" in [name for name, _ in backends(world[front])]
        for world in seen.worlds()
        if front in world
    ]
    return True in led and all(led[led.index(True) :])


async def test_an_edit_in_mid_run_waits_for_its_end(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_rest(at_work, hooks, ISTIO)
        await at_work.push("web:2")
        await at_work.until(lambda status: "waiting for gate" in status.get("reason", ""))
        await at_work.rollout(policy(hooks, GATEWAY))
        await asyncio.sleep(0.5)  # it has been looked at
        assert await at_work.weight() == 20
        assert ("web", 1) in backends(await at_work.get("HTTPRoute", "front"))
        hooks.open("go")
        await at_work.phase("Succeeded")
        await moved(at_work)
        assert await is_on_the_gateway(at_work)


async def test_what_cannot_be_had_leaves_the_old_routes_alone(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_rest(at_work, hooks, ISTIO)
        before = (await at_work.get("VirtualService", "web"))["spec"]
        await at_work.rollout(policy(hooks, "gateway_api { route nowhere }"))
        await at_work.so(lambda: _told(at_work, "nowhere"), "the trouble is told")
        assert (await at_work.get("VirtualService", "web"))["spec"] == before
        await at_work.rollout(policy(hooks, GATEWAY))
        await moved(at_work)
        assert await is_on_the_gateway(at_work)


async def _told(at_work: Life, words: str) -> bool:
    return any(words in message for message in await at_work.events())


async def test_deleted_while_it_cannot_move_both_are_put_back(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_rest(at_work, hooks, GATEWAY)
        await at_work.rollout(policy(hooks, "gateway_api { route nowhere }"))
        await at_work.so(lambda: _told(at_work, "nowhere"), "the trouble is told")
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")
        assert (await at_work.get("HTTPRoute", "front"))["spec"] == USERS["spec"]


@pytest.mark.parametrize("way", [(ISTIO, GATEWAY), (GATEWAY, ISTIO)], ids=["from-istio", "to-istio"])
async def test_killed_before_each_write(kubeconfig: str, namespace: str, hooks: Hooks, way: tuple[str, str]) -> None:
    """The n-th controller dies before its n-th write; the last one has fewer to make. The next one starts with nothing
    but what is in the cluster."""
    old, new = way
    arrived, back = (is_on_istio, is_on_the_gateway) if new == ISTIO else (is_on_the_gateway, is_on_istio)
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_rest(at_work, hooks, old)
        for writes in count():
            await at_work.stop()
            await at_work.rollout(policy(hooks, new))
            fate = _Fate(writes)
            await at_work.start(gate=fate.gate)
            while not (fate.dead or await arrived(at_work)):  # noqa: ASYNC110 - what is waited for is in the cluster
                await asyncio.sleep(0.05)
            await at_work.kill()
            if not fate.dead:
                break
            await at_work.start()
            await at_work.so(lambda: arrived(at_work), f"it goes on after {writes} writes")
            await at_work.rollout(policy(hooks, old))
            await at_work.so(lambda: back(at_work), "it goes back")
        assert writes > 3


class _Fate:
    """Lets so many writes through, and no more."""

    def __init__(self, writes: int) -> None:
        self._left = writes
        self.dead = False

    def gate(self) -> bool:
        self.dead = self.dead or self._left == 0
        self._left -= 1
        return not self.dead
