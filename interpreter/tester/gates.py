"""Gates: one to let a rollout go on (`/gate`), one to make it roll back (`/rollback`), each open or closed.

A gate is closed until somebody opens it, and stays open until somebody closes it. It says who did that and when. What
is asked is always the store, never a copy, so that replicas agree and a restart forgets nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from interpreter.tester.payload import Payload
from interpreter.tester.store import Store, StoreError

MOST_GATES = 2000
"""So many fit into a ConfigMap."""


class Kind(StrEnum):
    """What opens: the way on, or the way back."""

    GATE = "gate"
    ROLLBACK = "rollback"


class Gate(NamedTuple):
    """`at` is a moment in ISO 8601, UTC; it and `by` are empty for a gate that nobody has touched."""

    open: bool = False
    by: str = ""
    at: str = ""

    def words(self) -> str:
        """For people."""
        if not self.by:
            return "closed: nobody has opened it yet"
        return f"{'opened' if self.open else 'closed'} by {self.by} at {self.at}"


class Gates:
    """All gates. Each raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def check(self, kind: Kind, payload: Payload) -> Gate:
        """How it stands."""
        return _read((await self._store.read()).get(key(kind, payload)))

    async def set(self, kind: Kind, payload: Payload, *, to_open: bool, by: str, at: str) -> None:
        """Open or close it."""
        name, there = key(kind, payload), await self._store.read()
        if name not in there and len(there) >= MOST_GATES:
            raise StoreError(
                f"there are {MOST_GATES} gates, and no room for another: remove those of rollouts that are gone"
            )
        value = json.dumps({"open": to_open, "by": by, "at": at}, ensure_ascii=False)
        await self._store.put(name, value)

    async def all(self) -> Mapping[str, Gate]:
        """Those that somebody has touched, by key."""
        return {name: _read(value) for name, value in sorted((await self._store.read()).items())}


def key(kind: Kind, payload: Payload) -> str:
    """`KIND_NAME.NAMESPACE`. No name has an underscore and no namespace a dot, so no two gates have the same."""
    return f"{kind.value}_{payload.name}.{payload.namespace}"


def _read(value: str | None) -> Gate:
    """A record that somebody has spoilt is a closed gate."""
    try:
        data = json.loads(value or "{}")
        return Gate(data.get("open") is True, str(data.get("by") or ""), str(data.get("at") or ""))
    except (ValueError, AttributeError):
        return Gate()
