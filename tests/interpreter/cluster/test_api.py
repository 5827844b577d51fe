"""The client: against a real API server, and against servers that behave badly."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from interpreter.cluster.api import CONCURRENT, Api, ApiError, Conflict, Forbidden, Invalid, NotLeader, Unreachable
from interpreter.objects import Ref
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.tools import config_map, connected, serving

CONFIG_MAP = ("v1", "ConfigMap")


async def test_what_is_written_is_read(control_plane: ControlPlane, namespace: str) -> None:
    ref = Ref("v1", "ConfigMap", namespace, "one")
    async with connected(control_plane.kubeconfig) as api:
        assert await api.get(ref) is None
        made = await api.create(config_map(namespace, "one", a="1"))
        with pytest.raises(Conflict, match="already exists") as twice:
            await api.create(config_map(namespace, "one"))
        assert twice.value.reason == "AlreadyExists"
        applied = await api.apply(config_map(namespace, "one", b="2"))
        assert applied["data"] == {"a": "1", "b": "2"}
        assert {entry["manager"] for entry in applied["metadata"]["managedFields"]} == {"rollway"}
        with pytest.raises(Conflict, match=f"replace ConfigMap `{namespace}/one`: .*has been modified"):
            await api.replace(made)
        assert (await api.replace({**applied, "data": {"c": "3"}}))["data"] == {"c": "3"}
        assert (await api.patch(ref, {"data": {"c": None, "d": "4"}}))["data"] == {"d": "4"}
        await api.delete(ref, uid="00000000-0000-0000-0000-000000000000")
        assert await api.get(ref) is not None, "that was another object of this name"
        await api.delete(ref, uid=made["metadata"]["uid"])
        await api.delete(ref)
        assert await api.get(ref) is None
        assert api.requests["create", "ConfigMap"] == 2


async def test_subresources(control_plane: ControlPlane, namespace: str) -> None:
    labels = {"app": "a"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "none"}]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": "a"},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod},
    }
    async with connected(control_plane.kubeconfig) as api:
        await api.apply(deployment)
        ref = Ref("apps/v1", "Deployment", namespace, "a")
        scaled = await api.patch(ref, {"spec": {"replicas": 2}}, subresource="scale")
        assert scaled["kind"] == "Scale"
        latest = await api.get(ref)
        assert latest is not None
        assert latest["spec"]["replicas"] == 2


async def test_a_list_follows_its_pages(control_plane: ControlPlane, namespace: str) -> None:
    async with connected(control_plane.kubeconfig) as api:
        for number in range(5):
            made = config_map(namespace, f"c{number}")
            made["metadata"]["labels"] = {"mine": "yes"}
            await api.create(made)
        listing = await api.list(CONFIG_MAP, namespace, "mine=yes", limit=2)
        assert [one["metadata"]["name"] for one in listing] == [f"c{number}" for number in range(5)]
        assert {(one["apiVersion"], one["kind"]) for one in listing} == {CONFIG_MAP}
        assert listing.resource_version.isdecimal()
        assert api.requests["list", "ConfigMap"] == 3


async def test_a_field_that_the_server_does_not_know_is_invalid(control_plane: ControlPlane, namespace: str) -> None:
    wrong = {**config_map(namespace, "one"), "dada": {"a": "1"}}
    async with connected(control_plane.kubeconfig) as api:
        for write in (api.apply, api.create):
            with pytest.raises(Invalid, match="dada"):
                await write(wrong)
        await api.create(config_map(namespace, "one"))
        with pytest.raises(Invalid, match="dada"):
            await api.replace(wrong)


async def test_who_may_not_do_what_where(control_plane: ControlPlane, namespace: str) -> None:
    account = control_plane.as_service_account(namespace, "weak", [])
    async with connected(account) as api:
        assert api.namespace == namespace
        with pytest.raises(Forbidden) as refused:
            await api.apply(config_map(namespace, "one", password="hunter2hunter2"))
    said = str(refused.value)
    assert said.startswith(f"apply ConfigMap `{namespace}/one`: ")
    assert f'User "system:serviceaccount:{namespace}:weak" cannot patch resource "configmaps"' in said
    assert said.endswith("grant it in the Role or ClusterRole that this account is bound to")
    assert "hunter2" not in said


async def test_a_server_that_cannot_be_trusted(control_plane: ControlPlane, tmp_path: Path) -> None:
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    cluster.pop("certificate-authority-data", None)
    cluster.pop("certificate-authority", None)
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    if ssl.get_default_verify_paths().cafile is None and ssl.get_default_verify_paths().capath is None:
        pytest.skip("this machine knows no authorities")
    async with connected(path) as api:
        with pytest.raises(Unreachable, match="cannot be trusted, its certificate is not accepted"):
            await api.list(CONFIG_MAP)


async def test_without_leadership_nothing_is_written(control_plane: ControlPlane, namespace: str) -> None:
    leading = False
    async with connected(control_plane.kubeconfig) as plain:
        api = plain.gated(lambda: leading)
        ref = Ref("v1", "ConfigMap", namespace, "one")
        await api.discovery.resource(*CONFIG_MAP)
        mark = control_plane.mark()
        writes = (
            lambda: api.create(config_map(namespace, "one")),
            lambda: api.apply(config_map(namespace, "one")),
            lambda: api.replace(config_map(namespace, "one")),
            lambda: api.patch(ref, {}),
            lambda: api.delete(ref),
            lambda: api.raw("POST", f"/api/v1/namespaces/{namespace}/configmaps", body=config_map(namespace, "one")),
        )
        for write in writes:
            with pytest.raises(NotLeader, match="not the leader any more"):
                await write()
        assert await api.get(ref) is None
        leading = True
        await api.create(config_map(namespace, "one"))
        asked = control_plane.requests(mark, namespace=namespace, resource="configmaps")
        assert [one.verb for one in asked if one.name != "kube-root-ca.crt"] == ["get", "create"]


class Script:
    """Answers each request by the next of its answers: a status with headers, or None for a broken connection."""

    def __init__(self, *answers: tuple[int, dict[str, str]] | None) -> None:
        self.answers = list(answers)
        self.count = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/api/v1":
            return web.json_response({"resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": True}]})
        self.count += 1
        answer = self.answers.pop(0) if self.answers else (200, {})
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        status, headers = answer
        if status < 300:
            return web.json_response(config_map("n", "one"))
        return web.json_response(
            {"kind": "Status", "code": status, "message": "not now"}, status=status, headers=headers
        )


REF = Ref("v1", "ConfigMap", "n", "one")
LATER = {"Retry-After": "1"}


@pytest.mark.parametrize("answer", [(429, LATER), (503, LATER), (503, {}), None])
async def test_what_was_put_off_or_cut_is_asked_again(answer: tuple[int, dict[str, str]] | None) -> None:
    script = Script(answer)
    async with serving(script) as api:
        assert (await api.apply(config_map("n", "one")))["kind"] == "ConfigMap"
        assert script.count >= 2


async def test_what_may_have_been_done_is_not_done_again() -> None:
    script = Script(None)
    async with serving(script) as api:
        with pytest.raises(Unreachable, match=r"create ConfigMap `n/one`: http://127.0.0.1:.* cannot be reached"):
            await api.create(config_map("n", "one"))
        assert script.count == 1
        script.answers = [(429, LATER)]
        await api.create(config_map("n", "one"))
        assert script.count == 3, "put off means not done"


async def test_tries_are_bounded() -> None:
    script = Script(*[(503, {})] * 20)
    async with serving(script) as api:
        with pytest.raises(ApiError, match="not now"):
            await api.get(REF)
        assert script.count == 5


async def test_other_refusals_are_not_tried_again() -> None:
    script = Script((500, {}), (400, {}))
    async with serving(script) as api:
        for _ in range(2):
            with pytest.raises(ApiError, match="not now"):
                await api.get(REF)
        assert script.count == 2


async def test_new_credentials_are_tried_once() -> None:
    script, renewed = Script((401, {}), (200, {}), (401, {}), (401, {})), []
    async with serving(script) as plain:
        api = Api(plain._client, renew=lambda: renewed.append(1))
        await api.get(REF)
        with pytest.raises(ApiError, match="the credentials are wrong or have run out"):
            await api.get(REF)
        assert (len(renewed), script.count) == (2, 4)


async def test_no_answer_in_time() -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits for this")

    async with serving(answer, seconds=0.05) as api:
        with pytest.raises(Unreachable, match=r"no answer from http://127.0.0.1:.* in time") as late:
            await api.raw("GET", "/version")
        assert late.value.timed_out
        assert api.requests["raw", ""] == 1, "what took so long is not asked again"


async def test_a_page_of_somebody_in_between_is_quoted_and_masked() -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=502, text="<html>bad   gateway, token=abcdefgh12345</html>")

    async with serving(answer) as api:
        with pytest.raises(ApiError) as refused:
            await api.raw("GET", "/version")
    assert str(refused.value) == "GET /version: the API server answered 502: <html>bad gateway, token=***"


async def test_what_is_no_json_is_no_answer() -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="<html>welcome to the captive portal</html>")

    async with serving(answer) as api:
        with pytest.raises(Unreachable, match="is no JSON"):
            await api.raw("POST", "/version")


async def test_only_so_many_at_a_time() -> None:
    running = most = 0

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return web.json_response({})

    async with serving(answer) as api:
        await asyncio.gather(*(api.raw("GET", "/version") for _ in range(3 * CONCURRENT)))
    assert most == CONCURRENT
