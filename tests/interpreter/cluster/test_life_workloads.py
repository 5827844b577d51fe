"""Protects rollouts of every kind of workload, of what scales them, and of what their pods are made of."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from interpreter.objects import Manifest
from interpreter.workloads.configs import TRACKING
from interpreter.workloads.scalers import PAUSED
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.history import history
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, canary_weight, deployment, life

POLICY = """
    GATE
    rollout web in NAMESPACE {
      target  TARGET
      service { port 80; target_port http }
      traffic istio
      MORE
      steps   { shift to 20%; wait for gate go; promote }
      on delete revert
    }
"""


def policy(hooks: Hooks, target: str = "deployment/web", *more: str) -> str:
    text = POLICY.replace("TARGET", target).replace("MORE", "\n".join(more))
    return text.replace("GATE", hooks.gate("go"))


async def at_the_gate(at_work: Life) -> None:
    await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))


def other_kind(kind: str, image: str) -> Manifest:
    """A DaemonSet or StatefulSet like the Deployment of the tests."""
    made = deployment(image=image)
    spec = made["spec"]
    if kind == "DaemonSet":
        del spec["replicas"]
    else:
        spec["serviceName"] = "web"
    return {**made, "kind": kind}


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
async def test_other_kinds(kubeconfig: str, namespace: str, hooks: Hooks, kind: str) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_work.apply(other_kind(kind, "web:1"))
        await at_work.rollout(policy(hooks, f"{kind.lower()}/web"))
        await at_work.phase("Initialized")
        await at_work.so(lambda: _pods(at_work, "web", 0), "the target has no pods")
        async with history(at_work, "VirtualService", "Pod", "Service") as seen:
            await at_work.edit(kind, "web", {"spec": {"template": other_kind(kind, "web:2")["spec"]["template"]}})
            await at_the_gate(at_work)
            assert await _pods(at_work, "web", 2)
            assert await at_work.image("web-primary", kind) == "web:1"
            hooks.open("go")
            await at_work.phase("Succeeded")
            assert await at_work.image("web-primary", kind) == "web:2"
            await at_work.so(lambda: _pods(at_work, "web", 0), "the canary goes down")
            await at_work.delete("Rollout", "web")
            await at_work.gone("Rollout", "web")
            assert await _pods(at_work, "web", 2)
    assert seen.values("VirtualService", "web", canary_weight)[:3] == [0, 20, 0]
    assert 0 not in seen.behind("web")


async def _pods(at_work: Life, app: str, number: int) -> bool:
    """Whether there are so many pods of an app (a DaemonSet has one on each of two nodes)."""
    return (
        len([p for p in await at_work.all_of("Pod", f"app={app}") if "deletionTimestamp" not in p["metadata"]])
        == number
    )


async def test_a_service_is_the_target(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """What it leads to is the user's affair: a revision is the Service's own spec."""

    def users(app: str) -> Manifest:
        spec = {"selector": {"app": app}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}

    async def leads(name: str) -> str:
        return str((await at_work.get("Service", name))["spec"]["selector"]["app"])

    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_work.apply(users("one"))
        await at_work.rollout(policy(hooks, "service/web"))
        await at_work.phase("Initialized")
        assert (await leads("web-primary"), await leads("web-canary")) == ("one", "one")
        await at_work.apply(users("two"))
        await at_the_gate(at_work)
        assert (await leads("web-primary"), await leads("web-canary")) == ("one", "two")
        assert await at_work.weight() == 20
        hooks.open("go")
        await at_work.phase("Succeeded")
        assert await leads("web-primary") == "two"


# --- custom resources -------------------------------------------------------------------------------------------


GROUP = "life.test"
_ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
WIDGETS: Manifest = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _ANY, "status": _ANY}}},
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
            }
        ],
    },
}


async def _play(at_work: Life) -> None:
    """The controller of Widgets: all of them are at once as they should be."""
    while True:
        for one in await at_work.api.list((f"{GROUP}/v1", "Widget"), at_work.namespace):
            wanted, metadata = one["spec"].get("replicas", 1), one["metadata"]
            status = {
                "observedGeneration": metadata["generation"],
                "replicas": wanted,
                "readyReplicas": wanted,
                "availableReplicas": wanted,
                "updatedReplicas": wanted,
                "selector": f"app={metadata['name']}",
            }
            if one.get("status") != status:
                await at_work.api.patch(
                    at_work.ref("Widget", metadata["name"], f"{GROUP}/v1"), {"status": status}, "status"
                )
        await asyncio.sleep(0.1)


async def test_a_custom_resource(
    kubeconfig: str, control_plane: ControlPlane, namespace: str, hooks: Hooks, tmp_path: Any
) -> None:
    path = tmp_path / "widgets.yaml"
    path.write_text(_dumped(WIDGETS))
    control_plane.install_crds(str(path))
    widget = {**deployment(), "apiVersion": f"{GROUP}/v1", "kind": "Widget"}
    async with life(kubeconfig, namespace, speed=20) as at_work:
        playing = asyncio.create_task(_play(at_work))
        try:
            await at_work.apply(widget)
            await at_work.rollout(policy(hooks, f"{GROUP}/v1/Widget/web"))
            await at_work.phase("Initialized")
            newer = copy.deepcopy(widget)
            newer["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
            await at_work.api.patch(
                at_work.ref("Widget", "web", f"{GROUP}/v1"), {"spec": {"template": newer["spec"]["template"]}}
            )
            await at_the_gate(at_work)
            hooks.open("go")
            await at_work.phase("Succeeded")
            primary = await at_work.get("Widget", "web-primary", f"{GROUP}/v1")
            assert primary["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
        finally:
            playing.cancel()


def _dumped(manifest: Manifest) -> str:
    import yaml

    return yaml.safe_dump(manifest)


# --- scalers ----------------------------------------------------------------------------------------------------


def hpa(most: int = 5) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": 70}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2,
        "maxReplicas": most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": spec,
    }


async def test_a_primary_has_an_autoscaler_of_its_own(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async def copy_is(what: Callable[[dict[str, Any]], bool]) -> bool:
        found = await at_work.find("HorizontalPodAutoscaler", "web-primary")
        return found is not None and what(found["spec"])

    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_work.deployment()
        await at_work.apply(hpa())
        await at_work.rollout(policy(hooks, "deployment/web", "scaler hpa/web { primary_replicas 3..9 }"))
        await at_work.phase("Initialized")
        made = (await at_work.get("HorizontalPodAutoscaler", "web-primary"))["spec"]
        assert made["scaleTargetRef"]["name"] == "web-primary"
        assert (made["minReplicas"], made["maxReplicas"]) == (3, 9)
        changed = hpa()
        changed["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] = 50
        await at_work.apply(changed)

        def half(spec: dict[str, Any]) -> bool:
            return bool(spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 50)

        await at_work.so(lambda: copy_is(half), "the copy is kept in step")
        await at_work.edit("Deployment", "web-primary", {"spec": {"replicas": 7}})  # as the autoscaler does
        await at_work.push("web:2")
        await at_the_gate(at_work)
        assert await at_work.replicas("web") == 2
        hooks.open("go")
        await at_work.phase("Succeeded")
        assert await at_work.replicas("web-primary") == 7
        assert await at_work.image("web-primary") == "web:2"


async def test_keda_is_paused_while_there_is_no_canary(
    kubeconfig: str, control_plane: ControlPlane, namespace: str, hooks: Hooks
) -> None:
    control_plane.install_crds("keda")
    query = 'sum(rate(requests{app="web"}[1m]))'
    trigger = {"type": "prometheus", "metadata": {"serverAddress": "http://x", "threshold": "5", "query": query}}
    scaled: Manifest = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"name": "web"}, "minReplicaCount": 2, "maxReplicaCount": 5, "triggers": [trigger]},
    }

    async def paused() -> bool:
        metadata = (await at_work.get("ScaledObject", "web"))["metadata"]
        return (metadata.get("annotations") or {}).get(PAUSED) == "0"

    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_work.deployment()
        await at_work.apply(scaled)
        await at_work.rollout(policy(hooks, "deployment/web", "scaler scaledobject/web { primary_replicas 3..9 }"))
        await at_work.phase("Initialized")
        await at_work.so(paused, "it is paused")
        made = (await at_work.get("ScaledObject", "web-primary"))["spec"]
        assert (made["minReplicaCount"], made["maxReplicaCount"]) == (3, 9)
        assert 'app="web-primary"' in made["triggers"][0]["metadata"]["query"]
        await at_work.push("web:2")
        await at_the_gate(at_work)
        assert not await paused()
        hooks.open("go")
        await at_work.phase("Succeeded")
        await at_work.so(paused, "it is paused again")
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")
        assert not await paused()
        assert await at_work.replicas("web") == 2


# --- configs ----------------------------------------------------------------------------------------------------


def config_map(sky: str, name: str = "colours", **annotations: str) -> Manifest:
    metadata = {"name": name, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"sky": sky}}


async def configured(at_work: Life, hooks: Hooks, *more: str) -> None:
    """A Deployment that reads a ConfigMap and a Secret, and its rollout."""
    await at_work.apply(
        config_map("blue"),
        config_map("round", "shapes", **{TRACKING: "disabled"}),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"door": "1234"}},
    )
    made = deployment()
    (container,) = made["spec"]["template"]["spec"]["containers"]
    container["envFrom"] = [{"configMapRef": {"name": "colours"}}, {"configMapRef": {"name": "shapes"}}]
    container["env"] = [{"name": "DOOR", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "door"}}}]
    await at_work.apply(made)
    await at_work.rollout(policy(hooks, "deployment/web", *more))
    await at_work.phase("Initialized")


async def sky(at_work: Life, name: str) -> str:
    return str((await at_work.get("ConfigMap", name))["data"]["sky"])


async def test_a_changed_config_is_a_new_revision(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await configured(at_work, hooks)
        (container,) = (await at_work.get("Deployment", "web-primary"))["spec"]["template"]["spec"]["containers"]
        assert container["envFrom"][0]["configMapRef"]["name"] == "colours-primary"
        assert container["envFrom"][1]["configMapRef"]["name"] == "shapes"
        assert container["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "keys-primary"
        assert set((await at_work.status())["trackedConfigs"]) == {"configmap/colours", "secret/keys"}
        await at_work.apply(config_map("square", "shapes", **{TRACKING: "disabled"}))
        await at_work.apply(config_map("grey"))
        await at_the_gate(at_work)
        assert (await at_work.state()).run.number == 1  # type: ignore[union-attr]
        assert (await sky(at_work, "colours-primary"), await sky(at_work, "colours")) == ("blue", "grey")
        hooks.open("go")
        await at_work.phase("Succeeded")
        assert await sky(at_work, "colours-primary") == "grey"
        assert await at_work.find("ConfigMap", "shapes-primary") is None


async def test_configs_are_not_tracked_where_the_policy_says_so(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await configured(at_work, hooks, "track configs false")
        await at_work.apply(config_map("grey"))
        await at_work.push("web:2")
        hooks.open("go")
        await at_work.phase("Succeeded")
        assert (await at_work.state()).runs == 1
        assert await at_work.find("ConfigMap", "colours-primary") is None


async def test_what_keeps_pods_apart_keeps_the_primarys_apart(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
    async with life(kubeconfig, namespace, speed=20) as at_work:
        made = deployment()
        made["spec"]["template"]["spec"]["affinity"] = {
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        }
        await at_work.apply(made)
        await at_work.rollout(policy(hooks))
        await at_work.phase("Initialized")
        affinity = (await at_work.get("Deployment", "web-primary"))["spec"]["template"]["spec"]["affinity"]
        (kept,) = affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert kept["labelSelector"]["matchLabels"] == {"app": "web-primary"}
