"""Protects that a rotated credential is used with the next request, that asking costs nothing while nothing changes,
and that no check is lost to a rotation."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from dsl.ir import Webhook
from interpreter.addresses import ANY
from interpreter.cluster.api import Api
from interpreter.cluster.calling import Calling
from interpreter.cluster.credentials import KEPT_S, Credentials, CredentialTrouble
from interpreter.objects import Manifest, Ref
from interpreter.webhooks import Caller
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.life import life
from tests.interpreter.cluster.tools import Line, connected, serving, until

NEVER = 1000.0


def secret(namespace: str, token: str, name: str = "creds") -> Manifest:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": token}}


@asynccontextmanager
async def keeping(api: Api, *, idle: float = NEVER) -> AsyncIterator[Credentials]:
    credentials = Credentials(api, idle=idle)
    try:
        yield credentials
    finally:
        await credentials.aclose()


async def comes_to(credentials: Credentials, namespace: str, wanted: str | None) -> None:
    """Wait until the token is this, or until there is none."""
    for _ in range(1000):
        try:
            found = (await credentials.data(namespace, "creds"))["token"]
        except CredentialTrouble:
            found = None
        if found == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the token is {found}")


async def test_a_rotated_secret_is_used_and_no_request_is_made_for_it(
    control_plane: ControlPlane, namespace: str
) -> None:
    async with connected(control_plane.kubeconfig) as other, connected(control_plane.kubeconfig) as api:
        await other.apply(secret(namespace, "one"))
        await other.apply(secret(namespace, "not asked for", "others"))
        async with keeping(api) as credentials:
            assert (await credentials.credential(namespace, "creds")).headers == {"Authorization": "Bearer one"}
            before = api.requests.total()
            for _ in range(50):
                assert (await credentials.data(namespace, "creds"))["token"] == "one"
            await other.apply(secret(namespace, "two"))
            await comes_to(credentials, namespace, "two")
            await other.delete(Ref("v1", "Secret", namespace, "creds"))
            await comes_to(credentials, namespace, None)
            with pytest.raises(CredentialTrouble, match=f"there is no Secret `{namespace}/creds`"):
                await credentials.data(namespace, "creds")
            await other.apply(secret(namespace, "three"))
            await comes_to(credentials, namespace, "three")
            assert api.requests.total() <= before + 1  # the watch itself may have come after the first answer
            assert api.requests["get", "Secret"] == 0


async def test_a_secret_that_nobody_needs_any_more_is_let_go(control_plane: ControlPlane, namespace: str) -> None:
    async with connected(control_plane.kubeconfig) as other, connected(control_plane.kubeconfig) as api:
        await other.apply(secret(namespace, "one"))
        async with keeping(api, idle=0.2) as credentials:
            await credentials.data(namespace, "creds")
            assert credentials.watched == 1
            await until(lambda: not credentials.watched, "the end of the watch")
            await other.apply(secret(namespace, "two"))
            assert (await credentials.data(namespace, "creds"))["token"] == "two"


async def test_what_may_not_be_watched_is_read_and_kept_for_a_minute(
    control_plane: ControlPlane, namespace: str
) -> None:
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    account = control_plane.as_service_account(namespace, "reader", rules)
    now = 1000.0
    async with connected(control_plane.kubeconfig) as other, connected(account) as api:
        await other.apply(secret(namespace, "one"))
        credentials = Credentials(api, clock=lambda: now)
        assert (await credentials.data(namespace, "creds"))["token"] == "one"
        await other.apply(secret(namespace, "two"))
        assert (await credentials.data(namespace, "creds"))["token"] == "one"
        assert (await credentials.fresh(namespace, "creds"))["token"] == "two"
        assert (await credentials.data(namespace, "creds"))["token"] == "two"
        await other.apply(secret(namespace, "three"))
        now += KEPT_S
        assert (await credentials.data(namespace, "creds"))["token"] == "three"
        assert api.requests["get", "Secret"] == 3
        with pytest.raises(CredentialTrouble, match="there is no Secret"):
            await credentials.data(namespace, "missing")
        await credentials.aclose()


async def test_a_connection_that_breaks_is_no_reason_to_miss_a_rotation(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    async with (
        connected(control_plane.kubeconfig) as other,
        Line(control_plane.kubeconfig, tmp_path) as line,
        connected(line.kubeconfig) as api,
        keeping(api) as credentials,
    ):
        await other.apply(secret(namespace, "one"))
        await comes_to(credentials, namespace, "one")
        await other.apply(secret(namespace, "watched"))
        await comes_to(credentials, namespace, "watched")
        line.cut()
        await other.apply(secret(namespace, "two"))
        await comes_to(credentials, namespace, "two")
        await until(lambda: api.requests["watch", "Secret"] >= 2, "a new watch")
        await other.apply(secret(namespace, "three"))
        await comes_to(credentials, namespace, "three")


class Forgetful:
    """An API server whose watches end at once: in order, or because it has forgotten that version."""

    def __init__(self, *, gone: bool) -> None:
        self.gone = gone
        self.lists = self.watches = 0
        self.versions: list[str] = []

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/api/v1":
            resource = {"name": "secrets", "kind": "Secret", "namespaced": True}
            return web.json_response({"groupVersion": "v1", "resources": [resource]})
        assert request.query["fieldSelector"] == "metadata.name=creds"
        if "watch" not in request.query:
            self.lists += 1
            token = base64.b64encode(f"listed {self.lists}".encode()).decode()
            item = {"metadata": {"name": "creds", "resourceVersion": str(self.lists)}, "data": {"token": token}}
            return web.json_response({"metadata": {"resourceVersion": str(self.lists)}, "items": [item]})
        self.watches += 1
        self.versions.append(request.query["resourceVersion"])
        if self.gone:
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
            return web.Response(body=json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")
        token = base64.b64encode(f"watched {self.watches}".encode()).decode()
        version = str(100 + self.watches)
        changed = {"metadata": {"name": "creds", "resourceVersion": version}, "data": {"token": token}}
        return web.Response(body=json.dumps({"type": "MODIFIED", "object": changed}).encode() + b"\n")


async def test_a_watch_that_ended_goes_on_where_it_was() -> None:
    server = Forgetful(gone=False)
    async with serving(server.answer) as api, keeping(api) as credentials:
        await comes_to(credentials, "shop", "watched 3")
        assert server.lists == 1
        assert server.versions[:3] == ["1", "101", "102"]


async def test_what_the_server_has_forgotten_is_listed_anew() -> None:
    server = Forgetful(gone=True)
    async with serving(server.answer) as api, keeping(api) as credentials:
        await credentials.data("shop", "creds")
        await until(lambda: server.lists >= 3, "a third list")
        assert server.watches <= server.lists


class Rotating:
    """A metric server that accepts one token at a time."""

    def __init__(self) -> None:
        self.token = "one"
        self.asked: list[str] = []

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append(given)
        if given != self.token:
            return web.json_response({"error": "unknown token"}, status=401)
        return web.json_response({"value": 1})


async def test_no_call_is_lost_to_a_rotation(control_plane: ControlPlane, namespace: str) -> None:
    """A Secret that is kept for a minute is read anew when a server does not know what it holds, and only then."""
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    account = control_plane.as_service_account(namespace, "caller", rules)
    server = Rotating()
    runner = web.ServerRunner(web.Server(server.answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook = Webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", secret="creds")
    async with (
        connected(control_plane.kubeconfig) as other,
        connected(account) as api,
        keeping(api) as credentials,
        Caller(ANY) as caller,
    ):
        calls = Calling(caller, credentials).of(namespace, "web")
        assert (await calls.call(hook, {}, "k")).detail == f"there is no Secret `{namespace}/creds`"
        await other.apply(secret(namespace, "one"))
        await credentials.fresh(namespace, "creds")
        assert (await calls.call(hook, {}, "k")).accepted
        server.token = "two"
        await other.apply(secret(namespace, "two"))
        assert (await calls.call(hook, {}, "k")).accepted
        assert server.asked == ["one", "one", "two"]
        server.token = "three"
        reply = await calls.call(hook, {}, "k")
        assert (reply.accepted, reply.status, server.asked[3:]) == (False, 401, ["two"])
        await other.apply(
            {
                **secret(namespace, "x"),
                "stringData": {"Token": "x"},
                "metadata": {"namespace": namespace, "name": "odd"},
            }
        )
        odd = await calls.call(replace(hook, secret="odd"), {}, "k")
        assert odd.detail.startswith(f"the Secret `{namespace}/odd` has `Token`: it must have `token`")
    await runner.cleanup()


POLICY = """
    metric value returns number {
      web \"\"\"
        GET /value
        $.value
      \"\"\"
      server "SERVER"
      secret "creds"
    }

    rollout web in NAMESPACE {
      target   deployment/web
      service  { port 80; target_port http }
      traffic  istio
      analysis { every 10s; tolerate 1 failures; provider_errors 1; require value == 1 }
      steps    { shift to 20%; hold 5 checks; promote }
    }
"""


async def test_no_check_is_lost_to_a_rotation(control_plane: ControlPlane, kubeconfig: str, namespace: str) -> None:
    """Not even where Secrets cannot be watched: what the server refuses is read anew, and asked again."""
    groups = ("apps", "rollway.dev", "events.k8s.io", "networking.istio.io", "flagger.app", "apiextensions.k8s.io")
    rules = [
        {"apiGroups": [*groups, "autoscaling", "keda.sh"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["services", "configmaps", "pods"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    ]
    account = control_plane.as_service_account(namespace, "one", rules, rules)
    server = Rotating()
    runner = web.ServerRunner(web.Server(server.answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with life(kubeconfig, namespace, start=False, speed=20) as at_work:
        await at_work.start(kubeconfig=str(account))
        await at_work.apply(secret(namespace, "one"))
        await at_work.deployment()
        await at_work.rollout(POLICY.replace("SERVER", f"http://127.0.0.1:{runner.addresses[0][1]}"))
        await at_work.phase("Initialized")
        await at_work.push("web:2")
        await until(lambda: server.asked, "the first check")
        server.token = "two"
        await at_work.apply(secret(namespace, "two"))
        await at_work.phase("Succeeded")
        assert server.asked.count("one") <= 3
        assert server.asked.count("two") >= 3
        assert await at_work.events("CheckNotMade") == []
    await runner.cleanup()
