"""A share of the traffic as numbers of pods: how many of the primary and of the canary stand for a weight.

A Service deals its requests evenly to the pods that are ready, so the canary's share is its part of the pods. Of all
pods, or of one more, those numbers are taken that come nearest to the weight; of two that are as near, the one with the
smaller share, and then with fewer pods. Each side has one pod at least. So there are never fewer pods than the target's
own number, and a weight that is finer than the pods are is rounded, up too: 5% of three pods is one of four. (Argo
Rollouts chooses the same way without traffic routing, https://argo-rollouts.readthedocs.io, "basic canary".)

At 0% and at 100% the Service selects one side alone, and the primary is whole: it is ready to take everything back.

The total is what the primary is asked to run, while it is whole. Before its number is changed the total is noted on it,
in the same write, and the note goes with the write that makes it whole again.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from interpreter.cluster.names import GROUP
from interpreter.objects import Change, Edit, Manifest

TOTAL = f"{GROUP}/total"
"""Annotation on a primary that has fewer pods than it should, or more: how many it should have."""

KINDS = ("Deployment", "StatefulSet")
"""Whose pods can be counted: their wanted number is `spec.replicas`, those that are ready `status.readyReplicas`."""

_NEAR = 1e-9


class Counts(NamedTuple):
    """Pods of either side."""

    primary: int
    canary: int

    @property
    def share(self) -> float:
        """The canary's part of them in percent, to a hundredth; 0 where there are none."""
        both = self.primary + self.canary
        return round(100 * self.canary / both, 2) if both else 0.0


def counts(total: int, weight: float, *, whole: bool = False) -> Counts:
    """How many pods either side is to have. `whole` is whether the primary keeps all of its own meanwhile, as while it
    is promoted."""
    if weight <= 0:
        return Counts(total, 0)
    if weight >= 100:
        return Counts(total, total)
    nearest = min(_possible(total, weight), key=lambda one: _distance(one, weight))
    return Counts(total, nearest.canary) if whole else nearest


def said(total: int, weight: float) -> str:
    """What a weight comes to, where the pods are too few for it by more than a percent; else empty."""
    made = counts(total, weight)
    if not 0 < weight < 100 or abs(made.share - weight) <= 1:
        return ""
    both = sum(made)
    more = f"with {finest(weight)} replicas it would be what it says"
    return f"{weight:g}% comes to {made.share:g}%: {made.canary} of {both} pods; {more}"


def finest(weight: float) -> int:
    """The fewest pods of which a weight, to a hundredth of a percent, is a whole number."""
    parts = round(weight * 100)
    return 10_000 // math.gcd(10_000, parts)


def total(primary: Mapping[str, Any]) -> int:
    """How many pods a primary has while it is whole; at least 1."""
    noted = (primary["metadata"].get("annotations") or {}).get(TOTAL, "")
    return max(1, int(noted) if noted.isdecimal() else asked(primary))


def asked(workload: Mapping[str, Any]) -> int:
    """How many pods a workload is asked to run."""
    wanted = (workload.get("spec") or {}).get("replicas")
    return 1 if wanted is None else int(wanted)


def ready(workload: Mapping[str, Any]) -> int:
    """How many of its pods are ready, and so behind a Service."""
    return int((workload.get("status") or {}).get("readyReplicas") or 0)


def next_primary(wanted: int, primary: Mapping[str, Any], serving: int) -> int:
    """How many pods the primary may be asked for now: more at once, fewer only as far as canaries that serve stand in
    for them. `serving` is how many do."""
    has, all_of_it = asked(primary), total(primary)
    return wanted if wanted >= has else min(has, max(wanted, all_of_it - serving))


def sized(primary: Manifest, number: int) -> Change | None:
    """The primary with so many pods, its total noted where that is another number; None if it is so."""
    whole = total(primary)
    after = copy.deepcopy(primary)
    annotations = {key: value for key, value in (after["metadata"].get("annotations") or {}).items() if key != TOTAL}
    if number != whole:
        annotations[TOTAL] = str(whole)
    if annotations or "annotations" in after["metadata"]:
        after["metadata"]["annotations"] = annotations
    after["spec"]["replicas"] = number
    return None if after == primary else Edit(primary, after)


def _possible(total: int, weight: float) -> list[Counts]:
    found = []
    for both in (max(2, total), total + 1):
        exact = both * weight / 100
        for canaries in (math.floor(exact + _NEAR), math.ceil(exact - _NEAR)):
            kept = min(max(1, canaries), both - 1)
            found.append(Counts(both - kept, kept))
    return found


def _distance(one: Counts, weight: float) -> tuple[float, float, int]:
    share = 100 * one.canary / sum(one)
    return round(abs(share - weight), 6), share, sum(one)
