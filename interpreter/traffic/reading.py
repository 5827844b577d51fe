"""Reading back a routing: what all providers share.

Weights and mirrors can be read off the rules of a data plane. Matches and stickiness cannot always be: a cookie test
may have become a regular expression. So `render` notes the routing on the object that carries the rules, in the
annotation `NOTE`, and `read` believes the note only if rendering the noted routing again gives what the object really
has. A note that no longer fits (somebody edited the rules, or a new run has a new sticky cookie) is passed over, and
the provider reads what it can off the rules: the machine then sees a routing that differs from what it wants, and puts
it right.

An object of the user's can carry the rules of several rollouts, so the note is a map by apex Service.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from interpreter.desired import Routing
from interpreter.objects import Manifest
from interpreter.state_json import routing_from_data, routing_to_data
from interpreter.traffic.provider import Site, TrafficError

NOTE = "rollway.dev/routing"
"""Annotation: JSON, the routing that was rendered, by apex Service."""


def note(manifest: Manifest, apex: str, routing: Routing) -> None:
    """Write the routing of this apex Service on the object."""
    notes = annotated(manifest, NOTE)
    notes[apex] = routing_to_data(routing)
    annotate(manifest, NOTE, notes)


def noted(manifest: Mapping[str, Any], apex: str) -> Routing | None:
    """The routing that was noted for this apex Service, None if there is none that can be read."""
    data = annotated(manifest, NOTE).get(apex)
    if data is None:
        return None
    try:
        return routing_from_data(data)
    except ValidationError:
        return None


def unnote(manifest: Manifest, apex: str) -> None:
    """Take off what `note` wrote."""
    notes = annotated(manifest, NOTE)
    notes.pop(apex, None)
    annotate(manifest, NOTE, notes)


def trusted(manifest: Mapping[str, Any], site: Site, fits: Callable[[Site, Routing], bool]) -> Routing | None:
    """The noted routing, if `fits` says that rendering it gives what the object has, with a part for the baseline or
    without. A routing that cannot be rendered (`TrafficError`) does not fit."""
    routing = noted(manifest, site.apex)
    if routing is None:
        return None
    try:
        return routing if any(fits(each, routing) for each in site.either) else None
    except TrafficError:
        return None


def annotated(manifest: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The JSON map in an annotation; empty if it is not there or is not one."""
    text = (manifest.get("metadata", {}).get("annotations") or {}).get(key)
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def annotate(manifest: Manifest, key: str, value: Mapping[str, Any]) -> None:
    """Write a JSON map into an annotation; an empty one takes it off, and with it a map of annotations that is left
    with nothing."""
    metadata = manifest["metadata"]
    annotations = dict(metadata.get("annotations") or {})
    if value:
        annotations[key] = canonical(value)
    else:
        annotations.pop(key, None)
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)


def canonical(value: Any) -> str:
    """JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def copied(manifest: Mapping[str, Any]) -> Manifest:
    """A copy to work on."""
    return deepcopy(dict(manifest))


def whole_parts(percent: float, parts: int) -> int:
    """A share as whole parts of `parts`, rounded down: never more for the canary than was asked for. What a binary
    fraction lacks (12.5 % of 1000 is 125) is made up for."""
    return min(parts, math.floor(percent / 100 * parts + 1e-6))


def scaled_parts(*percents: float, scales: tuple[int, ...] = (100, 1_000, 10_000)) -> tuple[int, ...]:
    """The total that these shares need to be whole numbers, and the numbers: hundreds as a rule, thousands or ten
    thousands for a fraction. Finer than a hundredth of a percent is rounded down."""
    for total in scales:
        parts = tuple(whole_parts(percent, total) for percent in percents)
        if all(abs(part - percent / 100 * total) < 1e-6 for part, percent in zip(parts, percents, strict=True)):
            return total, *parts
    return scales[-1], *(whole_parts(percent, scales[-1]) for percent in percents)


def share(part: float, total: float) -> float:
    """A part of a total in percent, to a hundredth; 0 of nothing is 0."""
    return round(100 * part / total, 2) if total > 0 else 0.0


def covers(wanted: Any, live: Any) -> bool:
    """Whether everything that is wanted stands in what is there: maps may hold more (an API server fills in defaults),
    lists have the same length and order."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            key in live and covers(item, live[key]) for key, item in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(live, list | tuple)
            and len(wanted) == len(live)
            and all(covers(one, other) for one, other in zip(wanted, live, strict=True))
        )
    return bool(wanted == live)
