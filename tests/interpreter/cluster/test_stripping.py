"""What is kept of an object."""

from __future__ import annotations

import pytest

from interpreter.cluster.stripping import LAST_APPLIED, digest_of_data, digests_only, strip_for
from interpreter.objects import Manifest


def annotated(kind: str) -> Manifest:
    metadata = {"name": "a", "managedFields": [{}], "annotations": {LAST_APPLIED: "{}", "mine": "1"}}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


@pytest.mark.parametrize(("kind", "kept"), [("Deployment", False), ("Service", True), ("VirtualService", True)])
def test_what_kubectl_applied_is_kept_where_it_is_restored_from(kind: str, kept: bool) -> None:
    stripped = strip_for(kind)(annotated(kind))
    assert stripped is not None
    assert "managedFields" not in stripped["metadata"]
    assert (LAST_APPLIED in stripped["metadata"]["annotations"]) is kept
    assert stripped["metadata"]["annotations"]["mine"] == "1"


def test_of_a_secret_the_digest_is_kept() -> None:
    secret = {**annotated("Secret"), "type": "Opaque", "data": {"a": "aHVudGVyMg=="}}
    stripped = strip_for("Secret")(secret)
    assert stripped == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a"},
        "type": "Opaque",
        "digest": digest_of_data({"a": "aHVudGVyMg=="}),
        "flaggerDigest": digest_of_data({"a": "aHVudGVyMg=="}),
    }
    plain = {**annotated("Secret"), "stringData": {"a": "hunter2"}}
    assert digests_only(plain)["digest"] == stripped["digest"], "as the server would store it"


def test_binary_data_counts_for_us_and_not_for_flagger() -> None:
    one = digests_only({**annotated("ConfigMap"), "data": {"a": "1"}, "binaryData": {"b": "AAAA"}})
    other = digests_only({**annotated("ConfigMap"), "data": {"a": "1"}, "binaryData": {"b": "AAAB"}})
    assert one["digest"] != other["digest"]
    assert one["flaggerDigest"] == other["flaggerDigest"] == digest_of_data({"a": "1"})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "null"),
        ({}, "null"),
        ({"b": "2", "a": "é<&>"}, '{"a":"é\\u003c\\u0026\\u003e","b":"2"}'),
        ({"a": 'x"\n'}, '{"a":"x\\"\\n"}'),
    ],
)
def test_digests_are_those_of_go(data: dict[str, str] | None, text: str) -> None:
    import hashlib

    assert digest_of_data(data) == hashlib.sha256(text.encode()).hexdigest()[:16]
