"""Protects what happens between controllers, and between a controller and its API server: one hands over to another in
mid-rollout, one that lost the lease writes no more, a line is cut, or falls silent, somebody else writes a run."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from interpreter.cluster.controller import LEASE
from tests.controlplane.audit import Mark
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.history import history
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, canary_weight, life
from tests.interpreter.cluster.tools import Line

POLICY = """
    GATE
    rollout web in NAMESPACE {
      target   deployment/web
      service  { port 80; target_port http }
      traffic  istio
      deadline 20m
      steps    { shift to 20%; wait for gate go; shift to 40%; promote }
    }
"""
ELECTED: dict[str, Any] = {"elect": True, "speed": 20}
ANYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
WEIGHTS = [0, 20, 40, 0]


async def at_the_gate(at_work: Life, hooks: Hooks) -> None:
    """A rollout in the middle."""
    await at_work.deployment()
    await at_work.rollout(POLICY.replace("GATE", hooks.gate("go")))
    await at_work.phase("Initialized")
    await at_work.push("web:2")
    await at_work.until(lambda status: "waiting for gate" in status.get("reason", ""))


async def _holder(at_work: Life) -> str:
    lease = await at_work.find("Lease", LEASE, "coordination.k8s.io/v1")
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")


async def test_one_controller_hands_over_to_another(
    kubeconfig: str, control_plane: ControlPlane, namespace: str, hooks: Hooks
) -> None:
    accounts = {name: control_plane.as_service_account(namespace, name, ANYTHING, ANYTHING) for name in ("one", "two")}
    elected = {**ELECTED, "lease_namespace": namespace}
    async with (
        life(kubeconfig, namespace, start=False, identity="one", **elected) as one,
        life(kubeconfig, namespace, start=False, identity="two", **elected) as two,
        history(one, "Deployment") as seen,
    ):
        await one.start(kubeconfig=str(accounts["one"]))
        await one.so(lambda: _is_held(one, "one"), "the first leads")
        await two.start(kubeconfig=str(accounts["two"]))
        await at_the_gate(one, hooks)
        before = control_plane.mark()
        await one.stop()
        await two.so(lambda: _is_held(two, "two"), "the second leads")
        hooks.open("go")
        await two.phase("Succeeded")
        user = f"system:serviceaccount:{namespace}:"
        late = _writes(control_plane, before, f"{user}one")
        assert [one for one in late if one[1] != "leases"] == []
        assert _writes(control_plane, before, f"{user}two")
    assert seen.values("Deployment", "web-primary", lambda one: one["metadata"]["uid"])[1:] == []


async def _is_held(at_work: Life, identity: str) -> bool:
    return await _holder(at_work) == identity


def _writes(plane: ControlPlane, since: Any, user: str) -> list[tuple[str, str, int]]:
    reads = ("get", "list", "watch")
    found = plane.requests(since, user=user)
    return [(one.verb, one.resource, one.status) for one in found if one.verb not in reads]


async def test_one_that_loses_the_lease_writes_no_more(
    kubeconfig: str, control_plane: ControlPlane, namespace: str, hooks: Hooks
) -> None:
    account = control_plane.as_service_account(namespace, "one", ANYTHING, ANYTHING)
    async with life(kubeconfig, namespace, start=False, lease_namespace=namespace, **ELECTED) as at_work:
        await at_work.start(kubeconfig=str(account))
        await at_the_gate(at_work, hooks)
        taken_at = control_plane.mark()
        taken = {"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 600}}
        await at_work.api.patch(at_work.ref("Lease", LEASE, "coordination.k8s.io/v1"), taken)
        user = f"system:serviceaccount:{namespace}:one"
        await at_work.so(lambda: _has_looked(control_plane, taken_at, user), "it sees that another leads")
        await asyncio.sleep(0.5)
        before = control_plane.mark()
        hooks.open("go")
        await at_work.push("web:3")
        await asyncio.sleep(2)
        assert _writes(control_plane, before, user) == []
        assert await at_work.weight() == 20
        assert await at_work.image("web-primary") == "web:1"
        await at_work.api.patch(at_work.ref("Lease", LEASE, "coordination.k8s.io/v1"), {"spec": {"holderIdentity": ""}})
        await at_work.phase("Succeeded")
        assert await at_work.image("web-primary") == "web:3"


async def _has_looked(plane: ControlPlane, since: Mark, user: str) -> bool:
    """Whether it has read the lease, as it does when its renewal was refused."""
    return bool(plane.requests(since, user=user, resource="leases", verb="get"))


async def test_one_that_was_frozen_for_longer_than_its_lease_writes_nothing(
    kubeconfig: str, control_plane: ControlPlane, namespace: str, hooks: Hooks
) -> None:
    """Between a decision and its write: the machine is stopped, another leads by then, and the machine goes on."""
    account = control_plane.as_service_account(namespace, "one", ANYTHING, ANYTHING)
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE}"
    since: list[Mark] = []

    def freeze(boundary: str) -> None:
        if boundary == "Persist" and not hooks.shut and not since:
            control_plane.api.merge(lease, {"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 600}})
            since.append(control_plane.mark())
            time.sleep(11)

    async with life(kubeconfig, namespace, start=False, lease_namespace=namespace, **ELECTED) as at_work:
        await at_work.start(kubeconfig=str(account), boundary=freeze)
        await at_the_gate(at_work, hooks)
        hooks.open("go")
        await at_work.so(lambda: _frozen(since), "it was frozen")
        await asyncio.sleep(1)
        assert _writes(control_plane, since[0], f"system:serviceaccount:{namespace}:one") == []
        assert await at_work.weight() == 20


async def _frozen(since: list[Mark]) -> bool:
    return bool(since)


async def test_a_line_that_is_cut_again_and_again(
    kubeconfig: str, namespace: str, hooks: Hooks, tmp_path: Path
) -> None:
    async with Line(Path(kubeconfig), tmp_path) as line, life(kubeconfig, namespace, start=False, speed=20) as at_work:
        await at_work.start(kubeconfig=str(line.kubeconfig))
        await at_work.deployment()
        await at_work.rollout(POLICY.replace("GATE", hooks.gate("go")))
        await at_work.phase("Initialized")
        async with history(at_work, "VirtualService") as seen:
            cutting = asyncio.create_task(_cut(line))
            hooks.open("go")
            await at_work.push("web:2")
            await at_work.phase("Succeeded")
            cutting.cancel()
    assert seen.values("VirtualService", "web", canary_weight) == WEIGHTS
    assert line.opened > 20


async def _cut(line: Line) -> None:
    while True:
        await asyncio.sleep(0.4)
        line.cut()


async def test_a_line_that_falls_silent(kubeconfig: str, namespace: str, hooks: Hooks, tmp_path: Path) -> None:
    """Nothing comes through for a while; then it does, and the rollout goes on from where it was."""
    async with Line(Path(kubeconfig), tmp_path) as line, life(kubeconfig, namespace, start=False, speed=20) as at_work:
        await at_work.start(kubeconfig=str(line.kubeconfig))
        async with history(at_work, "VirtualService") as seen:
            await at_the_gate(at_work, hooks)
            line.silence()
            hooks.open("go")
            await asyncio.sleep(2)
            assert await at_work.weight() == 20
            line.mend()
            await at_work.phase("Succeeded")
    assert seen.values("VirtualService", "web", canary_weight) == WEIGHTS


async def test_somebody_else_writes_a_run(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """Each write of ours then is a conflict: all is read anew, and nothing is lost or done twice."""
    async with life(kubeconfig, namespace, speed=20) as at_work, history(at_work, "VirtualService") as seen:
        await at_the_gate(at_work, hooks)
        meddling = asyncio.create_task(_meddle(at_work))
        hooks.open("go")
        await at_work.phase("Succeeded")
        meddling.cancel()
    assert seen.values("VirtualService", "web", canary_weight) == WEIGHTS


async def _meddle(at_work: Life) -> None:
    number = 0
    while True:
        number += 1
        patch = {"metadata": {"annotations": {"somebody.test/number": str(number)}}}
        await at_work.edit("RolloutRun", "web-1", patch)
        await asyncio.sleep(0.05)


async def test_two_at_once_do_no_harm(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """Without an election, as it must never be: each write of a state is refused to one of the two."""
    async with (
        life(kubeconfig, namespace, speed=20, identity="one") as one,
        history(one, "VirtualService", "RolloutRun") as seen,
    ):
        await at_the_gate(one, hooks)
        async with life(kubeconfig, namespace, speed=20, identity="two") as two:
            hooks.open("go")
            await two.phase("Succeeded")
            assert await two.image("web-primary") == "web:2"
    weights = seen.values("VirtualService", "web", canary_weight)
    assert weights[-1] == 0
    assert max(weights) == 40
