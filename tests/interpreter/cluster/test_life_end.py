"""Protects the end of a rollout: deleted at any moment, with and without `on delete revert`, it leaves something that
serves, and nothing that nobody looks after. And rollouts that begin and end with an annotation on a workload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from interpreter.cluster import names
from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.history import History, history
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, canary_weight, deployment, life, service

POLICY = """
    GATE
    rollout web in NAMESPACE {
      target  deployment/web
      service { port 80; target_port http }
      traffic istio
      steps   { shift to 20%; wait for gate go; promote }
      REVERT
    }
"""
SEEN = ("Service", "Pod", "Deployment", "VirtualService", "EndpointSlice")
USERS_ROUTE: Manifest = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "web"},
    "spec": {"hosts": ["web"], "http": [{"route": [{"destination": {"host": "web"}}], "timeout": "3s"}]},
}


@asynccontextmanager
async def rollout(
    kubeconfig: str, namespace: str, hooks: Hooks, *, revert: bool = True, given: tuple[Manifest, ...] = ()
) -> AsyncIterator[Life]:
    """A rollout of a workload that served by a Service of its user's before."""
    text = POLICY.replace("GATE", hooks.gate("go")).replace("REVERT", "on delete revert" if revert else "")
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_work.deployment()
        await at_work.apply(service(), *given)
        await at_work.rollout(text)
        await at_work.phase("Initialized")
        await at_work.so(lambda: _down(at_work), "the target is down")
        yield at_work


async def _down(at_work: Life) -> bool:
    return await at_work.replicas("web") == 0


async def _kept(at_work: Life, owner: str) -> list[str]:
    """What there is of ours that the garbage collector would not take with its owner."""
    found = []
    for kind in ("Deployment", "Service", "VirtualService", "DestinationRule", "RolloutRun"):
        for one in await at_work.all_of(kind):
            metadata = one["metadata"]
            ours = (metadata.get("labels") or {}).get(names.MANAGED_BY) == names.MANAGER
            if ours and owner not in [each["uid"] for each in metadata.get("ownerReferences") or ()]:
                found.append(f"{kind}/{metadata['name']}")
    return found


def _never_at_nothing(seen: History) -> bool:
    return 0 not in seen.behind("web") and 0 not in seen.endpoints("web")


async def test_deleted_with_revert_the_target_serves_as_before(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, hooks, given=(USERS_ROUTE,)) as at_work, history(at_work, *SEEN) as seen:
        owner = (await at_work.get("Rollout", "web"))["metadata"]["uid"]
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")
        assert await at_work.replicas("web") == 2
        apex = await at_work.get("Service", "web")
        assert apex["spec"]["selector"] == {"app": "web"}
        assert not [key for key in apex["metadata"].get("annotations") or {} if names.GROUP in key]
        assert (await at_work.get("VirtualService", "web"))["spec"] == USERS_ROUTE["spec"]
        assert await _kept(at_work, owner) == []
    assert _never_at_nothing(seen)


async def test_deleted_without_revert_everything_goes_on_serving(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, hooks, revert=False) as at_work:
        async with history(at_work, *SEEN) as seen:
            await at_work.delete("Rollout", "web")
            await at_work.gone("Rollout", "web")
            await at_work.so(lambda: _gone_runs(at_work), "the runs go")
            assert await at_work.replicas("web-primary") == 2
            assert (await at_work.get("Service", "web"))["spec"]["selector"] == {"app": "web-primary"}
            for kind, name in (
                ("Deployment", "web-primary"),
                ("Service", "web-primary"),
                ("Service", "web-canary"),
                ("VirtualService", "web"),
                ("DestinationRule", "web-primary"),
            ):
                assert not (await at_work.get(kind, name))["metadata"].get("ownerReferences"), (kind, name)
        assert _never_at_nothing(seen)
        # Taken up again by the same policy, what was left is ours once more, and no pod is rolled.
        before = (await at_work.get("Deployment", "web-primary"))["metadata"]["uid"]
        await at_work.rollout(POLICY.replace("GATE", hooks.gate("go")).replace("REVERT", "on delete revert"))
        await at_work.phase("Initialized")
        after = (await at_work.get("Deployment", "web-primary"))["metadata"]
        assert after["uid"] == before
        assert after["ownerReferences"]


async def _gone_runs(at_work: Life) -> bool:
    return await at_work.all_of("RolloutRun") == []


@pytest.mark.parametrize("revert", [True, False])
async def test_deleted_in_mid_rollout(kubeconfig: str, namespace: str, hooks: Hooks, revert: bool) -> None:
    async with rollout(kubeconfig, namespace, hooks, revert=revert) as at_work:
        owner = (await at_work.get("Rollout", "web"))["metadata"]["uid"]
        async with history(at_work, *SEEN) as seen:
            await at_work.push("web:2")
            await at_work.until(lambda status: "waiting for gate" in status.get("reason", ""))
            await at_work.delete("Rollout", "web")
            await at_work.gone("Rollout", "web")
            assert await at_work.replicas("web") == 2
        assert _never_at_nothing(seen)
        for name in ("web-primary", "web-canary"):
            assert 0 not in _while_routed_to(seen, name)
        if revert:
            assert await _kept(at_work, owner) == []
            assert (await at_work.get("Service", "web"))["spec"]["selector"] == {"app": "web"}
        else:
            assert await at_work.image("web-primary") == "web:1"


def _while_routed_to(seen: History, service_name: str) -> list[int]:
    """How many ready pods a Service had behind it whenever the routes sent it traffic."""
    counts = []
    for world in seen.worlds():
        named = {(ref.kind, ref.name): one for ref, one in world.items()}
        route: Any = named.get(("VirtualService", "web"))
        found = named.get(("Service", service_name))
        if route is None or found is None:
            continue
        share = canary_weight(route) if service_name.endswith("canary") else 100 - canary_weight(route)
        if share:
            counts.append(seen.ready(world, found))
    return counts


async def test_a_target_that_is_deleted_is_said_and_may_come_back(
    kubeconfig: str, namespace: str, hooks: Hooks
) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work:
        await at_work.delete("Deployment", "web")
        status = await at_work.until(lambda seen: "does not exist" in seen.get("reason", ""))
        assert await at_work.replicas("web-primary") == 2
        assert (await at_work.get("Service", "web"))["spec"]["selector"] == {"app": "web-primary"}
        assert status["phase"] == "Initialized"
        await at_work.deployment(replicas=0)
        await at_work.until(lambda seen: "does not exist" not in seen.get("reason", ""))
        await at_work.delete("Deployment", "web")
        await at_work.until(lambda seen: "does not exist" in seen.get("reason", ""))
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")
        assert await at_work.replicas("web-primary") == 2
        assert not (await at_work.get("Deployment", "web-primary"))["metadata"].get("ownerReferences")


async def test_a_target_that_is_deleted_in_mid_rollout_is_rolled_back(
    kubeconfig: str, namespace: str, hooks: Hooks
) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work:
        await at_work.push("web:2")
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        await at_work.delete("Deployment", "web")
        await at_work.phase("Failed")
        assert (await at_work.get("RolloutRun", "web-1"))["status"]["reason"] == "Deployment `web` is gone"
        assert await at_work.weight() == 0


@pytest.mark.parametrize("at_once", [True, False], ids=["at work", "nobody at work"])
async def test_a_namespace_that_is_deleted_does_not_hang(
    kubeconfig: str, control_plane: ControlPlane, namespace: str, hooks: Hooks, at_once: bool
) -> None:
    """Nothing can be made in it any more, whatever of the rollout has gone already."""
    async with rollout(kubeconfig, namespace, hooks) as at_work:
        if not at_once:
            await at_work.stop()
        control_plane.drop_namespace(namespace)
        if not at_once:
            await at_work.gone("Deployment", "web")
            await at_work.gone("DestinationRule", "web-canary")
            await at_work.start()
        await at_work.gone("Rollout", "web")


async def test_a_rollout_whose_policy_never_compiled_can_be_deleted(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace) as at_work:
        await at_work.rollout("rollout web in NAMESPACE { nonsense }")
        await at_work.until(lambda seen: seen.get("conditions"))
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")


# --- by annotation ----------------------------------------------------------------------------------------------


LENT = """
rollout any {
  target  deployment/any
  service { port 80; target_port http }
  traffic istio
  steps   { promote }
  on delete revert
}
"""


async def test_a_workload_asks_for_a_policy_by_annotation(kubeconfig: str, namespace: str) -> None:
    library = {
        "apiVersion": names.API_VERSION,
        "kind": "RolloutLibrary",
        "metadata": {"name": "careful"},
        "spec": {"source": LENT},
    }
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment("other")
        await at_work.deployment()
        await at_work.apply(library)
        await at_work.rollout(LENT.replace("any", "late"), "late")
        await at_work.phase("Initializing", "late")  # so it is at work
        await at_work.edit("Deployment", "web", {"metadata": {"annotations": {names.POLICY: "careful"}}})
        await at_work.so(lambda: at_work.find("Rollout", "web"), "a Rollout is made")
        await at_work.phase("Initialized")
        assert (await at_work.get("Deployment", "web-primary"))["spec"]["replicas"] == 2
        await at_work.push("web:2")
        await at_work.phase("Succeeded")
        await at_work.so(lambda: _down(at_work), "the canary goes down")
        await at_work.edit("Deployment", "web", {"metadata": {"annotations": {names.POLICY: None}}})
        await at_work.gone("Rollout", "web")
        assert await at_work.replicas("web") == 2
        assert await at_work.find("Rollout", "other") is None
        assert await at_work.find("Deployment", "other-primary") is None
        assert await at_work.replicas("other") == 2


async def test_what_was_annotated_while_nobody_was_at_work(kubeconfig: str, namespace: str) -> None:
    library = {
        "apiVersion": names.API_VERSION,
        "kind": "RolloutLibrary",
        "metadata": {"name": "careful"},
        "spec": {"source": LENT},
    }
    async with life(kubeconfig, namespace, start=False) as at_work:
        asks = deployment()
        asks["metadata"]["annotations"] = {names.POLICY: "careful"}
        await at_work.apply(library, asks)
        await at_work.start()
        await at_work.so(lambda: at_work.find("Rollout", "web"), "a Rollout is made")
        await at_work.phase("Initialized")
        await at_work.stop()
        await at_work.edit("Deployment", "web", {"metadata": {"annotations": {names.POLICY: None}}})
        await at_work.start()
        await at_work.gone("Rollout", "web")
        assert await at_work.replicas("web") == 2


async def test_a_rollout_that_somebody_made_is_not_taken_over(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work:
        await at_work.edit("Deployment", "web", {"metadata": {"annotations": {names.POLICY: "careful"}}})

        async def said() -> list[str]:
            return await at_work.events("NotAdopted", "Deployment")

        assert "there is a Rollout `web` already" in (await at_work.so(said, "it is said"))[0]
        assert "source" in (await at_work.get("Rollout", "web"))["spec"]
