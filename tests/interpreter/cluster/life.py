"""A controller in the test's own process, at work in one namespace of a real control plane.

What a test does is what users do: it applies manifests and looks at objects. `until` waits for the cluster to come to
something; a test that waits in vain fails with what was there instead.
"""

from __future__ import annotations

import asyncio
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from interpreter.cluster import names
from interpreter.cluster.api import Api
from interpreter.cluster.connection import connect
from interpreter.cluster.controller import Controller, Settings
from interpreter.objects import Manifest, Ref

PATIENCE_S = 60.0
APPLY = "application/apply-patch+yaml"


class Life:
    """The cluster as a test sees it. `controller` is the one that is at work, if any."""

    def __init__(self, api: Api, namespace: str, settings: Settings) -> None:
        self.api = api
        self.namespace = namespace
        self.settings = settings
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, **changes: Any) -> None:
        """Start a controller, with its own connection's gate."""
        self._stop = asyncio.Event()
        controller = Controller(self.api, replace(self.settings, **changes))
        self._task = asyncio.create_task(controller.run(self._stop))

    async def stop(self) -> None:
        """End it in order."""
        self._stop.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def kill(self) -> None:
        """End it in no order at all."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    # --- what users do --------------------------------------------------------------------------------------------

    def ref(self, kind: str, name: str, api_version: str = "") -> Ref:
        """An object of the test's namespace."""
        known = {"Deployment": "apps/v1", "DaemonSet": "apps/v1", "StatefulSet": "apps/v1", "Service": "v1"}
        ours = {"Rollout", "RolloutRun", "RolloutLibrary"}
        version = api_version or known.get(kind) or (names.API_VERSION if kind in ours else "v1")
        return Ref(version, kind, self.namespace, name)

    async def apply(self, *manifests: Manifest) -> None:
        """As `kubectl apply --server-side` of a person."""
        for manifest in manifests:
            placed = {**manifest, "metadata": {"namespace": self.namespace, **manifest["metadata"]}}
            ref = Ref(placed["apiVersion"], placed["kind"], self.namespace, placed["metadata"]["name"])
            found = await self.api.discovery.resource(ref.api_version, ref.kind)
            query = {"fieldManager": "kubectl", "force": "true"}
            await self.api.raw("PATCH", found.path(self.namespace, ref.name), query, placed, APPLY)

    async def rollout(self, text: str, name: str = "web") -> None:
        """Apply a Rollout with this policy."""
        source = textwrap.dedent(text).strip() + "\n"
        await self.apply(
            {
                "apiVersion": names.API_VERSION,
                "kind": "Rollout",
                "metadata": {"name": name},
                "spec": {"source": source},
            }
        )

    async def deployment(self, name: str = "web", *, image: str = "web:1", replicas: int = 2, **template: Any) -> None:
        """Apply a Deployment, or bring a new revision of it."""
        await self.apply(deployment(name, image=image, replicas=replicas, **template))

    async def get(self, kind: str, name: str, api_version: str = "") -> Manifest:
        """An object that must exist."""
        ref = self.ref(kind, name, api_version)
        found = await self.api.get(ref)
        assert found is not None, f"{ref} does not exist"
        return found

    async def status(self, name: str = "web", kind: str = "Rollout") -> dict[str, Any]:
        version = names.FLAGGER_API_VERSION if kind == "Canary" else ""
        return dict((await self.get(kind, name, version)).get("status") or {})

    async def until(
        self, what: Callable[[dict[str, Any]], bool], name: str = "web", *, kind: str = "Rollout", seconds: float = 0
    ) -> dict[str, Any]:
        """Wait until the status is so, and give it."""
        limit = time.monotonic() + (seconds or PATIENCE_S)
        while True:
            status = await self.status(name, kind)
            if what(status):
                return status
            self._check()
            if time.monotonic() > limit:
                raise AssertionError(f"it did not come to it; the status is {status}\n{await self.story()}")
            await asyncio.sleep(0.1)

    async def phase(self, phase: str, name: str = "web", *, kind: str = "Rollout", seconds: float = 0) -> dict[str, Any]:
        """Wait for a phase."""
        return await self.until(lambda status: status.get("phase") == phase, name, kind=kind, seconds=seconds)

    async def story(self) -> str:
        """The events of the namespace, for a failure to be understood."""
        events = await self.api.list(("v1", "Event"), self.namespace)
        ours = [one for one in events if one["involvedObject"]["kind"] in ("Rollout", "Canary")]
        return "\n".join(f"{one['reason']}: {one['message']}" for one in ours)

    def _check(self) -> None:
        if self._task is not None and self._task.done():
            self._task.result()


@asynccontextmanager
async def life(kubeconfig: str, namespace: str, *, start: bool = True, **settings: Any) -> AsyncIterator[Life]:
    """A controller at work in a namespace, until the end of the test."""
    given = {"identity": "test", "namespace": namespace, "elect": False, "host": "127.0.0.1", "port": 0, **settings}
    async with await connect(kubeconfig) as api:
        under_test = Life(api, namespace, Settings(**given))
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
                    "containers": [
                        {"name": "app", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
                    ]
                },
            },
        },
    }
