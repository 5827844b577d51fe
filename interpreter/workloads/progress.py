"""Words and sums that the readiness of all kinds has in common.

Every controller says in `status.observedGeneration` which generation of the spec its status speaks of. A status of an
earlier generation says nothing about the present one. Source of the rules: peers.md §1.11, Kubernetes' API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from interpreter.objects import Manifest
from interpreter.questions import Readiness

READY = Readiness(True)


def unobserved(workload: Manifest) -> Readiness | None:
    """Not ready, if the controller has not seen the latest spec yet."""
    generation = int(workload["metadata"].get("generation") or 0)
    if int(status(workload).get("observedGeneration") or 0) < generation:
        return Readiness(False, "its controller has not seen the latest change yet")
    return None


def status(workload: Manifest) -> dict[str, Any]:
    """The status, empty if there is none yet."""
    return workload.get("status") or {}


def count(workload: Manifest, field: str) -> int:
    """A number of the status; one that is not there is 0."""
    return int(status(workload).get(field) or 0)


def condition(workload: Manifest, kind: str) -> Mapping[str, Any] | None:
    """The status condition of this type."""
    return next((each for each in status(workload).get("conditions") or () if each.get("type") == kind), None)


def enough(available: int, wanted: int, share: float) -> bool:
    """Whether `share` percent of the wanted pods are available."""
    return available * 100 >= wanted * share


def behind(done: int, wanted: int, what: str) -> Readiness:
    """Not ready: only so many of them are."""
    return Readiness(False, f"{done} of {wanted} pods are {what}")


def instant(text: str | None) -> int | None:
    """Milliseconds since the epoch of a timestamp of the API (RFC 3339); None if there is none."""
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000) if text else None
    except ValueError:
        return None
