"""Protects the custom resource definitions: what the API server takes and refuses, what it tells people, and that what
is kept in an object comes back as it was."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field

import crds
from dsl import ir_json
from dsl.compiler import compile_source
from dsl.meaning.words import CHANNEL_KINDS, QUERY_PROVIDERS
from dsl.source import Source
from interpreter.cluster import names
from interpreter.cluster.crds import definitions, main, structural
from interpreter.cluster.resources import DEFINITIONS
from interpreter.cluster.resources.model import Definition, Model
from interpreter.cluster.resources.rollout import Rollout
from interpreter.state_json import decode, encode
from tests.controlplane.api import ApiError
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.machine.rig import Rig, ramp

ROOT = Path(__file__).parents[3]
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KINDS = {definition.kind: definition for definition in DEFINITIONS}
LIBRARY = {"kind": "RolloutLibrary", "name": "shared"}
TARGET = {"kind": "Deployment", "name": "web"}
PROMETHEUS = {"provider": {"type": "prometheus"}, "query": "up"}
RUN = {
    "owner": {"kind": "Rollout", "name": "web", "uid": "u"},
    "number": 1,
    "revision": "v2",
    "digest": "d",
    "program": {"name": "web"},
}

ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("Rollout", {"source": "rollout web {}"}),
    ("Rollout", {"source": "é" * 300_000, "suspend": True}),
    ("Rollout", {"sourceRef": {"name": "policy"}}),
    ("Rollout", {"sourceRef": {"name": "policy", "key": "web.rollout"}}),
    ("Rollout", {"sourceRef": {"kind": "ConfigMap", "name": "policy", "key": "web.rollout"}}),
    ("Rollout", {"sourceRef": LIBRARY, "targetRef": TARGET}),
    ("Rollout", {"sourceRef": {"kind": "ClusterRolloutLibrary", "name": "shared"}, "targetRef": TARGET}),
    ("RolloutRun", {**RUN, "template": {"spec": {}}, "configs": {"configmap/a": "f"}}),
    ("RolloutLibrary", {"source": "metric a {}"}),
    ("ClusterRolloutLibrary", {"source": "metric a {}"}),
    ("MetricTemplate", PROMETHEUS),
    ("AlertProvider", {"type": "slack", "address": "https://hooks.example.com/a", "channel": "dev"}),
    ("AlertProvider", {"type": "webhook", "secretRef": {"name": "hook"}}),
]

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("Rollout", {}, "give one of them, and only one"),
    ("Rollout", {"source": "a", "sourceRef": {"name": "policy"}}, "give one of them, and only one"),
    ("Rollout", {"source": "a", "targetRef": TARGET}, "write the target into the policy instead"),
    ("Rollout", {"sourceRef": {"name": "policy"}, "targetRef": TARGET}, "write the target into the policy instead"),
    ("Rollout", {"sourceRef": {**LIBRARY, "key": "a"}}, "leave `key` out"),
    ("Rollout", {"sourceRef": {"kind": "Secret", "name": "a"}}, "supported values"),
    ("Rollout", {"source": ""}, "should be at least 1 chars long"),
    ("Rollout", {"source": "a" * (512 * 1024 + 1)}, "may not be more than 524288"),
    ("MetricTemplate", {"provider": {"type": "oracle"}, "query": "up"}, "supported values"),
    ("MetricTemplate", {"provider": {"type": "prometheus"}}, "spec.query: Required value"),
    ("AlertProvider", {"type": "slack"}, "give one of them, and only one"),
    (
        "AlertProvider",
        {"type": "slack", "address": "https://a", "secretRef": {"name": "a"}},
        "give one of them, and only one",
    ),
]


@pytest.fixture
def cluster(control_plane: ControlPlane) -> ControlPlane:
    control_plane.install_crds("rollway")
    return control_plane


def path(kind: str, namespace: str, name: str = "") -> str:
    definition = KINDS[kind]
    where = f"namespaces/{namespace}/" if definition.namespaced else ""
    return f"/apis/{names.API_VERSION}/{where}{definition.plural}" + (f"/{name}" if name else "")


def manifest(kind: str, spec: dict[str, Any], name: str = "web") -> dict[str, Any]:
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


# --- what is generated ------------------------------------------------------------------------------------------


def test_what_is_installed_is_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err
    assert {name: yaml.safe_load(text) for name, text in crds.definitions().items()} == definitions()


def test_a_choice_of_types_is_refused_here_and_not_by_the_server() -> None:
    class Either(Model):
        one: int | str

    class Above(Model):
        one: float = Field(gt=0)

    with pytest.raises(ValueError, match="no choice between types"):
        structural(Either)
    with pytest.raises(ValueError, match="exclusiveMinimum"):
        structural(Above)


def test_everything_that_may_be_written_is_explained() -> None:
    silent = [where for definition in DEFINITIONS for where in _silent(definition)]
    assert silent == []


def _silent(definition: Definition) -> list[str]:
    def walk(schema: dict[str, Any], where: str) -> list[str]:
        found = [] if schema.get("description") else [where]
        for name, part in schema.get("properties", {}).items():
            found += walk(part, f"{where}.{name}")
        if schema.get("items", {}).get("type") == "object":
            found += walk(schema["items"], f"{where}[]")
        return found

    parts = [walk(structural(definition.spec), f"{definition.kind}.spec")]
    if definition.status is not None:
        parts.append(walk(structural(definition.status), f"{definition.kind}.status"))
    return [where for part in parts for where in part]


def test_the_words_are_those_of_the_language() -> None:
    provider = structural(KINDS["MetricTemplate"].spec)["properties"]["provider"]
    assert provider["properties"]["type"]["enum"] == list(QUERY_PROVIDERS)
    assert structural(KINDS["AlertProvider"].spec)["properties"]["type"]["enum"] == [
        kind for kind in CHANNEL_KINDS if kind != "provider"
    ]  # which is such an object itself


def test_an_object_with_fields_of_a_newer_version_is_read() -> None:
    seen = manifest("Rollout", {"sourceRef": {"name": "policy", "checksum": "x"}, "notYet": 1})
    rollout = Rollout.model_validate(seen)
    assert rollout.spec.source_ref is not None
    assert (rollout.metadata.name, rollout.spec.source_ref.kind, rollout.spec.suspend) == ("web", "ConfigMap", False)


# --- a real API server ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(definitions()))
def test_a_definition_has_nothing_that_the_server_drops_or_complains_of(cluster: ControlPlane, name: str) -> None:
    wanted = definitions()[name]
    strict = f"{CRDS}/{wanted['metadata']['name']}?fieldManager=strict&force=true&fieldValidation=Strict&dryRun=All"
    cluster.api.call("PATCH", strict, wanted, kind="application/apply-patch+yaml")
    seen = cluster.api.get(f"{CRDS}/{wanted['metadata']['name']}")
    conditions = {each["type"]: each["status"] for each in seen["status"]["conditions"]}
    assert conditions.get("NonStructuralSchema", "False") == "False"
    assert conditions["NamesAccepted"] == "True"
    (version,) = seen["spec"]["versions"]
    (ours,) = wanted["spec"]["versions"]
    assert version["schema"] == ours["schema"]


@pytest.mark.parametrize(("kind", "spec"), ACCEPTED)
def test_what_is_right_is_accepted(cluster: ControlPlane, namespace: str, kind: str, spec: dict[str, Any]) -> None:
    where = f"{path(kind, namespace)}?fieldValidation=Strict&dryRun=All"
    assert cluster.api.call("POST", where, manifest(kind, spec, "w" * 50))["spec"] == spec


@pytest.mark.parametrize(("kind", "spec", "said"), REFUSED)
def test_what_is_wrong_is_refused_in_words(
    cluster: ControlPlane, namespace: str, kind: str, spec: dict[str, Any], said: str
) -> None:
    with pytest.raises(ApiError, match=said) as refusal:
        cluster.api.call("POST", path(kind, namespace), manifest(kind, spec))
    assert refusal.value.status == 422


def test_a_name_that_leaves_no_room_for_the_primary_is_refused(cluster: ControlPlane, namespace: str) -> None:
    with pytest.raises(ApiError, match="at most 50 characters"):
        cluster.api.call("POST", path("Rollout", namespace), manifest("Rollout", {"source": "a"}, "w" * 51))


def test_every_rule_is_held_against_something_that_it_refuses() -> None:
    """The two that stand alone: the name, above, and that a run cannot be changed, below."""
    said = [words for _, _, words in REFUSED] + ["at most 50 characters", "cannot be changed"]
    rules = [rule["message"] for text in definitions().values() for rule in _rules(text)]
    assert rules
    assert [rule for rule in rules if not any(words in rule for words in said)] == []


def _rules(part: Any) -> list[dict[str, str]]:
    if isinstance(part, list):
        return [rule for each in part for rule in _rules(each)]
    if not isinstance(part, dict):
        return []
    found = list(part.get("x-kubernetes-validations", []))
    return found + [rule for each in part.values() for rule in _rules(each)]


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "v3"},
        {"program": {"name": "other"}},
        {"program": {"code": [{"op": "promote"}]}},
        {"template": {"spec": {"containers": [{"name": "a"}]}}},
        {"configs": {"configmap/a": "0"}},
    ],
)
def test_what_a_run_was_begun_with_is_never_changed(
    cluster: ControlPlane, namespace: str, change: dict[str, Any]
) -> None:
    cluster.api.call("POST", path("RolloutRun", namespace), manifest("RolloutRun", RUN))
    with pytest.raises(ApiError, match="cannot be changed: delete it instead"):
        cluster.api.merge(path("RolloutRun", namespace, "web"), {"spec": change})


def test_a_program_a_template_and_a_state_come_back_as_they_were(cluster: ControlPlane, namespace: str) -> None:
    rig = Rig(ramp(10.5, 20)).begin().go(70)
    template = {"metadata": {"annotations": {}}, "spec": {"a": None, "b": [], "c": {"d": None}, "e": 1, "f": 0.1}}
    spec = {**RUN, "program": ir_json.to_data(rig.program), "template": template}
    made = cluster.api.call("POST", path("RolloutRun", namespace), manifest("RolloutRun", spec))
    made["status"] = {"state": encode(rig.state)}
    cluster.api.call("PUT", path("RolloutRun", namespace, "web") + "/status", made)

    seen = cluster.api.get(path("RolloutRun", namespace, "web"))

    assert ir_json.from_data(seen["spec"]["program"]) == rig.program
    assert seen["spec"]["template"] == template
    assert decode(seen["status"]["state"]) == rig.state


def test_the_programs_of_the_examples_keep_their_digest(cluster: ControlPlane, namespace: str) -> None:
    found = sorted((ROOT / "examples").glob("*.rollout"))
    assert found
    for number, file in enumerate(found):
        for compiled in compile_source(Source(file.name, file.read_text())).rollouts:
            spec = {**RUN, "program": ir_json.to_data(compiled.program), "number": number}
            where = path("RolloutRun", namespace) + "?dryRun=All"
            kept = cluster.api.call("POST", where, manifest("RolloutRun", spec, f"run-{number}"))["spec"]["program"]
            assert ir_json.digest(ir_json.from_data(kept)) == ir_json.digest(compiled.program), file.name


def test_a_run_is_small_to_keep_track_of(cluster: ControlPlane, namespace: str) -> None:
    """Program and template are owned as a whole: field by field they would fill the object with who owns what."""
    rig = Rig(ramp(*range(1, 100)))
    spec = {**RUN, "program": ir_json.to_data(rig.program), "template": {"a": {str(n): n for n in range(500)}}}
    made = cluster.api.call("POST", path("RolloutRun", namespace), manifest("RolloutRun", spec))
    assert len(str(made["metadata"]["managedFields"])) < 1000


def test_kubectl_explains_and_lists(cluster: ControlPlane, namespace: str) -> None:
    cluster.api.until(f"/openapi/v3/apis/{names.API_VERSION}", lambda seen: "sourceRef" in str(seen))
    explained = cluster.kubectl("explain", "rollouts.spec.sourceRef", "--api-version", names.API_VERSION)
    assert "`policy.rollout` if nothing is said" in " ".join(explained.stdout.split()), explained.stderr
    rollout = cluster.api.call("POST", path("Rollout", namespace), manifest("Rollout", {"source": "a"}))
    rollout["status"] = {
        "phase": "Progressing",
        "step": {"index": 2, "text": "shift to 10%"},
        "weight": 10.5,
        "failedChecks": 1,
        "reason": "waiting for the canary",
    }
    cluster.api.call("PUT", path("Rollout", namespace, "web") + "/status", rollout)
    listed = cluster.kubectl("get", "rw", "-n", namespace, "-o", "wide").stdout.splitlines()
    assert listed[0].split() == ["NAME", "PHASE", "STEP", "WEIGHT", "FAILED", "READY", "REASON", "AGE"]
    assert "Progressing" in listed[1]
    assert "shift to 10%" in listed[1]
    assert "10.5" in listed[1]
    together = cluster.kubectl("get", "rollway", "-n", namespace)
    assert "rollout.rollway.dev/web" in together.stdout, together.stderr


def test_a_status_is_written_apart_from_the_spec(cluster: ControlPlane, namespace: str) -> None:
    made = cluster.api.call("POST", path("Rollout", namespace), manifest("Rollout", {"source": "a"}))
    changed = copy.deepcopy(made)
    changed["status"] = {"phase": "Failed"}
    assert "status" not in cluster.api.call("PUT", path("Rollout", namespace, "web"), changed)
