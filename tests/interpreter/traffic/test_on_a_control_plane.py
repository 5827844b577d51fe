"""Protects that the API server takes what the providers render, to the last field, and gives it back as it was: with
the data planes' own CustomResourceDefinitions, and no field tolerated that they do not know."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from interpreter.desired import Routing
from interpreter.objects import Apply, Change, Delete, Edit, Manifest, Ref, ref_of
from interpreter.routing import HOME
from interpreter.traffic.reading import covers
from tests.controlplane.api import APPLY, Api, ApiError
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.traffic import contract
from tests.interpreter.traffic.rigs import RIGS, Rig
from tests.interpreter.traffic.situations import SITUATIONS, situations, weight

PATIENCE_S = 60.0
HOW = "fieldManager=rollway&fieldValidation=Strict"


class Cluster:
    """What the cluster's shell does with changes, in the plainest way."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._plurals: dict[tuple[str, str], str] = {}

    def objects(self, refs: Iterable[Ref]) -> dict[Ref, Manifest]:
        found = {ref: self._get(ref) for ref in refs}
        return {ref: each for ref, each in found.items() if each is not None}

    def make(self, manifest: Manifest) -> None:
        ref = ref_of(manifest)
        made = self._api.call("POST", f"{self._folder(ref)}?{HOW}", manifest)
        if "latestCreatedRevisionName" in (manifest.get("status") or {}):  # by Knative, which is not here
            self._write_status(self._path(ref), {**made, "status": manifest["status"]})

    def await_pods(self, manifest: Manifest) -> None:
        """Wait until as many pods of a workload are ready as it is given with."""
        wanted = (manifest.get("status") or {}).get("readyReplicas")
        limit = time.monotonic() + PATIENCE_S
        while wanted is not None:
            found = self._get(ref_of(manifest)) or {}
            if (found.get("status") or {}).get("readyReplicas") == wanted:
                return
            assert time.monotonic() < limit, found
            time.sleep(0.1)

    def do(self, changes: Iterable[Change]) -> None:
        for change in changes:
            match change:
                case Apply(manifest):
                    path = self._path(ref_of(manifest))
                    made = self._api.call("PATCH", f"{path}?{HOW}&force=true", manifest, kind=APPLY)
                    if "status" in made:  # one by default: it is written by the data plane, once it sees the object
                        self._write_status(path, made)
                case Edit(_, after):
                    self._api.call("PUT", f"{self._path(ref_of(after))}?{HOW}", after)
                case Delete(ref):
                    self._api.delete(self._path(ref))

    def _write_status(self, path: str, manifest: Manifest) -> None:
        try:
            self._api.call("PUT", f"{path}/status", manifest)
        except ApiError as error:
            if error.status != 404:  # a kind whose status has no address of its own, as Gloo's
                raise

    def _get(self, ref: Ref) -> Manifest | None:
        try:
            found: Manifest = self._api.get(self._path(ref))
        except ApiError as error:
            if error.status != 404:
                raise
            return None
        return found

    def _path(self, ref: Ref) -> str:
        return f"{self._folder(ref)}/{ref.name}"

    def _folder(self, ref: Ref) -> str:
        root = f"/apis/{ref.api_version}" if "/" in ref.api_version else f"/api/{ref.api_version}"
        key = ref.api_version, ref.kind
        if key not in self._plurals:
            served = self._api.get(root)["resources"]
            (self._plurals[key],) = [
                each["name"] for each in served if each["kind"] == ref.kind and "/" not in each["name"]
            ]
        inside = f"/namespaces/{ref.namespace}" if ref.namespace else ""
        return f"{root}{inside}/{self._plurals[key]}"


@pytest.fixture
def place(name: str, request: pytest.FixtureRequest) -> tuple[Rig, Cluster]:
    """The rig in a namespace: on the control plane that all share, or alone on an API server."""
    if not RIGS[name]("any").alone:
        return _set_up(name, request.getfixturevalue("control_plane"), request.getfixturevalue("namespace"))
    server: ControlPlane = request.getfixturevalue("bare_api_server")
    return _set_up(name, server, server.make_namespace())


@pytest.mark.parametrize("name", RIGS)
def test_situations(place: tuple[Rig, Cluster]) -> None:
    rig, cluster = place
    before = cluster.objects(rig.provider.refs(rig.site))
    wanted = situations(rig.row)
    for situation in wanted if rig.goldens is None else [each for each in rig.goldens if each in wanted]:
        _play(rig, cluster, situation)
        if rig.restores:
            cluster.do(rig.provider.release(rig.site, cluster.objects(rig.provider.refs(rig.site))))
            after = cluster.objects(rig.provider.refs(rig.site))
            assert _essence(after) == _essence(before), f"after `{situation}` something was not put back"


@pytest.mark.parametrize("name", RIGS)
def test_a_change_by_hand_is_seen(place: tuple[Rig, Cluster]) -> None:
    """Somebody who puts the objects of another routing back leaves ours noted; it is not what holds."""
    rig, cluster = place
    refs = rig.provider.refs(rig.site)
    _route(rig, cluster, HOME)
    home = cluster.objects(refs)
    _route(rig, cluster, weight(100))
    each_once = {manifest["metadata"]["uid"]: ref for ref, manifest in home.items()}  # it may be seen in two versions
    for ref, manifest in cluster.objects(refs).items():
        if ref in each_once.values():
            cluster.do([Edit(manifest, _with_the_routing_of(manifest, home[ref]))])
    assert rig.provider.read(rig.site, cluster.objects(refs)) == HOME
    _route(rig, cluster, weight(100))
    assert rig.provider.read(rig.site, cluster.objects(refs)) == weight(100)


def _with_the_routing_of(manifest: Manifest, other: Manifest) -> Manifest:
    """The spec, and the annotations that a data plane goes by, but not our notes."""
    annotations = {
        key: value
        for noted, source in ((True, manifest), (False, other))
        for key, value in (source["metadata"].get("annotations") or {}).items()
        if key.startswith("rollway.dev/") is noted
    }
    return {**manifest, "spec": other["spec"], "metadata": {**manifest["metadata"], "annotations": annotations}}


def _set_up(name: str, control_plane: ControlPlane, namespace: str) -> tuple[Rig, Cluster]:
    rig, cluster = RIGS[name](namespace), Cluster(control_plane.api)
    control_plane.install_crds(*rig.definitions)
    for manifest in rig.given:
        cluster.make(manifest)
    for manifest in rig.given:
        cluster.await_pods(manifest)
    return rig, cluster


def _play(rig: Rig, cluster: Cluster, situation: str) -> None:
    refs = rig.provider.refs(rig.site)
    for routing in SITUATIONS[situation]:
        _route(rig, cluster, routing)
        seen = cluster.objects(refs)
        assert rig.provider.read(rig.site, seen) == routing, situation
        _route(rig, cluster, routing)
        assert _versions(cluster.objects(refs)) == _versions(seen), f"`{situation}` is written again and again"
    expected = contract.objects_of(contract.played(rig, SITUATIONS[situation]), rig)
    live = cluster.objects(refs)
    for manifest in expected:
        assert covers(manifest, live[ref_of(manifest)]), f"{ref_of(manifest)} after `{situation}`"


def _route(rig: Rig, cluster: Cluster, routing: Routing) -> None:
    existing = cluster.objects(rig.provider.refs(rig.site))
    cluster.do(rig.provider.render(rig.site, routing, existing))


def _versions(objects: Mapping[Ref, Manifest]) -> dict[Ref, str]:
    return {ref: manifest["metadata"]["resourceVersion"] for ref, manifest in objects.items()}


def _essence(objects: Mapping[Ref, Manifest]) -> dict[Ref, Any]:
    """What people wrote."""
    return {
        ref: (
            manifest["spec"],
            manifest["metadata"].get("labels") or {},
            manifest["metadata"].get("annotations") or {},
        )
        for ref, manifest in objects.items()
    }
