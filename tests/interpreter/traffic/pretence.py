"""A cluster as far as changes to objects go, without one: server-side apply with one manager, edits and deletions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from interpreter.objects import Apply, Change, Delete, Edit, Manifest, Ref, ref_of


class Pretence:
    """Objects, and what was applied to them."""

    def __init__(self, given: Iterable[Manifest]) -> None:
        self.objects: dict[Ref, Manifest] = {ref_of(each): deepcopy(each) for each in given}
        self._applied: dict[Ref, Manifest] = {}

    def do(self, changes: Iterable[Change]) -> None:
        """Raises AssertionError for an edit of what is not there any more."""
        for change in changes:
            match change:
                case Apply():
                    self._apply(deepcopy(change.manifest))
                case Edit():
                    assert self.objects[ref_of(change.before)] == change.before, "written against a stale copy"
                    self.objects[ref_of(change.after)] = deepcopy(change.after)
                case Delete():
                    self.objects.pop(change.ref, None)
                    self._applied.pop(change.ref, None)

    def _apply(self, manifest: Manifest) -> None:
        ref = ref_of(manifest)
        kept = _without(self.objects.get(ref, {}), self._applied.get(ref, {}), manifest)
        self.objects[ref] = _merged(kept, manifest)
        self._applied[ref] = manifest


def _without(live: Mapping[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What is left when the fields go that were applied before and are not any more."""
    kept: dict[str, Any] = {}
    for key, value in live.items():
        if isinstance(value, Mapping) and isinstance(before.get(key), Mapping):
            inner = _without(value, before[key], now.get(key) or {})
            if inner or key in now:
                kept[key] = inner
        elif key not in before or key in now:
            kept[key] = value
    return kept


def _merged(live: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Maps field by field; lists as one, which is what they are in the definitions of data planes."""
    made = dict(live)
    for key, value in now.items():
        both = isinstance(value, Mapping) and isinstance(made.get(key), Mapping)
        made[key] = _merged(made[key], value) if both else value
    return made
