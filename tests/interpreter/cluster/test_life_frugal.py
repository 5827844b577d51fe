"""Protects how little a rollout asks of the API server: nothing at rest, and few requests on its way."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, life

ANYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
MOST_OF_A_CANARY = 50
"""Beside the lists of its pods, of which there is one every five seconds until they are ready."""

POLICY = """
    GATE
    rollout web in NAMESPACE {
      target  deployment/web
      service { port 80; target_port http }
      traffic istio
      steps   { shift to 10%; pause 5s; shift to 20%; pause 5s; shift to 30%; pause 5s; shift to 40%; pause 5s
                shift to 50%; wait for gate go; promote }
    }
"""


async def test_requests(kubeconfig: str, control_plane: ControlPlane, namespace: str, hooks: Hooks) -> None:
    account = control_plane.as_service_account(namespace, "one", ANYTHING, ANYTHING)
    user = f"system:serviceaccount:{namespace}:one"
    async with life(kubeconfig, namespace, start=False, speed=20) as at_work:
        await at_work.start(kubeconfig=str(account))
        await at_work.deployment(replicas=1)  # with more, what is said of them depends on how fast they come up
        await at_work.rollout(POLICY.replace("GATE", hooks.gate("go")))
        await at_work.phase("Initialized")
        await at_work.so(lambda: _quiet(at_work), "all is said")

        mark = control_plane.mark()
        await asyncio.sleep(3)
        assert control_plane.requests(mark, user=user) == []

        hooks.open("go")
        await at_work.push("web:2")
        await at_work.phase("Succeeded")
        await at_work.so(lambda: _quiet(at_work), "all is said")
        asked = control_plane.requests(mark, user=user)
        counts = Counter((one.verb, one.resource, one.subresource) for one in asked)
        print(f"a canary of five steps: {len(asked)} requests: {dict(counts.most_common())}")
        assert len([one for one in asked if one.resource != "pods"]) <= MOST_OF_A_CANARY

        mark = control_plane.mark()
        await asyncio.sleep(3)
        assert control_plane.requests(mark, user=user) == []


async def _quiet(at_work: Life) -> bool:
    """Whether nothing has been asked for a second."""
    assert at_work.working is not None
    before = at_work.working.requests.total()
    await asyncio.sleep(1)
    return at_work.working.requests.total() == before and await at_work.replicas("web") == 0


async def test_waiting_writes_no_status(
    kubeconfig: str, control_plane: ControlPlane, namespace: str, hooks: Hooks
) -> None:
    """A gate that is asked again and again, and says the same each time, is no news."""
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_work.deployment()
        await at_work.rollout(POLICY.replace("GATE", hooks.gate("go")))
        await at_work.phase("Initialized")
        await at_work.push("web:2")
        await at_work.until(lambda status: "waiting for gate" in status.get("reason", ""))
        before = (await at_work.get("Rollout", "web"))["metadata"]["resourceVersion"]
        asked = len(hooks.called("go"))
        await at_work.so(lambda: _asked(hooks, asked + 3), "the gate is asked")
        assert (await at_work.get("Rollout", "web"))["metadata"]["resourceVersion"] == before


async def _asked(hooks: Hooks, times: int) -> bool:
    return len(hooks.called("go")) >= times
