"""Protects rollouts on meshes whose routes come in several versions and forms, of which a cluster has some."""

from __future__ import annotations

from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.history import history
from tests.interpreter.cluster.life import life

POLICY = """
    rollout web in NAMESPACE {
      target  deployment/web
      service { port 80; target_port http }
      traffic TRAFFIC
      steps   { shift to 30% for 1s; promote }
    }
"""


async def test_a_split_in_the_version_that_the_mesh_serves(
    control_plane: ControlPlane, kubeconfig: str, namespace: str
) -> None:
    control_plane.install_crds("smi/linkerd-smi_trafficsplits.yaml")
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment()
        await at_work.rollout(POLICY.replace("TRAFFIC", "smi"))
        await at_work.phase("Initialized")
        async with history(at_work, "TrafficSplit") as seen:
            await at_work.push("web:2")
            await at_work.phase("Succeeded")
        managers = (await at_work.get("TrafficSplit", "web"))["metadata"]["managedFields"]
    assert {one["apiVersion"] for one in managers} == {"split.smi-spec.io/v1alpha2"}
    assert seen.values("TrafficSplit", "web", lambda one: one["spec"]["backends"][1]["weight"]) == [0, 30, 0]


async def test_linkerds_own_route(control_plane: ControlPlane, kubeconfig: str, namespace: str) -> None:
    control_plane.install_crds("linkerd")
    route = "policy.linkerd.io/v1beta3"
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment()
        await at_work.rollout(POLICY.replace("TRAFFIC", "linkerd"))
        await at_work.phase("Initialized")
        found = await at_work.get("HTTPRoute", "web", route)
        assert [one["weight"] for one in found["spec"]["rules"][0]["backendRefs"]] == [100, 0]
        await at_work.push("web:2")
        await at_work.phase("Succeeded")
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")


async def test_the_split_goes_when_the_policy_moves_to_a_route(
    control_plane: ControlPlane, kubeconfig: str, namespace: str
) -> None:
    control_plane.install_crds("linkerd", "smi/linkerd-smi_trafficsplits.yaml")
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment()
        await at_work.rollout(POLICY.replace("TRAFFIC", "linkerd { api smi }"))
        await at_work.phase("Initialized")
        await at_work.get("TrafficSplit", "web")
        await at_work.rollout(POLICY.replace("TRAFFIC", "linkerd"))

        async def moved() -> bool:
            return await at_work.find("HTTPRoute", "web", "policy.linkerd.io/v1beta3") is not None

        await at_work.so(moved, "there is a route")
        await at_work.gone("TrafficSplit", "web")
