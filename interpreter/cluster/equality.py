"""Whether an object in the cluster already has every field of a manifest of ours.

The API server fills in defaults, and writes some values otherwise than they were given: `0.5` of a processor is `500m`.
So ours need only be found in its: objects field by field, lists element by element, named elements of Kubernetes' own
kinds by their name, for others may add containers. What stands for nothing may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from interpreter.objects import Manifest

_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:[eE]([+-]?\d+)|(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E))?")
_SCALE = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{suffix: Decimal(10) ** -power for suffix, power in (("n", 9), ("u", 6), ("m", 3))},
}
_QUANTITIES = frozenset({"limits", "requests", "capacity", "hard"})
"""Fields whose values are all quantities."""
_QUANTITY_FIELDS = frozenset({"sizeLimit", "averageValue", "targetAverageValue", "divisor"})
_OWN_GROUPS = frozenset({"", "apps", "batch", "autoscaling", "policy", "networking.k8s.io"})
_IGNORED = frozenset({"status", "managedFields", "creationTimestamp", "resourceVersion", "uid", "generation"})


def contains(live: Manifest, ours: Manifest) -> bool:
    """Whether every field of `ours`, but for those that only the server writes, is in `live` with an equal value."""
    group = ours["apiVersion"].rpartition("/")[0]
    named = group in _OWN_GROUPS
    top = all(
        _equal(live.get(key), value, key, named=named)
        for key, value in ours.items()
        if key not in _IGNORED | {"metadata"}
    )
    metadata = {key: value for key, value in ours["metadata"].items() if key not in _IGNORED}
    return top and _equal(live["metadata"], metadata, "metadata", named=named)


def quantity(value: object) -> Decimal | None:
    """A Kubernetes quantity as a number: "500m" is 0.5, "1Gi" is 1073741824. None if it is no quantity."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    found = _QUANTITY.fullmatch(str(value))
    if found is None:
        return None
    number, exponent, suffix = found.groups()
    return Decimal(number) * Decimal(10) ** int(exponent or 0) * _SCALE.get(suffix, Decimal(1))


def _equal(live: Any, ours: Any, field: str, *, named: bool, quantities: bool = False) -> bool:
    match ours:
        case Mapping():
            if not ours and live is None:
                return True
            within = field in _QUANTITIES or (field == "target" and named)
            return isinstance(live, Mapping) and all(
                _equal(live.get(key), value, key, named=named, quantities=within) for key, value in ours.items()
            )
        case list():
            return _equal_lists(live or [], ours, field, named=named)
        case None:
            return live is None
        case _ if live is None:
            return not ours
    if quantities or field in _QUANTITY_FIELDS:
        one, other = quantity(live), quantity(ours)
        if one is not None and one == other:
            return True
    return isinstance(live, bool) == isinstance(ours, bool) and bool(live == ours)


def _equal_lists(live: Any, ours: list[Any], field: str, *, named: bool) -> bool:
    if not isinstance(live, list):
        return False
    if named and ours and all(isinstance(one, Mapping) and one.get("name") for one in ours):
        by_name = {one.get("name"): one for one in live if isinstance(one, Mapping)}
        return all(_equal(by_name.get(one["name"]), one, field, named=named) for one in ours)
    return len(live) == len(ours) and all(
        _equal(theirs, one, field, named=named) for theirs, one in zip(live, ours, strict=True)
    )
