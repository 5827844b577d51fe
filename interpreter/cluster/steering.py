"""What people ask for by annotation: `rollway.dev/approve`, `abort`, `promote`, `retry`, `pause`, `resume`.

The value is the revision that it speaks of, or JSON that says more (`names.VERBS`). A signal stands until it has been
acted on and the state that says so is written; only then is the annotation taken off, so that a crash in between loses
nothing and does nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, cast

from interpreter.cluster import names
from interpreter.cluster.owner import Owner
from interpreter.objects import Manifest
from interpreter.signals import identity
from interpreter.state import Signal, State

_LONGEST = 500
_WAYS = frozenset({"cli", "page", "api", "link"})
_Verb = Literal["approve", "abort", "promote", "retry", "pause", "resume"]


def signals(owner: Owner) -> tuple[Signal, ...]:
    """The signals that stand on an object; those that cannot be read are left out (`unreadable` names them)."""
    return tuple(signal for _, signal in _read(owner) if signal is not None)


def unreadable(owner: Owner) -> tuple[str, ...]:
    """The annotations that ask for something in a way that cannot be understood."""
    return tuple(key for key, signal in _read(owner) if signal is None)


def spent(owner: Owner, state: State) -> Manifest | None:
    """A merge patch that takes off the annotations that have been acted on; None if there are none. It holds only for
    the object as it was read: what somebody asks for meanwhile under the same name stays."""
    seen = set(state.signals_seen)
    gone = [key for key, signal in _read(owner) if signal is None or identity(signal) in seen]
    if not gone:
        return None
    version = owner.manifest["metadata"]["resourceVersion"]
    return {"metadata": {"resourceVersion": version, "annotations": dict.fromkeys(gone)}}


def _read(owner: Owner) -> Iterator[tuple[str, Signal | None]]:
    annotations = owner.annotations
    for verb in names.VERBS:
        key = names.verb_annotation(verb)
        if key in annotations:
            yield key, _signal(verb, annotations[key])


def _signal(verb: str, value: str) -> Signal | None:
    said = _said(value.strip())
    revision = said.get("revision")
    step = said.get("step")
    if not isinstance(revision, str) or not revision or not (step is None or isinstance(step, int)):
        return None
    who, reason, via = (str(said.get(word) or "")[:_LONGEST] for word in ("by", "reason", "via"))
    given = said.get("id")
    own = given if isinstance(given, str) and given else value.strip()
    name = f"{verb}:{own}"[:_LONGEST]
    return Signal(cast(_Verb, verb), revision, who, reason, step, id=name, via=via if via in _WAYS else "")


def _said(value: str) -> dict[str, Any]:
    if not value.startswith("{"):
        return {"revision": value}
    try:
        said = json.loads(value)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
