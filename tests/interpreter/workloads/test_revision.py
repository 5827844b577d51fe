"""Protects what counts as a new revision, and which ConfigMaps and Secrets are part of one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from interpreter.objects import Ref
from interpreter.workloads import configs
from interpreter.workloads.kind import Snapshot
from interpreter.workloads.revision import cleaned, differences, revision_of
from tests.interpreter.workloads import made


def changed(**metadata: Any) -> dict[str, Any]:
    template = made.template()
    template["metadata"] |= metadata
    return template


def test_a_revision_is_ten_digits_that_change_with_template_and_configs_only() -> None:
    base = revision_of(made.template(), {"configmap/a": "1"})

    assert len(base) == 10
    assert int(base, 16) >= 0
    assert base == revision_of(copy.deepcopy(made.template()), {"configmap/a": "1"})
    assert base != revision_of(made.template(), {"configmap/a": "2"})
    assert base != revision_of(made.template(hostNetwork=True), {"configmap/a": "1"})


def test_a_restart_by_kubectl_is_a_revision() -> None:
    restarted = changed(annotations={"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"})

    assert revision_of(changed(annotations={}), {}) != revision_of(restarted, {})


@pytest.mark.parametrize(
    "same",
    [
        changed(annotations={"rollway.dev/revision": "x"}),
        changed(annotations={}, creationTimestamp="2026-01-01T00:00:00Z"),
        {**changed(annotations={}), "spec": {**made.template()["spec"], "nodeSelector": None}},
        {
            **changed(annotations={}),
            "spec": made.template()["spec"] | {"nodeSelector": {"rollway.dev/scale-to-zero": "t"}},
        },
    ],
)
def test_what_says_nothing_and_what_rollway_wrote_is_no_part_of_it(same: dict[str, Any]) -> None:
    plain = changed()
    del plain["metadata"]["annotations"]

    assert revision_of(same, {}) == revision_of(plain, {})
    assert cleaned(cleaned(same)) == cleaned(same)


def test_differences_name_images_places_and_configs_but_no_values() -> None:
    old = Snapshot("1", made.template(), {"configmap/a": "1", "secret/b": "1"})
    template = made.template(hostNetwork=True)
    template["spec"]["containers"][0]["image"] = "example.com/web:2"
    template["spec"]["containers"][0]["env"][2]["value"] = "hush"
    new = Snapshot("2", template, {"configmap/a": "2", "secret/c": "1"})

    told = differences(old, new)

    assert told == (
        "image of web: example.com/web:1 → example.com/web:2",
        "spec.containers.web.env",
        "spec.hostNetwork",
        "configmap/a changed",
        "secret/b is no longer tracked",
        "secret/c is tracked now",
    )
    assert "hush" not in " ".join(told)
    assert differences(old, old) == ()


def test_references_are_found_wherever_a_template_can_name_them_each_once() -> None:
    found = configs.references(made.template(), "shop")

    assert {each.key: each.optional for each in found} == {
        "configmap/settings": False,
        "secret/tls": False,
        "configmap/more": False,  # optional in one place, not in the other
        "secret/extra": True,
        "secret/token": False,
        "configmap/first": False,
    }
    assert all(each.ref.namespace == "shop" for each in found)
    assert found[0].ref == Ref("v1", "ConfigMap", "shop", "settings")
    assert found[0].primary_ref == Ref("v1", "ConfigMap", "shop", "settings-primary")


def test_a_services_spec_names_no_configs() -> None:
    assert configs.references({"selector": {"app": "web"}, "ports": [{"port": 80}]}, "shop") == ()


@pytest.mark.parametrize(
    ("manifest", "tracked"),
    [
        ({"kind": "ConfigMap"}, True),
        ({"kind": "Secret", "type": "Opaque"}, True),
        ({"kind": "Secret", "type": "kubernetes.io/tls"}, True),
        ({"kind": "Secret", "type": "kubernetes.io/dockerconfigjson"}, False),
        ({"kind": "Secret", "type": "kubernetes.io/service-account-token"}, False),
        ({"kind": "ConfigMap", "annotations": {"flagger.app/config-tracking": "disabled"}}, False),
        ({"kind": "ConfigMap", "annotations": {"rollway.dev/config-tracking": "disabled"}}, False),
        ({"kind": "ConfigMap", "annotations": {"rollway.dev/config-tracking": "enabled"}}, True),
    ],
)
def test_which_configs_are_tracked(manifest: dict[str, Any], tracked: bool) -> None:
    annotations = manifest.pop("annotations", None)

    assert configs.is_tracked({**manifest, "metadata": {"name": "x", "annotations": annotations}}) is tracked


def test_a_copy_has_the_data_and_can_be_changed_and_instructs_no_controller() -> None:
    source = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "immutable": True,
        "metadata": {
            "name": "tls",
            "namespace": "shop",
            "uid": "1",
            "resourceVersion": "2",
            "labels": {"team": "shop", "argocd.argoproj.io/instance": "x"},
            "annotations": {
                "replicator.v1.mittwald.de/replicate-from": "x",
                "kubectl.kubernetes.io/last-applied": "data",
            },
        },
        "data": {"tls.crt": "YQ=="},
        "binaryData": None,
    }

    assert configs.copy(source, "tls-primary") == {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "tls-primary", "namespace": "shop", "labels": {"team": "shop"}},
        "data": {"tls.crt": "YQ=="},
    }
