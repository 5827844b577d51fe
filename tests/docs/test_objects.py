"""Every Kubernetes object in the documentation is one that works: an API server takes it, and its policy compiles."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from dsl.compiler import compile_source
from dsl.diagnostics import Severity
from dsl.flagger.importer import import_canary
from dsl.source import Source
from interpreter.cluster.names import API_VERSION, FLAGGER_API_VERSION
from interpreter.cluster.owner import Owner
from interpreter.cluster.policy import LIBRARY, policy_of
from interpreter.objects import Manifest, Ref
from tests.controlplane.cluster import ControlPlane
from tests.docs.manifests import Object, objects

FOREIGN = frozenset({"argoproj.io/v1alpha1", "gateway.solo.io/v1", "kustomize.config.k8s.io/v1beta1"})
"""Of tools whose definitions are not at hand, or that no API server ever sees."""

DEFINED_IN: Mapping[str, str] = {
    "rollway.dev": "rollway",
    "flagger.app": "flagger",
    "gateway.networking.k8s.io": "gateway-api",
    "projectcontour.io": "contour",
    "traefik.io": "traefik",
}
"""Which definitions an API server needs for a group that is not built in."""

OBJECTS = [each for each in objects() if each.api_version not in FOREIGN]
LIBRARIES = {
    (each.kind == LIBRARY, each.data["metadata"]["name"]): each.data for each in OBJECTS if each.kind.endswith(LIBRARY)
}


async def of_the_pages(ref: Ref) -> Manifest | None:
    """A library that a policy names, from whatever page it stands on."""
    return LIBRARIES.get((ref.kind == LIBRARY, ref.name))


def chosen(test: Callable[[Object], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("one", [each for each in OBJECTS if test(each)], ids=str)


def test_there_are_objects_of_ours_in_the_pages() -> None:
    assert sum(each.api_version == API_VERSION for each in OBJECTS) > 5


@chosen(lambda one: one.kind == "Rollout" and "kind" in one.data["spec"].get("sourceRef", {"kind": "none"}))
async def test_a_rollout_has_a_policy_that_compiles(one: Object) -> None:
    """One that names a ConfigMap apart: that is a file of the reader's."""
    policy = await policy_of(Owner(one.data), of_the_pages, "istio")
    assert policy.problems == ()
    assert policy.program is not None


@chosen(lambda one: one.kind.endswith(LIBRARY))
def test_a_library_has_no_errors(one: Object) -> None:
    compilation = compile_source(Source("library", one.data["spec"]["source"]))
    assert [each.message for each in compilation.diagnostics if each.severity is Severity.ERROR] == []


@chosen(lambda one: one.api_version == FLAGGER_API_VERSION and one.kind == "Canary")
def test_a_canary_becomes_a_policy(one: Object) -> None:
    assert import_canary(one.data).program is not None


@chosen(lambda one: True)
def test_an_api_server_takes_the_object(one: Object, control_plane: ControlPlane, namespace: str) -> None:
    if definitions := DEFINED_IN.get(one.api_version.partition("/")[0]):
        control_plane.install_crds(definitions)
    space = () if one.kind.startswith("Cluster") else ("--namespace", namespace)
    metadata = {key: value for key, value in one.data["metadata"].items() if key != "namespace"}
    text = json.dumps({**one.data, "metadata": metadata})
    done = control_plane.kubectl("create", "--dry-run=server", "--validate=strict", *space, "-f", "-", stdin=text)
    assert done.returncode == 0, done.stderr
