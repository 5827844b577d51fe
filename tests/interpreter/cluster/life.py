"""A controller in the test's own process, at work in one namespace of a real control plane.

What a test does is what users do: it applies manifests and looks at objects. `until` waits for the cluster to come to
something; a test that waits in vain fails with what was there instead. The test has a connection of its own, so that
the controller's can be cut, and so that what is counted or refused on it is the controller's alone.
"""

from __future__ import annotations

import asyncio
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from interpreter import state_json
from interpreter.addresses import addresses
from interpreter.cluster import names
from interpreter.cluster.api import Api, ApiError
from interpreter.cluster.clock import Clock
from interpreter.cluster.connection import connect
from interpreter.cluster.controller import Controller, Settings
from interpreter.objects import Manifest, Ref
from interpreter.state import State

PATIENCE_S = 60.0
APPLY = "application/apply-patch+yaml"
KNOWN = {
    "Deployment": "apps/v1",
    "DaemonSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "VirtualService": "networking.istio.io/v1",
    "ApisixRoute": "apisix.apache.org/v2",
    "RouteTable": "gateway.solo.io/v1",
    "HTTPProxy": "projectcontour.io/v1",
    "TraefikService": "traefik.io/v1alpha1",
    "Upstream": "gloo.solo.io/v1",
    "VirtualRouter": "appmesh.k8s.aws/v1beta2",
    "DestinationRule": "networking.istio.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "ScaledObject": "keda.sh/v1alpha1",
    "Rollout": names.API_VERSION,
    "RolloutRun": names.API_VERSION,
    "RolloutLibrary": names.API_VERSION,
    "ClusterRolloutLibrary": names.API_VERSION,
    "Canary": names.FLAGGER_API_VERSION,
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "TrafficSplit": "split.smi-spec.io/v1alpha2",
    "Ingress": "networking.k8s.io/v1",
}


class Life:
    """The cluster as a test sees it, and the controller that is at work, if any."""

    def __init__(self, api: Api, kubeconfig: str, namespace: str, settings: Settings) -> None:
        self.api = api
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self.settings = settings
        self.working: Api | None = None
        """The connection of the controller at work."""
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- the controller -------------------------------------------------------------------------------------------

    async def start(self, *, kubeconfig: str = "", gate: Callable[[], bool] | None = None, **changes: Any) -> None:
        """Start a controller. `kubeconfig` is as whom, by default as the test; `gate` is asked before each write."""
        assert self._task is None, "there is one at work already"
        self._stop = asyncio.Event()
        self.working = await connect(kubeconfig or self.kubeconfig)
        api = self.working if gate is None else self.working.gated(gate)
        controller = Controller(api, replace(self.settings, **changes))
        self._task = asyncio.create_task(controller.run(self._stop))

    async def stop(self) -> None:
        """End it in order."""
        self._stop.set()
        if self._task is not None:
            await self._task
        await self._forget()

    async def kill(self) -> None:
        """End it, whatever it is doing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._forget()

    async def _forget(self) -> None:
        self._task, working, self.working = None, self.working, None
        if working is not None:
            await working.aclose()

    def check(self) -> None:
        """Fail if the controller has ended by itself."""
        if self._task is not None and self._task.done():
            self._task.result()

    # --- what users do --------------------------------------------------------------------------------------------

    def ref(self, kind: str, name: str, api_version: str = "") -> Ref:
        """An object of the test's namespace."""
        return Ref(api_version or KNOWN.get(kind, "v1"), kind, self.namespace, name)

    async def apply(self, *manifests: Manifest) -> None:
        """As `kubectl apply --server-side` of a person."""
        for manifest in manifests:
            placed = {**manifest, "metadata": {"namespace": self.namespace, **manifest["metadata"]}}
            ref = Ref(placed["apiVersion"], placed["kind"], self.namespace, placed["metadata"]["name"])
            found = await self.api.discovery.resource(ref.api_version, ref.kind)
            if not found.namespaced:
                del placed["metadata"]["namespace"]
            query = {"fieldManager": "kubectl", "force": "true"}
            path = found.path(self.namespace if found.namespaced else "", ref.name)
            await self.api.raw("PATCH", path, query, placed, APPLY)

    async def rollout(self, text: str, name: str = "web", **spec: Any) -> None:
        """Apply a Rollout with this policy, in which NAMESPACE stands for the test's."""
        source = textwrap.dedent(text).strip().replace("NAMESPACE", self.namespace) + "\n"
        await self.apply(
            {
                "apiVersion": names.API_VERSION,
                "kind": "Rollout",
                "metadata": {"name": name},
                "spec": {"source": source, **spec},
            }
        )

    async def deployment(self, name: str = "web", *, image: str = "web:1", replicas: int = 2, **template: Any) -> None:
        """Apply a Deployment."""
        await self.apply(deployment(name, image=image, replicas=replicas, **template))

    async def edit(self, kind: str, name: str, patch: Mapping[str, Any], *, subresource: str = "") -> Manifest:
        """A JSON merge patch, as `kubectl edit`."""
        return await self.api.patch(self.ref(kind, name), patch, subresource)

    async def push(self, image: str, name: str = "web", **annotations: str) -> None:
        """Bring a new revision of a Deployment, as `kubectl set image`. `annotations` go to its pods: `fail` and
        `ready_after` are what the tests' nodes go by."""
        known = {"fail": "kwok.test/fail", "ready_after": "kwok.test/ready-after"}
        on_pods: dict[str, str | None] = dict.fromkeys(known.values())
        on_pods |= {known.get(key, key): value for key, value in annotations.items()}
        container = {"name": "app", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
        template = {"metadata": {"annotations": on_pods}, "spec": {"containers": [container]}}
        await self.edit("Deployment", name, {"spec": {"template": template}})

    async def annotate(self, name: str = "web", **verbs: str | None) -> None:
        """Put a verb's annotation on a Rollout (`approve="REVISION"`), or take it off."""
        patch = {names.verb_annotation(verb): value for verb, value in verbs.items()}
        await self.edit("Rollout", name, {"metadata": {"annotations": patch}})

    async def delete(self, kind: str, name: str, api_version: str = "") -> None:
        """Ask for an object to be deleted."""
        await self.api.delete(self.ref(kind, name, api_version))

    # --- what there is --------------------------------------------------------------------------------------------

    async def find(self, kind: str, name: str, api_version: str = "") -> Manifest | None:
        """An object, if it exists."""
        return await self.api.get(self.ref(kind, name, api_version))

    async def get(self, kind: str, name: str, api_version: str = "") -> Manifest:
        """An object that must exist."""
        found = await self.find(kind, name, api_version)
        assert found is not None, f"{kind} {name} does not exist"
        return found

    async def all_of(self, kind: str, label_selector: str = "") -> list[Manifest]:
        """The objects of a kind in the namespace."""
        return await self.api.list((KNOWN.get(kind, "v1"), kind), self.namespace, label_selector)

    async def status(self, name: str = "web", kind: str = "Rollout") -> dict[str, Any]:
        return dict((await self.get(kind, name)).get("status") or {})

    async def state(self, name: str = "web") -> State:
        """The machine's state, as it was last written."""
        status = await self.status(name)
        run = await self.get("RolloutRun", status["run"])
        return state_json.decode(run["status"]["state"])

    async def image(self, name: str, kind: str = "Deployment") -> str:
        """The image that a workload runs."""
        return str((await self.get(kind, name))["spec"]["template"]["spec"]["containers"][0]["image"])

    async def replicas(self, name: str, kind: str = "Deployment") -> int:
        """How many pods a workload is asked to run."""
        return int((await self.get(kind, name))["spec"]["replicas"])

    async def weight(self, name: str = "web") -> int:
        """The canary's share in a VirtualService."""
        return canary_weight(await self.get("VirtualService", name))

    async def events(self, reason: str = "", kind: str = "Rollout") -> list[str]:
        """The messages of the events about objects of a kind."""
        found = await self.api.list(("v1", "Event"), self.namespace)
        found.sort(key=lambda one: one["metadata"]["resourceVersion"])
        ours = [one for one in found if one["involvedObject"]["kind"] == kind]
        return [one["message"] for one in ours if reason in ("", one["reason"])]

    async def happened(self, reason: str, words: str = "", times: int = 1) -> str:
        """Wait for so many events of this reason with these words, and give the last one's message."""
        limit = time.monotonic() + PATIENCE_S
        while True:
            found = [message for message in await self.events(reason) if words in message]
            if len(found) >= times:
                return found[-1]
            self.check()
            assert time.monotonic() < limit, f"no event {reason} with `{words}`:\n{await self.story()}"
            await asyncio.sleep(0.1)

    # --- waiting --------------------------------------------------------------------------------------------------

    async def until(
        self, what: Callable[[dict[str, Any]], object], name: str = "web", *, kind: str = "Rollout", seconds: float = 0
    ) -> dict[str, Any]:
        """Wait until the status is so, and give it."""
        limit = time.monotonic() + (seconds or PATIENCE_S)
        while True:
            status = await self.status(name, kind)
            if what(status):
                return status
            self.check()
            if time.monotonic() > limit:
                raise AssertionError(f"it did not come to it; the status is {status}\n{await self.story()}")
            await asyncio.sleep(0.1)

    async def phase(
        self, phase: str, name: str = "web", *, kind: str = "Rollout", seconds: float = 0
    ) -> dict[str, Any]:
        """Wait for a phase."""
        return await self.until(lambda status: status.get("phase") == phase, name, kind=kind, seconds=seconds)

    async def taken_up(self, name: str = "web") -> str:
        """Wait until a run of another revision than the primary's is under way; its revision."""
        before = (await self.status(name)).get("lastPromotedSpec")
        status = await self.until(lambda seen: seen.get("revision") != before, name)
        return str(status["revision"])

    async def so(self, what: Callable[[], Any], meant: str = "") -> Any:
        """Wait until an awaitable condition is true, and give what it gave."""
        limit = time.monotonic() + PATIENCE_S
        while True:
            found = await what()
            if found:
                return found
            self.check()
            assert time.monotonic() < limit, f"it did not come to it: {meant}\n{await self.story()}"
            await asyncio.sleep(0.1)

    async def gone(self, kind: str, name: str) -> None:
        """Wait until there is no such object."""

        async def missing() -> bool:
            return await self.find(kind, name) is None

        await self.so(missing, f"{kind} {name} goes")

    async def weighs(self, weight: int, name: str = "web") -> None:
        """Wait until a VirtualService gives the canary this share."""

        async def there() -> bool:
            found = await self.find("VirtualService", name)
            return found is not None and canary_weight(found) == weight

        await self.so(there, f"the canary has {weight}%")

    async def story(self) -> str:
        """The statuses and events of the namespace, for a failure to be understood."""
        lines = []
        try:
            lines += [f"{one['metadata']['name']}: {one.get('status')}" for one in await self.all_of("Rollout")]
            lines += await self.events()
        except ApiError as error:
            lines.append(str(error))
        return "\n".join(lines)


HERE = addresses(allow="127.0.0.0/8,::1")
"""The hooks of tests are on the loopback interface."""


@asynccontextmanager
async def life(
    kubeconfig: str, namespace: str, *, start: bool = True, speed: float = 1.0, **settings: Any
) -> AsyncIterator[Life]:
    """A controller at work in a namespace, until the end of the test. Its time is `speed` times as fast as the wall's,
    for policies that take minutes."""
    fixed = {"identity": "test", "namespace": namespace, "elect": False, "host": "127.0.0.1", "port": 0}
    given: dict[str, Any] = {**fixed, "addresses": HERE, **settings}
    async with await connect(kubeconfig) as api:
        under_test = Life(api, kubeconfig, namespace, Settings(**{"clock": Clock(speed), **given}))
        if start:
            await under_test.start()
        try:
            yield under_test
        finally:
            await under_test.kill()


def deployment(name: str = "web", *, image: str = "web:1", replicas: int = 2, **template: Any) -> Manifest:
    """A Deployment of one container; `template` is merged into the metadata of its pods."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, **template},
                "spec": {
                    "containers": [{"name": "app", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}]
                },
            },
        },
    }


def service(name: str = "web", **spec: Any) -> Manifest:
    """A user's own Service of the pods `app: NAME`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}], **spec},
    }


def canary_weight(virtual_service: Manifest) -> int:
    """The share of the destination `NAME-canary`."""
    name = virtual_service["metadata"]["name"]
    (rule,) = virtual_service["spec"]["http"]
    weights = {one["destination"]["host"]: one.get("weight", 100) for one in rule["route"]}
    return int(weights.get(f"{name}-canary", 0))
