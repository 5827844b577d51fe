"""An informer against a real API server, through a line that breaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from interpreter.cluster.api import Api, Forbidden
from interpreter.cluster.informer import Informer
from interpreter.cluster.stripping import without_managed_fields
from interpreter.objects import Manifest, Ref, ref_of
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.tools import Line, config_map, connected, serving, until

CONFIG_MAP = ("v1", "ConfigMap")


class Changes:
    def __init__(self) -> None:
        self.seen: list[tuple[str, bool, bool]] = []

    def __call__(self, ref: Ref, old: Manifest | None, new: Manifest | None) -> None:
        if ref.name != "kube-root-ca.crt":  # a controller makes it, some time
            self.seen.append((ref.name, old is not None, new is not None))


@contextlib.asynccontextmanager
async def informing(
    api: Api, namespace: str, kind: tuple[str, str] = CONFIG_MAP, **options: Any
) -> AsyncIterator[tuple[Informer, Changes]]:
    changes = Changes()
    informer = Informer(api, kind, namespace, without_managed_fields, changes, **options)
    informer.start()
    try:
        yield informer, changes
    finally:
        await informer.aclose()


async def test_it_lists_in_pages_and_then_follows(control_plane: ControlPlane, namespace: str) -> None:
    async with connected(control_plane.kubeconfig) as api:
        await api.create(config_map(namespace, "before", a="1"))
        async with informing(api, namespace) as (informer, changes):
            await informer.synced.wait()
            held = informer.get(namespace, "before")
            assert held is not None
            assert held["kind"] == "ConfigMap", "items of a list say what they are"
            assert "managedFields" not in held["metadata"]
            await api.apply(config_map(namespace, "before", a="2"))
            await api.create(config_map(namespace, "after"))
            await api.delete(Ref("v1", "ConfigMap", namespace, "after"))
            await until(lambda: len(changes.seen) == 4)
            assert changes.seen == [
                ("before", False, True),
                ("before", True, True),
                ("after", False, True),
                ("after", True, False),
            ]
            assert api.requests["list", "ConfigMap"] == api.requests["watch", "ConfigMap"] == 1


async def test_a_cut_connection_is_taken_up_where_it_was(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    async with (
        connected(control_plane.kubeconfig) as direct,
        Line(control_plane.kubeconfig, tmp_path) as line,
        connected(line.kubeconfig) as api,
        informing(api, namespace) as (informer, changes),
    ):
        await informer.synced.wait()
        for name in ("c0", "c1", "c2"):
            await direct.create(config_map(namespace, name))
            await until(lambda name=name: informer.get(namespace, name))  # type: ignore[misc]
            line.cut()
        assert [name for name, _, _ in changes.seen] == ["c0", "c1", "c2"], "each once, in order"
        assert api.requests["list", "ConfigMap"] == 1, "nothing was listed again"
        assert api.requests["watch", "ConfigMap"] >= 3
        assert informer.trouble is None


GONE = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version"}
WATCHED = {"resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": True}]}


def page(version: int, *names: str, more: str = "") -> Manifest:
    items = [
        {"metadata": {"namespace": "n", "name": name, "uid": name, "resourceVersion": str(version)}} for name in names
    ]
    return {"items": items, "metadata": {"resourceVersion": str(version), "continue": more}}


@pytest.mark.parametrize("as_event", [True, False])
async def test_a_version_that_is_too_old_makes_it_list_again_and_notice_what_is_gone(as_event: bool) -> None:
    lists = [page(10, "kept", "gone"), page(20, "kept", "new")]

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if "configmaps" not in request.path:
            return web.json_response(WATCHED)
        if "watch" not in request.query:
            return web.json_response(lists.pop(0))
        if request.query["resourceVersion"] == "10" and as_event:
            return web.Response(text=json.dumps({"type": "ERROR", "object": GONE}) + "\n")
        if request.query["resourceVersion"] == "10":
            return web.json_response(GONE, status=410)
        await asyncio.sleep(60)
        raise AssertionError("nobody waits for this")

    async with serving(answer) as api, informing(api, "n") as (informer, changes):
        await until(lambda: informer.get("n", "new"))
        assert changes.seen[2:] == [("gone", True, False), ("new", False, True)]
        assert informer.trouble is None


async def test_pages_that_the_server_has_forgotten_are_read_in_one() -> None:
    asked = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if "configmaps" not in request.path:
            return web.json_response(WATCHED)
        if "watch" in request.query:
            await asyncio.sleep(60)
        asked.append((request.query.get("limit"), request.query.get("continue")))
        if "continue" in request.query:
            return web.json_response(GONE, status=410)
        if "limit" in request.query:
            return web.json_response(page(10, "one", more="token"))
        return web.json_response(page(11, "one", "two"))

    async with serving(answer) as api, informing(api, "n") as (informer, _):
        await informer.synced.wait()
        assert len(informer) == 2
        assert asked == [("500", None), ("500", "token"), (None, None)]
        asked.clear()
        assert len(await api.list(CONFIG_MAP, "n")) == 2
        assert asked == [("500", None), ("500", "token"), (None, None)]


async def test_a_silent_stream_is_dead(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    async with (
        connected(control_plane.kubeconfig) as direct,
        Line(control_plane.kubeconfig, tmp_path) as line,
        connected(line.kubeconfig) as api,
        informing(api, namespace, silence=1.0) as (informer, _),
    ):
        await informer.synced.wait()
        await until(lambda: api.requests["watch", "ConfigMap"] == 1)
        line.silence()
        await direct.create(config_map(namespace, "unseen"))
        await until(lambda: api.requests["watch", "ConfigMap"] >= 2)
        line.mend()
        await until(lambda: informer.get(namespace, "unseen"))


async def test_bookmarks_carry_it_on_though_nothing_happens_to_its_objects(
    control_plane: ControlPlane, namespace: str
) -> None:
    async with connected(control_plane.kubeconfig) as api:
        other = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "other"}}
        async with informing(api, namespace, watch_seconds=4) as (informer, _):
            await informer.synced.wait()
            first = await api.apply(config_map("default", f"other-{namespace}"))
            await api.create(other)
            await until(lambda: int(informer.resource_version) >= int(first["metadata"]["resourceVersion"]))
            assert informer.get(namespace, "other") is None
            assert api.requests["list", "ConfigMap"] == 1
        await api.delete(ref_of(first))


async def test_a_megabyte_in_one_event(control_plane: ControlPlane, namespace: str) -> None:
    async with connected(control_plane.kubeconfig) as api, informing(api, namespace) as (informer, _):
        await informer.synced.wait()
        big = "x" * 1_000_000
        await api.create(config_map(namespace, "big", text=big))
        await until(lambda: informer.get(namespace, "big"))
        held = informer.get(namespace, "big")
        assert held is not None
        assert held["data"]["text"] == big
        assert api.requests["watch", "ConfigMap"] == 1


async def test_what_is_not_allowed_is_shown_and_tried_again(control_plane: ControlPlane, namespace: str) -> None:
    account = control_plane.as_service_account(namespace, "reader", [])
    async with connected(account) as api, informing(api, namespace, slowly=0.2) as (informer, _):
        await informer.settled.wait()
        assert not informer.synced.is_set()
        assert informer.trouble is not None
        assert isinstance(informer.error, Forbidden)
        assert 'cannot list resource "configmaps"' in informer.trouble
        assert f"system:serviceaccount:{namespace}:reader" in informer.trouble
        assert "grant it" in informer.trouble
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]
        control_plane.as_service_account(namespace, "reader", rules)
        await until(informer.synced.is_set)
        assert informer.trouble is None


async def test_a_kind_that_comes_and_goes(bare_api_server: ControlPlane) -> None:
    definition = "policies.test.rollway.dev"
    thing = {
        "apiVersion": "test.rollway.dev/v1",
        "kind": "Policy",
        "metadata": {"namespace": "default", "name": "one"},
    }
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition},
        "spec": {
            "group": "test.rollway.dev",
            "scope": "Namespaced",
            "names": {"plural": "policies", "singular": "policy", "kind": "Policy", "listKind": "PolicyList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }
    kind = ("test.rollway.dev/v1", "Policy")
    async with connected(bare_api_server.kubeconfig) as api, informing(api, "default", kind, slowly=0.2) as both:
        informer, changes = both
        api.discovery.miss_s = 0.1
        await informer.settled.wait()
        assert informer.trouble is not None
        assert "serves no Policy in test.rollway.dev/v1: install what defines it" in informer.trouble
        await api.create(crd)
        await until(informer.synced.is_set)
        await api.create(thing)
        await until(lambda: informer.get("default", "one"))
        await api.delete(Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", definition))
        await until(lambda: informer.get("default", "one") is None)
        await until(lambda: informer.trouble, "trouble is shown")
        await api.create(crd)
        await until(lambda: informer.trouble is None, "it recovers")
        assert changes.seen == [("one", False, True), ("one", True, False)]


async def test_our_own_write_is_known_before_the_watch_tells(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    async with (
        connected(control_plane.kubeconfig) as direct,
        Line(control_plane.kubeconfig, tmp_path) as line,
        connected(line.kubeconfig) as api,
        informing(api, namespace) as (informer, changes),
    ):
        await informer.synced.wait()
        line.silence()
        await direct.create(config_map(namespace, "own", a="1"))
        informer.put(await direct.apply(config_map(namespace, "own", a="2")))
        line.mend()
        await direct.create(config_map(namespace, "next"))
        await until(lambda: informer.get(namespace, "next"))
        held = informer.get(namespace, "own")
        assert held is not None
        assert held["data"] == {"a": "2"}
        assert changes.seen == [("own", False, True), ("next", False, True)], "the older event was passed over"


@pytest.mark.parametrize("failing", ["strip", "listener"])
async def test_nothing_that_fails_in_our_own_code_ends_it(
    control_plane: ControlPlane, namespace: str, failing: str
) -> None:
    broken = True

    def fail(*_: object) -> Any:
        if broken:
            raise RuntimeError("a mistake of ours")

    def strip(manifest: Manifest) -> Manifest:
        if failing == "strip":
            fail()
        return manifest

    async with connected(control_plane.kubeconfig) as api:
        await api.create(config_map(namespace, "one"))
        listener = fail if failing == "listener" else lambda *_: None
        informer = Informer(api, CONFIG_MAP, namespace, strip, listener)
        informer.start()
        if failing == "strip":
            await until(lambda: api.requests["list", "ConfigMap"] >= 2)
        broken = False
        await until(lambda: informer.get(namespace, "one"))
        await informer.aclose()
