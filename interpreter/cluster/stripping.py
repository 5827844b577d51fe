"""What is kept in memory of an object.

Nobody reads `managedFields`. What kubectl last applied is kept only where `release` restores from it: on Services and
routes; on workloads it doubles their size. Of a ConfigMap or a Secret no value is kept, but two digests of its data:
`digest` of all of it, and `flaggerDigest` as Flagger writes it to `trackedConfigs` (without `binaryData`). The two are
equal unless there is binary data. Of a RolloutRun that is over only what says how it ended is kept, and its state.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from interpreter.cluster.names import GROUP
from interpreter.objects import Manifest
from interpreter.state import Stage

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

Strip = Callable[[Manifest], Manifest | None]

DIGESTED = ("ConfigMap", "Secret")
_HEAVY = frozenset(
    {"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Pod", "HorizontalPodAutoscaler", "ScaledObject"}
)
_ASKED = frozenset({"gateway.networking.k8s.io", "policy.linkerd.io", "split.smi-spec.io", "specs.smi-spec.io"})
"""Groups of routes whose definitions traffic providers read."""
_OVER = f'"stage":"{Stage.OVER.value}"'
_BULKY = ("program", "template")
_KEPT = ("name", "namespace", "uid", "resourceVersion", "labels", "ownerReferences", "deletionTimestamp", "finalizers")
_KEPT_ANNOTATIONS = (f"{GROUP}/", "flagger.app/")


def strip_for(kind: str) -> Strip:
    """What an informer of this kind does to each object before it keeps it."""
    if kind in DIGESTED:
        return digests_only
    if kind == "CustomResourceDefinition":
        return definition_of_routes
    if kind == "RolloutRun":
        return slim_run
    return without_last_applied if kind in _HEAVY else without_managed_fields


def definition_of_routes(manifest: Manifest) -> Manifest | None:
    """Definitions are large, and a cluster has hundreds. Only of those of a few routes is anything asked: which
    versions are served, and which of the optional fields the installed version has."""
    return without_last_applied(manifest) if manifest["spec"]["group"] in _ASKED else None


def slim_run(run: Manifest) -> Manifest:
    """Of a run that is over the program, the pod template and the checks' numbers are read again if they are wanted."""
    run = without_managed_fields(run)
    status = run.get("status") or {}
    text = status.get("state")
    if not text or _OVER not in text:
        return run
    spec = {key: value for key, value in run["spec"].items() if key not in _BULKY}
    return {**run, "spec": spec, "status": {key: value for key, value in status.items() if key != "checks"}}


def is_slim_run(run: Manifest) -> bool:
    """Whether something is left out of a run."""
    return "program" not in run["spec"]


def without_managed_fields(manifest: Manifest) -> Manifest:
    """The object without the bookkeeping of server-side apply."""
    metadata = manifest["metadata"]
    if "managedFields" not in metadata:
        return manifest
    return {**manifest, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def without_last_applied(manifest: Manifest) -> Manifest:
    """And without what kubectl last applied."""
    bare = without_managed_fields(manifest)
    annotations = bare["metadata"].get("annotations") or {}
    if LAST_APPLIED not in annotations:
        return bare
    rest = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    return {**bare, "metadata": {**bare["metadata"], "annotations": rest}}


def digests_only(manifest: Manifest) -> Manifest:
    """A ConfigMap or Secret without its values. Of its annotations only ours and Flagger's stay: kubectl's holds the
    data too."""
    metadata = manifest["metadata"]
    kept = {key: metadata[key] for key in _KEPT if key in metadata}
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if key.startswith(_KEPT_ANNOTATIONS)
    }  # fmt: skip
    if annotations:
        kept["annotations"] = annotations
    data = _data(manifest)
    plain = digest_of_data(data)
    binary = manifest.get("binaryData")
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": kept,
        **{key: manifest[key] for key in ("type", "immutable") if key in manifest},
        "digest": digest_of_data({"data": data, "binaryData": binary}) if binary else plain,
        "flaggerDigest": plain,
    }


def digest_of_data(data: Mapping[str, Any] | None) -> str:
    """16 hexadecimal digits, those of Flagger: the beginning of the SHA-256 of the data as Go writes it as JSON, with
    sorted keys, no spaces, and `<`, `>` and `&` escaped."""
    text = json.dumps(data or None, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:16]


def _data(manifest: Manifest) -> dict[str, Any] | None:
    """The data as the server keeps it: a Secret's `stringData` goes over its `data`, in base 64."""
    plain = manifest.get("stringData") or {}
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
    return {**(manifest.get("data") or {}), **encoded} or None
