"""ConfigMaps and Secrets: which of them a pod template names, which are tracked, and their copies for the primary.

A tracked one is part of the revision: its change is rolled out like a change of the image. The target's pods read the
original, the primary's a copy named `NAME-primary`, made when the primary gets the revision; so a change reaches the
primary only once it was promoted. Every copy that a template names must exist before the primary's pods are rolled.
What is not tracked is shared by both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from interpreter.cluster.names import GROUP
from interpreter.objects import Manifest, Ref
from interpreter.workloads.metadata import PLAIN, PRIMARY, Naming, metadata

TRACKING = f"{GROUP}/config-tracking"
"""Annotation on a ConfigMap or Secret: a value that begins with `disable` keeps it out of every revision."""
FLAGGER_TRACKING = "flagger.app/config-tracking"

SECRET_TYPES = frozenset({"Opaque", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "kubernetes.io/tls"})
"""Secrets that are an application's own; the others (tokens, pull secrets, Helm's) are shared (peers.md §1.13)."""

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


class ConfigRef(NamedTuple):
    """A ConfigMap or Secret that a template names. `optional`: pods start without it, wherever it is named."""

    ref: Ref
    optional: bool

    @property
    def key(self) -> str:
        """`configmap/NAME` or `secret/NAME`, as in `Snapshot.configs`."""
        return f"{self.ref.kind.lower()}/{self.ref.name}"

    @property
    def primary_ref(self) -> Ref:
        """Its copy for the primary."""
        return self.ref._replace(name=copy_name(self.ref.name))


class _Place(NamedTuple):
    """One place that names a config: the map that holds the name, and under which key."""

    kind: str
    holder: dict[str, Any]
    field: str


def references(template: Mapping[str, Any], namespace: str) -> tuple[ConfigRef, ...]:
    """What a pod template names, each once, in the order of the template. A template without pods names nothing."""
    found: dict[Ref, bool] = {}
    for place in _places(template):
        name = place.holder.get(place.field)
        if name:
            ref = Ref("v1", place.kind, namespace, name)
            found[ref] = found.get(ref, True) and bool(place.holder.get("optional"))
    return tuple(ConfigRef(ref, optional) for ref, optional in found.items())


def is_tracked(manifest: Mapping[str, Any]) -> bool:
    """Whether an object is part of the revisions that name it. Reads metadata and `type`, never data."""
    annotations = manifest["metadata"].get("annotations") or {}
    if any(str(annotations.get(key, "")).startswith("disable") for key in (TRACKING, FLAGGER_TRACKING)):
        return False
    return manifest.get("kind") != "Secret" or manifest.get("type", "Opaque") in SECRET_TYPES


def renamed(template: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """The template with each config of `keys` (`configmap/NAME`, `secret/NAME`) replaced by its copy."""
    made = deepcopy(dict(template))
    for place in _places(made):
        name = place.holder.get(place.field)
        if f"{place.kind.lower()}/{name}" in keys:
            place.holder[place.field] = copy_name(str(name))
    return made


def copy_name(name: str) -> str:
    """What the primary's copy of a config is called."""
    return f"{name}{PRIMARY}"


def copy(source: Manifest, name: str, naming: Naming = PLAIN) -> Manifest:
    """A copy of a ConfigMap or Secret, from its manifest with data.

    It never is immutable, since the next promotion must be able to change it. Annotations stay behind: they are
    instructions to controllers (replicate this, renew that), which are not meant for a copy.
    """
    made = metadata(source, name, naming)
    made.pop("annotations", None)
    parts = {key: source[key] for key in ("type", "data", "binaryData") if source.get(key) is not None}
    return {"apiVersion": "v1", "kind": source["kind"], "metadata": made, **parts}


def _places(template: Mapping[str, Any]) -> Iterator[_Place]:
    spec = template.get("spec")
    if not isinstance(spec, dict):
        return
    for volume in spec.get("volumes") or ():
        yield from _in_volume(volume)
    for container in [each for part in _CONTAINERS for each in spec.get(part) or ()]:
        for variable in container.get("env") or ():
            source = variable.get("valueFrom") or {}
            yield from _of(source, "configMapKeyRef", "ConfigMap", "name")
            yield from _of(source, "secretKeyRef", "Secret", "name")
        for source in container.get("envFrom") or ():
            yield from _of(source, "configMapRef", "ConfigMap", "name")
            yield from _of(source, "secretRef", "Secret", "name")


def _in_volume(volume: dict[str, Any]) -> Iterator[_Place]:
    yield from _of(volume, "configMap", "ConfigMap", "name")
    yield from _of(volume, "secret", "Secret", "secretName")
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield from _of(source, "configMap", "ConfigMap", "name")
        yield from _of(source, "secret", "Secret", "name")


def _of(parent: Mapping[str, Any], part: str, kind: str, field: str) -> Iterator[_Place]:
    holder = parent.get(part)
    if isinstance(holder, dict):
        yield _Place(kind, holder, field)
