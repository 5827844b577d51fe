"""Custom resources that run pods: any kind with a pod template and a scale subresource.

Where replicas stand, the resource's definition says (`subresources.scale`). The pod template is `spec.template`, or
else the first thing in the spec that looks like one. The primary is the whole spec of the target, with the primary's
pod template, selector and replicas in place. Ready is what the conditions `Ready` and `Available` say, and the scale:
a controller that writes neither conditions nor replicas cannot be waited for, and is taken at its word.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dsl.ir import Program
from interpreter.objects import Change, Edit, Manifest
from interpreter.questions import Readiness
from interpreter.workloads import progress
from interpreter.workloads.derivation import (
    apply_replicas,
    primary_metadata,
    primary_selector,
    primary_template,
    selector_label,
    title,
)
from interpreter.workloads.kind import Snapshot, WorkloadError
from interpreter.workloads.metadata import PLAIN, Naming
from interpreter.workloads.revision import cleaned

Path = tuple[str, ...]

_CONDITIONS = ("Ready", "Available")


@dataclass(frozen=True, slots=True)
class CustomKind:
    """One kind of custom resource. `replicas_path` is where it is asked for replicas, `status_path` where it says how
    many it has."""

    replicas_path: Path
    status_path: Path
    naming: Naming = PLAIN

    def template(self, target: Manifest) -> dict[str, Any]:
        return cleaned(_at(target, template_path(target)))

    def label(self, target: Manifest) -> tuple[str, str]:
        labels = (_at(target, ("spec", "selector")) or {}).get("matchLabels")
        if labels is not None:
            return selector_label(target, labels, self.naming, "`spec.selector.matchLabels`")
        path = (*template_path(target), "metadata", "labels")
        return selector_label(target, _at(target, path), self.naming, f"`{'.'.join(path)}`")

    def primary(
        self, program: Program, target: Manifest, snapshot: Snapshot, replicas: int | None, existing: Manifest | None
    ) -> Manifest:
        path, label = template_path(target), self.label(target)
        selector = {}
        made = {
            "apiVersion": target["apiVersion"],
            "kind": target["kind"],
            "metadata": primary_metadata(target, snapshot, self.naming, label),
            "spec": copy.deepcopy(target["spec"]),
        }
        if (_at(target, ("spec", "selector")) or {}).get("matchLabels") is not None:
            labels = (_at(target, path).get("metadata") or {}).get("labels") or {}
            selector = primary_selector(target, label, labels, existing)
            made["spec"]["selector"] = selector
        _put(made, path, primary_template(target, snapshot, label, selector, existing, _at(existing or {}, path)))
        _drop(made, self.replicas_path)
        apply_replicas(program, made, self.replicas_path, replicas, existing)
        return made

    def readiness(self, workload: Manifest, share: float, deadline_ms: int, now_ms: int) -> Readiness:
        """`failed` when a condition has been false for longer than the deadline."""
        if progress.status(workload).get("observedGeneration") is not None:
            stale = progress.unobserved(workload)
            if stale is not None:
                return stale
        wanted = self.replicas(workload)
        for kind in _CONDITIONS if wanted else ():
            found = progress.condition(workload, kind)
            if found is not None and found.get("status") != "True":
                return _unready(found, kind, deadline_ms, now_ms)
        there = _at(workload, self.status_path)
        if there is None and wanted and not any(progress.condition(workload, kind) for kind in _CONDITIONS):
            return Readiness(
                False, f"its controller has not said yet how many pods it has ({_dotted(self.status_path)})"
            )
        if there is not None and there < wanted and not progress.enough(int(there), wanted, share):
            return progress.behind(int(there), wanted, "there")
        return progress.READY

    def replicas(self, workload: Manifest) -> int:
        """One that does not say counts as 1."""
        found = _at(workload, self.replicas_path)
        return 1 if found is None else int(found)

    def scaled(self, target: Manifest, replicas: int) -> Change | None:
        if _at(target, self.replicas_path) == replicas:
            return None
        after = copy.deepcopy(target)
        _put(after, self.replicas_path, replicas)
        return Edit(target, after)


def custom_kind(crd: Manifest, api_version: str, naming: Naming = PLAIN) -> CustomKind:
    """The kind that a CustomResourceDefinition defines, in this version. Raises WorkloadError without a scale
    subresource."""
    kind, version = crd["spec"]["names"]["kind"], api_version.rpartition("/")[2]
    served = next((each for each in crd["spec"].get("versions") or () if each["name"] == version), None)
    if served is None or not served.get("served", True):
        names = ", ".join(f"`{each['name']}`" for each in crd["spec"].get("versions") or () if each.get("served", True))
        raise WorkloadError(f"the cluster does not serve {kind} in version `{version}`, only in {names}")
    scale = (served.get("subresources") or {}).get("scale")
    if scale is None:
        raise WorkloadError(
            f"{kind} has no scale subresource, so a canary of it cannot be scaled to nothing; its definition "
            f"(`{crd['metadata']['name']}`) needs `subresources.scale`"
        )
    return CustomKind(_path(scale["specReplicasPath"]), _path(scale["statusReplicasPath"]), naming)


def template_path(target: Manifest) -> Path:
    """Where the pod template stands: at `spec.template` if it is one, else the one that stands least deep."""
    found = sorted(
        _templates(target.get("spec") or {}, ("spec",)), key=lambda path: (path != ("spec", "template"), len(path))
    )
    if not found:
        raise WorkloadError(
            f"{title(target)} has no pod template: nothing in its spec is a map whose `spec` has `containers`; only "
            "kinds that run pods from a template can be rolled out"
        )
    return found[0]


def _templates(value: Mapping[str, Any], path: Path) -> Iterator[Path]:
    spec = value.get("spec")
    if isinstance(spec, Mapping) and isinstance(spec.get("containers"), list):
        yield path
        return
    for key, each in value.items():
        if isinstance(each, Mapping):
            yield from _templates(each, (*path, key))


def _unready(found: Mapping[str, Any], kind: str, deadline_ms: int, now_ms: int) -> Readiness:
    why = found.get("message") or found.get("reason") or f"its condition `{kind}` is {found.get('status')}"
    since = progress.instant(found.get("lastTransitionTime"))
    failed = found.get("status") == "False" and since is not None and since + deadline_ms <= now_ms
    return Readiness(False, str(why), failed=failed)


def _path(text: str) -> Path:
    """A JSON path of a definition, `.spec.replicas`; Kubernetes allows only names in it."""
    return tuple(part for part in text.split(".") if part)


def _dotted(path: Path) -> str:
    return f"`{'.'.join(path)}`"


def _at(manifest: Mapping[str, Any], path: Path) -> Any:
    found: Any = manifest
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _put(manifest: Manifest, path: Path, value: Any) -> None:
    holder = manifest
    for part in path[:-1]:
        holder = holder.setdefault(part, {})
    holder[path[-1]] = value


def _drop(manifest: Manifest, path: Path) -> None:
    holder = _at(manifest, path[:-1])
    if isinstance(holder, dict):
        holder.pop(path[-1], None)
