"""The web application at work against a real control plane, and people with tokens of that control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import yaml

from dsl import ir_json
from dsl.compiler import compile_source
from dsl.source import Source
from interpreter.cluster.api import Api
from interpreter.cluster.connection import connect
from interpreter.objects import Manifest, Ref, ref_of
from interpreter.web.application import application
from interpreter.web.keys import LinkKeys
from interpreter.web.people import ClusterAuthority
from interpreter.web.server import WebServer
from rollway.cluster.views import ClusterViews
from tests.controlplane.cluster import ControlPlane
from tests.rollway.cluster import objects, writing

REVISION = "ff87463d6c"
URL = "https://rollway.example.com"


class Web:
    """One namespace of a real cluster, the web server in front of it, and a client for each person.

    The connection of the server is the administrator's: what is allowed is the authority's to say."""

    def __init__(self, plane: ControlPlane, namespace: str, api: Api) -> None:
        self.plane = plane
        self.namespace = namespace
        self.api = api
        self.keys = LinkKeys(api, namespace)
        self.base = ""
        self._stack = AsyncExitStack()

    async def start(self, **more: Any) -> str:
        """Serve; the address. `more` is given to the application."""
        given = {"external_url": URL, "views": ClusterViews(), "keys": self.keys, **more}
        app = application(self.api, given.pop("authority", None) or ClusterAuthority(self.api), **given)
        server = WebServer(app)
        port = await server.start("127.0.0.1", 0)
        self._stack.push_async_callback(server.aclose)
        self.base = f"http://127.0.0.1:{port}"
        return self.base

    async def client(self, token: str = "", **headers: str) -> httpx.AsyncClient:
        said = {"Authorization": f"Bearer {token}"} if token else {}
        made = httpx.AsyncClient(base_url=self.base, headers={**said, **headers}, trust_env=False, timeout=30)
        return await self._stack.enter_async_context(made)

    async def aclose(self) -> None:
        await self._stack.aclose()

    # --- people -------------------------------------------------------------------------------------------------

    def token(self, name: str, *verbs: str, resources: Sequence[str] = ("rollouts",), **rule: Any) -> str:
        """The token of a service account that has these verbs on rollouts."""
        rules = [{"apiGroups": ["rollway.dev"], "resources": list(resources), "verbs": list(verbs), **rule}]
        path = self.plane.as_service_account(self.namespace, name, rules if verbs else [])
        token: str = yaml.safe_load(path.read_text())["users"][0]["user"]["token"]
        return token

    def named(self, name: str) -> str:
        """What the API server calls a service account."""
        return f"system:serviceaccount:{self.namespace}:{name}"

    async def person(self, name: str, *verbs: str, **rule: Any) -> httpx.AsyncClient:
        return await self.client(self.token(name, *verbs, **rule))

    # --- rollouts -----------------------------------------------------------------------------------------------

    def waiting(self, name: str = "checkout", *, who: str = "", step: int = objects.WAITS, **status: Any) -> Manifest:
        """A rollout that waits for approval of somebody, with its run."""
        words = {"phase": "WaitingPromotion", "reason": "waiting for approval", **status}
        owner = objects.rollout(name, self.namespace, step=step, weight=50.0, **words)
        made = writing.write(self.plane.api, owner)
        run = objects.run(made, step=step, weight=50.0, **words)
        if who:
            run["spec"]["program"] = program_for(who, name, self.namespace)
        writing.write(self.plane.api, run)
        return made

    def asked(self, owner: Manifest) -> dict[str, str]:
        """What stands on it."""
        found = self.plane.api.get(writing.path(owner))["metadata"].get("annotations") or {}
        return {key: value for key, value in found.items() if key.startswith("rollway.dev/")}

    def path(self, owner: Manifest) -> str:
        """Its address in the API."""
        return f"/api/v1/rollouts/rollout/{self.namespace}/{owner['metadata']['name']}"

    def ref(self, owner: Manifest) -> Ref:
        return ref_of(owner)


def program_for(who: str, name: str, namespace: str) -> Any:
    """The Program of a policy whose wait names somebody."""
    text = objects.POLICY.format(name=name, namespace=namespace)
    text = text.replace("wait for approval", f'wait for approval "{who}"')
    compilation = compile_source(Source("named.rollout", text))
    assert not compilation.has_errors, compilation.diagnostics
    return ir_json.to_data(compilation.rollouts[0].program)


@pytest.fixture
async def web(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Web]:
    control_plane.install_crds("rollway")
    async with await connect(str(control_plane.kubeconfig)) as api:
        made = Web(control_plane, namespace, api)
        try:
            await made.start()
            yield made
        finally:
            await made.aclose()
