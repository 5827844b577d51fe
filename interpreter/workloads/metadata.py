"""Which labels and annotations of the user's go over to a copy of ours, and which objects are ours.

A copy must look like the original to people and dashboards, and must not look like it to the tools that write the
original: GitOps tools would prune it, Helm would claim it, Reloader would restart it. Their keys stay behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from interpreter.cluster import names
from interpreter.objects import Manifest
from interpreter.workloads.kind import SELECTOR_LABELS
from interpreter.workloads.revision import FLAGGER_SCALED_TO_ZERO, SCALED_TO_ZERO

PRIMARY = "-primary"
"""What a copy's name, and its value of the selector label, end in."""

BASELINE = "-baseline"
"""The same of a baseline."""

FLAGGER_ID = "flagger-id"
"""Annotation that Flagger puts on the pods of a primary (peers.md §1.14)."""

_LEFT_BEHIND = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",
        "scaledobject.keda.sh/name",
        "scaledobject.keda.sh/transfer-hpa-ownership",
        FLAGGER_ID,
        names.MANAGED_BY,
    }
)
_LEFT_BEHIND_DOMAINS = (
    "argocd.argoproj.io",
    "autoscaling.keda.sh",
    "fluxcd.io",
    "flagger.app",
    "flagger.kubernetes.io",
    "meta.helm.sh",
    "reloader.stakater.com",
    names.GROUP,
)


class Naming(NamedTuple):
    """How targets are told from primaries, and which labels and annotations of a target its copies get.

    `selector_labels`: the first that a target selects by is rewritten. `prefixes`: keys of object metadata that begin
    with one of them go over (`*`: all); pod labels go over whatever they are, since selectors lean on them.
    `zero` is the node selector of a DaemonSet that is to run nowhere; its value is `true`.
    """

    selector_labels: tuple[str, ...] = SELECTOR_LABELS
    prefixes: tuple[str, ...] = ("*",)
    zero: str = SCALED_TO_ZERO


PLAIN = Naming()
FLAGGERS = Naming(zero=FLAGGER_SCALED_TO_ZERO)
"""For the target of a Canary: should Flagger take it back, it must know the node selector, which it takes for the
user's own otherwise, and gives to the primary."""


def carried(pairs: Mapping[str, str] | None, prefixes: Iterable[str] = ("*",)) -> dict[str, str]:
    """The labels or annotations that a copy gets."""
    wanted = tuple(prefixes)
    every = "*" in wanted
    return {key: value for key, value in (pairs or {}).items() if (every or key.startswith(wanted)) and not _bound(key)}


def metadata(source: Manifest, name: str, naming: Naming) -> dict[str, Any]:
    """The metadata of a copy of `source`: name, namespace, and what is carried of labels and annotations."""
    found = source["metadata"]
    made: dict[str, Any] = {"name": name}
    if "namespace" in found:
        made["namespace"] = found["namespace"]
    for part in ("labels", "annotations"):
        if pairs := carried(found.get(part), naming.prefixes):
            made[part] = pairs
    return made


def is_ours(manifest: Manifest) -> bool:
    """Whether rollway made it, or Flagger did, whose objects are taken over."""
    found = manifest["metadata"]
    if (found.get("labels") or {}).get(names.MANAGED_BY) == names.MANAGER:
        return True
    return any(
        owner.get("apiVersion", "").partition("/")[0] in (names.GROUP, names.FLAGGER_API_VERSION.partition("/")[0])
        for owner in found.get("ownerReferences") or ()
    )


def _bound(key: str) -> bool:
    domain = key.partition("/")[0]
    return key in _LEFT_BEHIND or any(domain == each or domain.endswith(f".{each}") for each in _LEFT_BEHIND_DOMAINS)
