"""One life of a Canary: a namespace with nothing in it, a controller, and what a user of Flagger's does and sees."""

from __future__ import annotations

import asyncio
import copy
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import yaml

from interpreter.cluster.api import Api
from interpreter.cluster.connection import connect
from interpreter.cluster.controller import Settings
from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.dsl.flagger.manifests import REFERENCE
from tests.flagger.pace import PacedClock, paced
from tests.flagger.town import Town
from tests.interpreter.cluster.history import History, history
from tests.interpreter.cluster.life import Life, deployment

CANARY = "Canary"
TAKEN: set[str] = set()
"""The samples that the running test has taken."""
SAMPLES = REFERENCE / "samples" / "flagger"
METRICS_SERVER = "http://prometheus:9090"
"""Flagger's own default."""
PHASES_OF_A_PROMOTION = ["Initialized", "Progressing", "Promoting", "Succeeded"]
_CLEARED = (
    "flagger.app/v1beta1 Canary", "rollway.dev/v1alpha1 RolloutRun", "keda.sh/v1alpha1 ScaledObject",
    "autoscaling/v2 HorizontalPodAutoscaler", "apps/v1 Deployment", "apps/v1 DaemonSet", "apps/v1 ReplicaSet",
    "v1 Service", "networking.k8s.io/v1 Ingress", "networking.istio.io/v1 VirtualService",
    "networking.istio.io/v1 DestinationRule", "gateway.networking.k8s.io/v1 HTTPRoute",
    "split.smi-spec.io/v1alpha2 TrafficSplit", "apisix.apache.org/v2 ApisixRoute",
    "gateway.solo.io/v1 RouteTable", "gloo.solo.io/v1 Upstream", "appmesh.k8s.aws/v1beta2 VirtualService",
    "appmesh.k8s.aws/v1beta2 VirtualRouter", "appmesh.k8s.aws/v1beta2 VirtualNode",
    "projectcontour.io/v1 HTTPProxy", "traefik.io/v1alpha1 TraefikService", "traefik.io/v1alpha1 IngressRoute",
    "flagger.app/v1beta1 AlertProvider", "flagger.app/v1beta1 MetricTemplate", "v1 Secret", "v1 ConfigMap", "v1 Pod",
    "events.k8s.io/v1 Event",
)  # fmt: skip
_NOT_WAITED_FOR = ("ConfigMap", "Secret", "Event")
_GONE_WITHIN_S = 60.0
MERGE = "application/merge-patch+json"


def sample(path: str) -> Manifest:
    """A manifest of Flagger's own docs and tests."""
    TAKEN.add(path)
    read: Manifest = yaml.safe_load((SAMPLES / path).read_text(encoding="utf-8"))
    return read


def podinfo(name: str = "podinfo", *, image: str = "podinfo:1", replicas: int = 2) -> Manifest:
    """The Deployment that the samples speak of, as far as they speak of it."""
    made = deployment(name, image=image, replicas=replicas)
    made["spec"]["template"]["spec"]["containers"][0]["ports"] = [
        {"name": "http", "containerPort": 9898},
        {"name": "grpc", "containerPort": 9999},
    ]
    return made


class Stage:
    """`life` is the namespace and the controller, `town` what is around them."""

    def __init__(self, cluster: ControlPlane, life: Life, town: Town, clock: PacedClock) -> None:
        self.cluster, self.life, self.town, self.clock = cluster, life, town, clock

    # --- what a user does ---------------------------------------------------------------------------------------

    async def kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """In the namespace; whether it went well is for the caller to see."""
        inside = ("-n", self.life.namespace, *arguments)
        return await asyncio.to_thread(self.cluster.kubectl, *inside, stdin=stdin)

    async def kubectl_anywhere(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """In whatever namespaces the manifests name."""
        return await asyncio.to_thread(self.cluster.kubectl, *arguments)

    async def apply(self, path: str) -> None:
        """`kubectl apply -f` of a sample, as it stands in its file; in our namespace, if it names none."""
        where = () if "namespace" in sample(path)["metadata"] else ("-n", self.life.namespace)
        done = await asyncio.to_thread(self.cluster.kubectl, "apply", "-f", str(SAMPLES / path), *where)
        assert done.returncode == 0, done.stderr

    async def apply_anywhere(self, manifest: Manifest) -> None:
        """In the namespace that it names."""
        done = await asyncio.to_thread(self.cluster.kubectl, "apply", "-f", "-", stdin=yaml.safe_dump(manifest))
        assert done.returncode == 0, done.stderr

    async def canary(self, path: str, **spec: Any) -> None:
        """Apply a sample with some fields of its spec replaced: `analysis__threshold=2` reaches into it."""
        manifest = copy.deepcopy(sample(path))
        for name, value in spec.items():
            *inside, last = name.split("__")
            at = manifest["spec"]
            for key in inside:
                at = at[key]
            if value is None:
                at.pop(last, None)
            else:
                at[last] = value
        await self.life.apply(manifest)

    async def begin(self, *paths: str, target: Manifest | None = None) -> None:
        """Apply a target and samples, and wait until Flagger's users would say that all is well."""
        await self.life.apply(target or podinfo())
        for path in paths:
            await self.apply(path)
        await self.phase("Initialized")

    async def push(self, image: str = "podinfo:2", name: str = "podinfo", kind: str = "Deployment") -> None:
        """`kubectl set image`."""
        done = await self.kubectl("set", "image", f"{kind.lower()}/{name}", f"*={image}")
        assert done.returncode == 0, done.stderr

    # --- what there is ------------------------------------------------------------------------------------------

    async def status(self) -> dict[str, Any]:
        return await self.life.status(await self.name(), CANARY)

    async def name(self) -> str:
        """Of the one Canary that there is."""
        (one,) = await self.life.all_of(CANARY)
        return str(one["metadata"]["name"])

    async def phase(self, phase: str) -> dict[str, Any]:
        return await self.life.phase(phase, await self.name(), kind=CANARY)

    async def until(self, what: Any) -> dict[str, Any]:
        return await self.life.until(what, await self.name(), kind=CANARY)

    async def promoted(self) -> dict[str, Any]:
        """Wait as a pipeline does, by `kubectl wait`, and give the status then."""
        await self.phase("Progressing")
        return await self.waited_for()

    async def waited_for(self) -> dict[str, Any]:
        name = await self.name()
        done = await self.kubectl("wait", f"canary/{name}", "--for=condition=promoted", "--timeout=90s")
        assert done.returncode == 0, f"{done.stderr}\n{await self.life.status(name, CANARY)}\n{await self.life.story()}"
        return await self.status()

    async def said(self, reason: str = "") -> list[str]:
        """The messages of the events about the Canary."""
        return await self.life.events(reason, CANARY)

    def seeing(self, *kinds: str) -> Any:
        """Everything that happens to objects of these kinds, to Canaries besides."""
        return history(self.life, CANARY, *kinds)


def phases(seen: History, name: str = "podinfo") -> list[str]:
    """The phases of a Canary, one after the other; without Finalising, which is over before it is shown or not."""
    shown = seen.values(CANARY, name, lambda one: one.get("status", {}).get("phase"))
    return [phase for phase in shown if phase != "Finalising"]


def weights(seen: History, name: str = "podinfo") -> list[int]:
    """The weights that a Canary's status showed."""
    return seen.values(CANARY, name, lambda one: one.get("status", {}).get("canaryWeight"))


def promoted(status: dict[str, Any]) -> dict[str, str]:
    """The condition, without its times."""
    (condition,) = status["conditions"]
    return {key: condition[key] for key in ("type", "status", "reason", "message")}


@asynccontextmanager
async def stage(
    cluster: ControlPlane, town: Town, namespace: str = "test", *, start: bool = True, **settings: Any
) -> AsyncIterator[Stage]:
    """A controller at work in the whole cluster, and a namespace that is empty before and after."""
    clock = PacedClock()
    given = {"metrics_server": METRICS_SERVER, "elect": False, "host": "127.0.0.1", "port": 0, **settings}
    async with await connect(str(cluster.kubeconfig)) as api:
        life = Life(api, str(cluster.kubeconfig), namespace, Settings(identity="test", clock=clock, **given))
        await _clear(cluster, api, namespace)
        try:
            if start:
                await life.start()
            async with paced(api, clock, namespace):
                yield Stage(cluster, life, town, clock)
        finally:
            await life.kill()
            await _clear(cluster, api, namespace)


async def _clear(cluster: ControlPlane, api: Api, namespace: str) -> None:
    """Have the namespace, with nothing in it."""
    inside = f"/api/v1/namespaces/{namespace}"
    if not await asyncio.to_thread(cluster.api.answers, inside):
        cluster.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        await asyncio.to_thread(cluster.api.until, f"{inside}/serviceaccounts/default", bool)
        return
    for kind in _CLEARED:
        await _delete_all(api, kind, namespace)
    async with asyncio.timeout(_GONE_WITHIN_S):
        while await _left(api, namespace):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.1)


async def _delete_all(api: Api, every: str, namespace: str) -> None:
    """Finalizers are ours, and whose they are is not at work any more."""
    api_version, kind = every.split()
    path = (await api.discovery.resource(api_version, kind)).path(namespace)
    for one in await api.list((api_version, kind), namespace):
        if one["metadata"].get("finalizers"):
            named = f"{path}/{one['metadata']['name']}"
            await api.raw("PATCH", named, body={"metadata": {"finalizers": None}}, content=MERGE)
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    await api.raw("DELETE", path, body=body)


async def _left(api: Api, namespace: str) -> list[Manifest]:
    kinds = [kind.split() for kind in _CLEARED if not kind.endswith(_NOT_WAITED_FOR)]
    return [one for version, kind in kinds for one in await api.list((version, kind), namespace)]
