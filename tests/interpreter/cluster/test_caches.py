"""Who is woken by what, and what is never kept: against a real API server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
from collections.abc import AsyncIterator

import pytest

from interpreter.cluster.api import Api, Forbidden, NotServed
from interpreter.cluster.caches import Caches
from interpreter.cluster.stripping import digest_of_data
from interpreter.objects import Manifest, Ref
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.tools import config_map, connected, until


@contextlib.asynccontextmanager
async def caching(api: Api, namespace: str | None = None, **options: float) -> AsyncIterator[tuple[Caches, list[str]]]:
    woken: list[str] = []
    caches = Caches(api, api.discovery, namespace, on_wake=woken.append, options=options)
    try:
        yield caches, woken
    finally:
        await caches.aclose()


def service(namespace: str, name: str, **labels: str) -> Manifest:
    metadata = {"namespace": namespace, "name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}}


async def test_a_change_wakes_those_who_are_interested_and_nobody_else(
    control_plane: ControlPlane, namespace: str
) -> None:
    one, other, none = (Ref("v1", "Service", namespace, name) for name in ("one", "other", "none"))
    async with connected(control_plane.kubeconfig) as api, caching(api) as (caches, woken):
        caches.watch_for("a", [one, none])
        caches.watch_for("b", [one, other])
        await caches.ensure("v1", "Service", namespace)
        assert caches.get(one) is None
        await api.create(service(namespace, "one"))
        await until(lambda: caches.get(one))
        assert sorted(woken) == ["a", "b"]
        woken.clear()
        caches.watch_for("b", [other])
        await api.create(service(namespace, "bystander"))
        await api.patch(one, {"metadata": {"labels": {"x": "y"}}})
        await api.create(service(namespace, "other"))
        await until(lambda: caches.get(other))
        assert woken == ["a", "b"]
        woken.clear()
        caches.watch_for("a", [])
        await api.delete(one)
        await until(lambda: caches.get(one) is None)
        assert woken == []
        assert api.requests["list", "Service"] == api.requests["watch", "Service"] == 1


async def test_a_write_put_into_it_wakes_at_once_and_the_watch_wakes_nobody_again(
    control_plane: ControlPlane, namespace: str
) -> None:
    ref = Ref("v1", "Service", namespace, "one")
    async with connected(control_plane.kubeconfig) as api, caching(api) as (caches, woken):
        caches.watch_for("a", [ref])
        await caches.ensure("v1", "Service")
        caches.put(await api.create(service(namespace, "one")))
        assert woken == ["a"]
        await api.create(service(namespace, "two"))
        await until(lambda: caches.get(Ref("v1", "Service", namespace, "two")))
        assert woken == ["a"]
        await api.delete(ref)
        caches.remove(ref)
        assert caches.get(ref) is None
        assert woken == ["a", "a"]


async def test_objects_are_selected_by_namespace_and_labels(control_plane: ControlPlane, namespace: str) -> None:
    async with connected(control_plane.kubeconfig) as api, caching(api) as (caches, _):
        for name, labels in (("a", {"x": "1", "y": "1"}), ("b", {"x": "1"}), ("c", {})):
            await api.create(service(namespace, name, **labels))
        await caches.ensure("v1", "Service")
        names = [one["metadata"]["name"] for one in caches.select("v1", "Service", namespace, {"x": "1"})]
        assert sorted(names) == ["a", "b"]
        assert len(caches.select("v1", "Service", namespace)) == 3


def spell(number: int) -> str:
    """A value that stands in no constant of this file."""
    return "-".join(["hushed", *map(str, range(number, number + 4))])


def encoded(number: int) -> str:
    return base64.b64encode(spell(number).encode()).decode()


def holders(words: tuple[str, ...]) -> list[str]:
    """What in this process holds one of the words, or a text with one in it."""
    gc.collect()
    found = []
    for one in gc.get_objects():
        if isinstance(one, dict) and one.get("words") is words:
            continue
        inner = [each for each in gc.get_referents(one) if each is not words]
        for plain in [each for each in inner if isinstance(each, dict | list | tuple) and not gc.is_tracked(each)]:
            inner += gc.get_referents(plain)  # of what holds nothing but texts the collector keeps no list
        texts = [each if isinstance(each, str) else each.decode("latin-1") for each in inner if isinstance(each, TEXT)]
        found += [type(one).__name__ for text in texts if any(word in text for word in words)]
    return found


TEXT = (str, bytes, bytearray)


async def test_values_of_secrets_and_config_maps_are_nowhere_in_memory(
    control_plane: ControlPlane, namespace: str
) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "s"}}
    secret_ref, config_ref = Ref("v1", "Secret", namespace, "s"), Ref("v1", "ConfigMap", namespace, "c")

    def annotated() -> Manifest:
        made = config_map(namespace, "c", key=spell(1))
        last_applied = {"kubectl.kubernetes.io/last-applied-configuration": spell(5)}
        made["metadata"]["annotations"] = last_applied | {"flagger.app/config-tracking": "disabled"}
        return made

    async with connected(control_plane.kubeconfig) as api, caching(api) as (caches, _):
        await api.create(annotated())
        await api.create({**secret, "stringData": {"key": spell(1)}})
        for kind in ("ConfigMap", "Secret"):
            await caches.ensure("v1", kind, namespace)
        await api.apply(config_map(namespace, "c", key=spell(2)))
        await api.apply({**secret, "stringData": {"key": spell(2)}})
        caches.put(await api.apply({**secret, "stringData": {"key": spell(3)}}))
        digests = digest_of_data({"key": encoded(3)}), digest_of_data({"key": spell(2)})
        await until(lambda: (caches.get(secret_ref) or {}).get("digest") == digests[0])
        await until(lambda: (caches.get(config_ref) or {}).get("digest") == digests[1])
        words = (*map(spell, (1, 2, 3, 5)), *map(encoded, (1, 2, 3, 5)))
        for _ in range(20):
            found = holders(words)  # the last event may be on its way still
            if not found:
                break
            await asyncio.sleep(0.1)
        assert found == []
        config = caches.get(config_ref)
        assert config is not None
        assert config["metadata"]["annotations"] == {"flagger.app/config-tracking": "disabled"}


async def test_secrets_are_watched_where_somebody_asked_for_one_and_nowhere_else(
    control_plane: ControlPlane, namespace: str
) -> None:
    mark = control_plane.mark()
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]}]
    account = control_plane.as_service_account(namespace, "narrow", rules)
    async with connected(account) as api, caching(api) as (caches, _):
        with pytest.raises(ValueError, match="one namespace at a time"):
            await caches.ensure("v1", "Secret")
        ref = Ref("v1", "Secret", namespace, "s")
        caches.watch_for("a", [ref])
        await caches.ensure("v1", "Secret", namespace)
        with pytest.raises(LookupError):
            caches.get(Ref("v1", "Secret", "elsewhere", "s"))
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
        control_plane.api.call("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
        await until(lambda: caches.get(ref))
        caches.watch_for("a", [])
        with pytest.raises(LookupError):
            caches.get(ref)
    user = f"system:serviceaccount:{namespace}:narrow"
    asked = control_plane.requests(mark, user=user, resource="secrets")
    assert {(one.verb, one.namespace) for one in asked} == {("list", namespace), ("watch", namespace)}


async def test_confined_to_one_namespace_it_asks_for_no_other(control_plane: ControlPlane, namespace: str) -> None:
    rules = [{"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["list", "watch"]}]
    account = control_plane.as_service_account(namespace, "confined", rules)
    async with connected(account) as api, caching(api, namespace) as (caches, _):
        await caches.ensure("apps/v1", "Deployment")
        assert caches.select("apps/v1", "Deployment") == []
        assert caches.troubles == {}


async def test_what_keeps_a_kind_from_being_known_is_raised(control_plane: ControlPlane, namespace: str) -> None:
    account = control_plane.as_service_account(namespace, "nobody", [])
    async with connected(account) as api, caching(api) as (caches, _):
        with pytest.raises(Forbidden, match="cannot list resource"):
            await caches.ensure("v1", "Service")
        with pytest.raises(Forbidden):
            caches.get(Ref("v1", "Service", namespace, "a"))
        with pytest.raises(NotServed, match="install what defines it"):
            await caches.ensure("nobody.example/v1", "Thing")
        assert set(caches.troubles) == {"Service (v1)", "Thing (nobody.example/v1)"}


async def test_of_an_object_in_several_versions_one_that_is_served_will_do(
    control_plane: ControlPlane, namespace: str
) -> None:
    split, served, gone = (
        [Ref(f"split.smi-spec.io/{version}", "TrafficSplit", namespace, "a") for version in versions]
        for versions in (("v1alpha4", "v1alpha2", "v1alpha1"), ("v1alpha2",), ("v1alpha4", "v1alpha3"))
    )
    control_plane.install_crds("smi/linkerd-smi_trafficsplits.yaml")
    async with connected(control_plane.kubeconfig) as api, caching(api) as (caches, _):
        await caches.ensure_all(split)
        assert [caches.find(ref) for ref in split] == [None, None, None]
        await caches.ensure_all(served)
        with pytest.raises(NotServed, match="name one that is served by `api`"):
            await caches.ensure_all(gone)
        with pytest.raises(NotServed):
            await caches.ensure_all([*split, Ref("specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", namespace, "a")])


async def test_listeners_hear_of_objects_that_nobody_has_named(control_plane: ControlPlane, namespace: str) -> None:
    heard: list[tuple[str, bool]] = []
    async with connected(control_plane.kubeconfig) as api, caching(api) as (caches, _):
        caches.listen(
            "v1",
            "Service",
            lambda ref, old, new: heard.append((ref.name, new is not None)) if ref.namespace == namespace else None,
        )
        await caches.ensure("v1", "Service")
        await api.create(service(namespace, "new"))
        await api.delete(Ref("v1", "Service", namespace, "new"))
        await until(lambda: len(heard) == 2)
        assert heard == [("new", True), ("new", False)]
