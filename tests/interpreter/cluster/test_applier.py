"""Changes done against a real API server: what is sent, what is not, and whose objects are left alone."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

import pytest

from interpreter.cluster.api import Api, Conflict
from interpreter.cluster.applier import Applier, Occupied, label_of, merge_patch
from interpreter.cluster.caches import Caches
from interpreter.cluster.names import APPLIED, MANAGED_BY, ROLLOUT
from interpreter.objects import Apply, Delete, Edit, Manifest, Ref, ref_of
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.tools import config_map, connected


class Hands(NamedTuple):
    api: Api
    caches: Caches
    owner: Manifest
    applier: Applier

    def other(self, owner: Manifest, adoptable: Iterable[tuple[str, str]] = ()) -> Applier:
        return Applier(self.api, self.caches, owner, adoptable)

    def cached(self, manifest: Manifest) -> Manifest:
        held = self.caches.get(ref_of(manifest))
        assert held is not None
        return held

    async def live(self, manifest: Manifest) -> Manifest:
        live = await self.api.get(ref_of(manifest))
        assert live is not None
        return live


@contextlib.asynccontextmanager
async def hands(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Hands]:
    async with connected(control_plane.kubeconfig) as api:
        owner = await api.create(config_map(namespace, "podinfo"))
        caches = Caches(api, api.discovery)
        try:
            yield Hands(api, caches, owner, Applier(api, caches, owner))
        finally:
            await caches.aclose()


def service(namespace: str, name: str = "web", **spec: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}], **spec},
    }


def deployment(namespace: str, name: str = "web-primary", **env: str) -> Manifest:
    resources = {"limits": {"cpu": "0.5", "memory": "1024Mi"}, "requests": {"cpu": "0.25"}}
    container = {
        "name": "c",
        "image": "none",
        "resources": resources,
        "env": [{"name": key, "value": value} for key, value in env.items()],
    }
    labels = {"app": "web-primary"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def owned_by(owner: Manifest, manifest: Manifest) -> Manifest:
    """As Flagger writes it."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [reference]}}


async def make_as(api: Api, manager: str, plural: str, manifest: Manifest) -> Manifest:
    group = "/api/v1" if manifest["apiVersion"] == "v1" else f"/apis/{manifest['apiVersion']}"
    path = f"{group}/namespaces/{manifest['metadata']['namespace']}/{plural}"
    return await api.raw("POST", path, {"fieldManager": manager}, manifest)


async def test_an_object_of_ours_says_whose_it_is(control_plane: ControlPlane, namespace: str) -> None:
    async with hands(control_plane, namespace) as h:
        assert await h.applier.do(Apply(service(namespace)))
        metadata = (await h.live(service(namespace)))["metadata"]
        assert metadata["labels"] == {MANAGED_BY: "rollway", ROLLOUT: "podinfo"}
        assert metadata["ownerReferences"] == owned_by(h.owner, service(namespace))["metadata"]["ownerReferences"]
        assert set(metadata["annotations"]) == {APPLIED}


@pytest.mark.parametrize("kind", ["Service", "Deployment", "Secret"])
async def test_what_is_so_already_costs_no_request(control_plane: ControlPlane, namespace: str, kind: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "s"}}
    manifest = {
        "Service": service(namespace),
        "Deployment": deployment(namespace, A="1"),
        "Secret": {**secret, "stringData": {"a": "b"}},
    }[kind]
    async with hands(control_plane, namespace) as h:
        assert await h.applier.do(Apply(manifest))
        sent, mark = dict(h.api.requests), control_plane.mark()
        assert not await h.applier.do(Apply(copy.deepcopy(manifest)))
        assert dict(h.api.requests) == sent
        verbs = {"create", "update", "patch", "delete", "get"}
        asked = control_plane.requests(mark, namespace=namespace, resource=f"{kind.lower()}s", user="admin")
        assert [one.verb for one in asked if one.verb in verbs and one.name == manifest["metadata"]["name"]] == []


async def test_what_a_hand_has_changed_is_put_right(control_plane: ControlPlane, namespace: str) -> None:
    async with hands(control_plane, namespace) as h:
        await h.applier.do(Apply(service(namespace)))
        h.caches.put(await h.api.patch(ref_of(service(namespace)), {"spec": {"selector": {"app": "other"}}}))
        assert await h.applier.do(Apply(service(namespace)))
        assert h.cached(service(namespace))["spec"]["selector"] == {"app": "web"}


async def test_a_field_that_is_ours_no_more_goes(control_plane: ControlPlane, namespace: str) -> None:
    async with hands(control_plane, namespace) as h:
        await h.applier.do(Apply(deployment(namespace, A="1", B="2")))
        await h.applier.do(Apply(deployment(namespace, A="1")))
        env = h.cached(deployment(namespace))["spec"]["template"]["spec"]["containers"][0]["env"]
        assert env == [{"name": "A", "value": "1"}]


async def test_what_an_apply_cannot_change_is_not_applied_for_ever(control_plane: ControlPlane, namespace: str) -> None:
    """An empty list is ours, elements in it are somebody else's: the server keeps those, whatever we apply."""
    async with hands(control_plane, namespace) as h:
        ours = service(namespace, externalIPs=[])
        await h.applier.do(Apply(ours))
        await h.api.raw(
            "PATCH",
            f"/api/v1/namespaces/{namespace}/services/web",
            {"fieldManager": "somebody", "force": "true"},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web"},
                "spec": {"externalIPs": ["192.0.2.1"]},
            },
            "application/apply-patch+yaml",
        )
        h.caches.put(await h.live(ours))
        for _ in range(3):
            await h.applier.do(Apply(ours))
        sent = h.api.requests["apply", "Service"]
        assert not await h.applier.do(Apply(ours))
        assert h.api.requests["apply", "Service"] == sent


async def test_somebody_elses_object_is_left_alone_and_named(control_plane: ControlPlane, namespace: str) -> None:
    async with hands(control_plane, namespace) as h:
        theirs = await make_as(h.api, "kubectl", "services", service(namespace))
        with pytest.raises(Occupied, match=f"Service `{namespace}/web` exists and is not one that rollway made"):
            await h.applier.do(Apply(service(namespace)))
        other = await h.api.create(config_map(namespace, "other"))
        await make_as(h.api, "kubectl", "services", owned_by(other, service(namespace, "owned")))
        with pytest.raises(Occupied, match="is owned by ConfigMap `other`"):
            await h.applier.do(Apply(service(namespace, "owned")))
        await h.other(other).do(Apply(service(namespace, "rolled")))
        with pytest.raises(Occupied, match="is part of the rollout `other`"):
            await h.applier.do(Apply(service(namespace, "rolled")))
        assert (await h.live(service(namespace)))["metadata"]["resourceVersion"] == theirs["metadata"][
            "resourceVersion"
        ]


async def test_an_object_that_came_up_a_moment_ago_is_not_written_over(
    control_plane: ControlPlane, namespace: str
) -> None:
    async with hands(control_plane, namespace) as h:
        await h.caches.ensure("v1", "Service")
        informer = next(iter(h.caches._informers.values()))
        await informer.aclose()  # the cache knows nothing of what follows
        await make_as(h.api, "kubectl", "services", service(namespace))
        with pytest.raises(Occupied):
            await h.applier.do(Apply(service(namespace)))


async def test_a_users_service_that_may_be_adopted_stays_the_users(control_plane: ControlPlane, namespace: str) -> None:
    async with hands(control_plane, namespace) as h:
        theirs = service(namespace)
        theirs["spec"]["ports"].append({"name": "more", "port": 81, "targetPort": 81, "protocol": "TCP"})
        await make_as(h.api, "kubectl", "services", theirs)
        applier = h.other(h.owner, [("Service", "web")])
        ours = service(namespace, selector={"app": "web-primary"})
        assert await applier.do(Apply(ours))
        live = await h.live(ours)
        assert live["spec"]["selector"] == {"app": "web-primary"}
        assert len(live["spec"]["ports"]) == 2
        assert "ownerReferences" not in live["metadata"], "it must outlive the rollout"
        assert live["metadata"]["labels"] == {ROLLOUT: "podinfo"}
        assert not await applier.do(Apply(ours))
        assert not await applier.do(Delete(ref_of(ours)))
        assert await h.live(ours)


async def test_what_flagger_made_for_this_canary_is_taken_over_by_one_write(
    control_plane: ControlPlane, namespace: str
) -> None:
    async with hands(control_plane, namespace) as h:
        flaggers = owned_by(h.owner, deployment(namespace, A="1", B="2"))
        flaggers["spec"]["replicas"] = 2
        flaggers["metadata"] |= {"annotations": {"team": "shop"}, "labels": {"team": "shop"}}
        made = await make_as(h.api, "flagger", "deployments", flaggers)
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web-primary"
        await asyncio.to_thread(
            control_plane.api.until, path, lambda it: it.get("status", {}).get("availableReplicas") == 2
        )
        mark = control_plane.mark()
        assert await h.applier.do(Apply(deployment(namespace, A="1")))
        live = await h.live(flaggers)
        assert live["metadata"]["uid"] == made["metadata"]["uid"]
        assert live["spec"]["replicas"] == 2, "an autoscaler's"
        assert live["metadata"]["annotations"]["team"] == live["metadata"]["labels"]["team"] == "shop"
        assert live["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]
        assert "flagger" not in {entry["manager"] for entry in live["metadata"]["managedFields"]}
        asked = control_plane.requests(mark, namespace=namespace, resource="deployments", user="admin")
        assert [one.verb for one in asked if one.verb not in ("list", "watch", "get")] == ["patch", "update"]
        assert not await h.applier.do(Apply(deployment(namespace, A="1")))
        assert await h.applier.do(Apply(deployment(namespace)))
        gone = await h.live(flaggers)
        assert not gone["spec"]["template"]["spec"]["containers"][0].get("env"), "what Flagger once set can be removed"


async def test_a_service_that_is_taken_over_keeps_its_addresses(control_plane: ControlPlane, namespace: str) -> None:
    async with hands(control_plane, namespace) as h:
        flaggers = owned_by(h.owner, service(namespace, type="NodePort", sessionAffinity="ClientIP"))
        made = await make_as(h.api, "flagger", "services", flaggers)
        await h.applier.do(Apply(service(namespace, type="NodePort")))
        live = await h.live(flaggers)
        assert live["spec"]["clusterIP"] == made["spec"]["clusterIP"]
        assert live["spec"]["ports"][0]["nodePort"] == made["spec"]["ports"][0]["nodePort"]
        assert live["spec"]["sessionAffinity"] == "None", "only Flagger had set it"


async def test_what_a_canary_left_goes_to_the_rollout_of_its_name(control_plane: ControlPlane, namespace: str) -> None:
    async with hands(control_plane, namespace) as h:
        canary = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "podinfo", "uid": "old"}}
        await make_as(h.api, "flagger", "services", owned_by(canary, service(namespace)))
        assert await h.applier.do(Apply(service(namespace)))
        owners = (await h.live(service(namespace)))["metadata"]["ownerReferences"]
        assert [one["uid"] for one in owners] == [h.owner["metadata"]["uid"]]


async def test_an_edit_writes_what_differs_and_only_over_what_was_read(
    control_plane: ControlPlane, namespace: str
) -> None:
    async with hands(control_plane, namespace) as h:
        theirs = await make_as(h.api, "kubectl", "services", service(namespace))
        await h.caches.ensure("v1", "Service")
        before = h.cached(theirs)
        after = copy.deepcopy(before)
        after["spec"]["selector"] = {"app": "web-primary"}
        sent = dict(h.api.requests)
        assert not await h.applier.do(Edit(before, copy.deepcopy(before)))
        assert dict(h.api.requests) == sent
        assert await h.applier.do(Edit(before, after))
        assert h.cached(theirs)["spec"]["selector"] == {"app": "web-primary"}
        await h.api.patch(ref_of(theirs), {"metadata": {"labels": {"hand": "made"}}})
        with pytest.raises(Conflict):
            await h.applier.do(Edit(before, {**after, "spec": {**after["spec"], "sessionAffinity": "ClientIP"}}))
        assert h.cached(theirs)["metadata"]["labels"] == {"hand": "made"}, "the next try begins from the latest"


async def test_only_what_is_ours_is_deleted(control_plane: ControlPlane, namespace: str) -> None:
    async with hands(control_plane, namespace) as h:
        await h.applier.do(Apply(service(namespace)))
        await make_as(h.api, "kubectl", "services", service(namespace, "theirs"))
        h.caches.put(await h.live(service(namespace, "theirs")))
        assert (
            await h.applier.all([Delete(ref_of(service(namespace, name))) for name in ("web", "theirs", "none")]) == 1
        )
        assert await h.api.get(ref_of(service(namespace))) is None
        assert not await h.applier.do(Delete(Ref("nobody.example/v1", "Thing", namespace, "x")))
        assert await h.applier.do(Delete(ref_of(service(namespace, "theirs"))), force=True)
        assert await h.api.get(ref_of(service(namespace, "theirs"))) is None


async def test_an_object_elsewhere_has_labels_and_no_owner(control_plane: ControlPlane, namespace: str) -> None:
    elsewhere = control_plane.make_namespace()
    async with hands(control_plane, namespace) as h:
        await h.applier.do(Apply(service(elsewhere)))
        metadata = (await h.live(service(elsewhere)))["metadata"]
        assert metadata["labels"][ROLLOUT] == "podinfo"
        assert "ownerReferences" not in metadata
    control_plane.drop_namespace(elsewhere)


def test_a_merge_patch_has_what_differs_and_lists_whole() -> None:
    before = {"a": 1, "b": {"c": 1, "d": 2}, "l": [1, 2], "gone": 1, "same": {"x": []}}
    after = {"a": 1, "b": {"c": 1, "d": 3, "e": 4}, "l": [1], "same": {"x": []}}
    assert merge_patch(before, after) == {"b": {"d": 3, "e": 4}, "l": [1], "gone": None}
    assert merge_patch(before, before) == {}


def test_a_long_name_is_a_label_all_the_same() -> None:
    assert label_of("short") == "short"
    one, other = label_of("x" * 80), label_of("x" * 81)
    assert len(one) == 63
    assert one != other
