"""The objects of one kind as we know them, from two sources: what a watch tells, and what our own writes answered.

The two arrive in any order. An object never goes back to an older version: resourceVersions are compared as the
numbers that they are, across objects too, for one counter numbers all writes. So the answer to a write that the watch
is already past is dropped (the object may be deleted by now), and so is an event that is older than our own write. A
new list is the truth, even if its numbers are lower (a restored backup), but for what we wrote while it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from interpreter.objects import Manifest, Ref, ref_of

OnChange = Callable[[Ref, Manifest | None, Manifest | None], None]
"""(ref, old, new): None for an object that was or is not there."""


class Store:
    """Objects by namespace and name. `on_change` is called for every change but that of the bare resourceVersion."""

    def __init__(self, on_change: OnChange) -> None:
        self._on_change = on_change
        self._objects: dict[str, dict[str, Manifest]] = {}
        self._written: dict[Ref, str] = {}
        self._removed: dict[Ref, Manifest] = {}
        self.resource_version = ""
        """How far list and watch have come."""

    def __len__(self) -> int:
        return sum(len(names) for names in self._objects.values())

    def get(self, namespace: str, name: str) -> Manifest | None:
        """An object, or None."""
        return self._objects.get(namespace, {}).get(name)

    def select(self, namespace: str | None, labels: Mapping[str, str]) -> Iterator[Manifest]:
        """The objects of a namespace (None: of all) that have all of these labels."""
        spaces = self._objects.values() if namespace is None else (self._objects.get(namespace, {}),)
        for names in spaces:
            for manifest in names.values():
                has = manifest["metadata"].get("labels") or {}
                if all(has.get(label) == value for label, value in labels.items()):
                    yield manifest

    def put(self, manifest: Manifest) -> None:
        """The answer to a write of ours."""
        ref, version = ref_of(manifest), version_of(manifest)
        if older(version, self.resource_version) or version == self.resource_version:
            return
        self._removed.pop(ref, None)
        self._written[ref] = version
        self._set(ref, manifest)

    def remove(self, ref: Ref, uid: str | None = None) -> None:
        """We deleted it; with `uid`, that one, and none that was made since. If a finalizer keeps it, the watch brings
        it back."""
        old = self.get(ref.namespace, ref.name)
        if old is not None and uid in (None, old["metadata"].get("uid")):
            self._removed[ref] = old
            self._drop(ref, old)

    def begin_list(self) -> None:
        """A list is asked for: it will hold all that was written until now."""
        self._written.clear()
        self._removed.clear()

    def finish_list(self, listed: Mapping[Ref, Manifest], resource_version: str) -> None:
        """The list has been read: it is the truth as of `resource_version`."""
        self.resource_version = resource_version
        known = {ref_of(manifest): manifest for names in self._objects.values() for manifest in names.values()}
        for ref, manifest in known.items():
            if ref not in listed and not self._is_news(ref):
                self._drop(ref, manifest)
        for ref, manifest in listed.items():
            if not self._is_news(ref) and not self._is_ghost(ref, manifest):
                self._set(ref, manifest, even_older=True)
        self._written.clear()

    def event(self, kind: str, manifest: Manifest, kept: Manifest | None) -> None:
        """`ADDED`, `MODIFIED` or `DELETED`, as the watch told it; `kept` is what is to be stored of it."""
        ref, version = ref_of(manifest), version_of(manifest)
        self.resource_version = version or self.resource_version
        old = self.get(ref.namespace, ref.name)
        known = old or self._removed.get(ref)
        if known is not None and older(version, version_of(known)):
            return
        if kind == "DELETED" or kept is None:
            self._removed.pop(ref, None)
            if old is not None:
                self._drop(ref, old)
        elif self._is_ghost(ref, manifest):
            return
        else:
            self._removed.pop(ref, None)
            self._set(ref, kept)

    def clear(self) -> None:
        """The kind is served no more: nothing of it exists."""
        self.finish_list({}, "")

    def _is_news(self, ref: Ref) -> bool:
        """Whether we wrote it while the list was read, and the list does not have it yet."""
        return ref in self._written and older(self.resource_version, self._written[ref])

    def _is_ghost(self, ref: Ref, manifest: Manifest) -> bool:
        """Whether this is from before we deleted it."""
        metadata, removed = manifest["metadata"], self._removed.get(ref)
        same_one = removed is not None and removed["metadata"].get("uid") == metadata.get("uid")
        return same_one and "deletionTimestamp" not in metadata

    def _set(self, ref: Ref, manifest: Manifest, *, even_older: bool = False) -> None:
        old = self.get(ref.namespace, ref.name)
        if old is not None and not even_older and older(version_of(manifest), version_of(old)):
            return
        self._objects.setdefault(ref.namespace, {})[ref.name] = manifest
        if old is None or not same(old, manifest):
            self._on_change(ref, old, manifest)

    def _drop(self, ref: Ref, old: Manifest) -> None:
        names = self._objects[ref.namespace]
        del names[ref.name]
        if not names:
            del self._objects[ref.namespace]
        self._written.pop(ref, None)
        self._on_change(ref, old, None)


def version_of(manifest: Mapping[str, Any]) -> str:
    """Its resourceVersion."""
    return str(manifest["metadata"].get("resourceVersion", ""))


def older(one: str, other: str) -> bool:
    """Whether one resourceVersion is before another; False where they cannot be compared."""
    return one.isdecimal() and other.isdecimal() and int(one) < int(other)


def same(one: Manifest, other: Manifest) -> bool:
    """Whether two versions differ in their resourceVersion at most."""
    return _without_version(one) == _without_version(other)


def _without_version(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "resourceVersion"}
    return {**manifest, "metadata": metadata}
