"""Does what pure code wants done: one `Change` after another, and nothing that is done already.

An object of ours is applied with labels that say whose it is, an owner (the rollout, if it names none itself), and the
digest of what was applied. If the object in the cache has that digest and every field of ours, nothing is sent. What is
not ours is not touched: an object of somebody else's that has our name is `Occupied`. Two exceptions. Objects that
Flagger made for the same rollout are taken over, whole. And those that the caller calls adoptable (the apex Service, a
route of the name of the rollout) get our fields, but neither an owner nor the label that would let us delete them.

Written against a stale copy, a change is a `Conflict`. The cache has the latest object by then, and the caller computes
again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from interpreter.cluster.api import Api, ApiError, Conflict, NotServed
from interpreter.cluster.caches import Caches
from interpreter.cluster.equality import contains
from interpreter.cluster.names import APPLIED, MANAGED_BY, MANAGER, ROLLOUT
from interpreter.cluster.stripping import DIGESTED, digests_only
from interpreter.cluster.takeover_put import taken_over, to_try
from interpreter.objects import Apply, Change, Delete, Edit, Manifest, Ref, controller_reference, ref_of

_LONGEST_LABEL = 63
_FLAGGER = "flagger"


class Occupied(ApiError):
    """An object that somebody else made has the name that ours should have."""

    def __init__(self, ref: Ref, holder: str) -> None:
        message = f"{ref} exists and is {holder}; rename or delete it, or rename the rollout"
        super().__init__(409, "Occupied", message)
        self.ref = ref


class _Claim(NamedTuple):
    """Whose a live object is: `ours`; `other`, Flagger's or of a rollout of our name that is gone, to be taken over;
    `adopted`, the user's with fields of ours; or of `nobody` that we know, which `holder` describes."""

    whose: str
    holder: str = ""


class Applier:
    """Does changes for one owner: a Rollout or Canary, as manifest with its uid.

    `adoptable` are the (kind, name) of objects that may be the user's.
    """

    def __init__(self, api: Api, caches: Caches, owner: Manifest, adoptable: Iterable[tuple[str, str]] = ()) -> None:
        self._api = api
        self._caches = caches
        self._owner = owner
        self._adoptable = frozenset(adoptable)
        self._label = label_of(owner["metadata"]["name"])

    async def do(self, change: Change, *, force: bool = False) -> bool:
        """Do one. Whether anything was sent that changes the cluster.

        `force` deletes what is not ours too. Raises `Occupied`, `Conflict` (compute again), and every other `ApiError`.
        """
        match change:
            case Apply():
                return await self._apply(change.manifest)
            case Edit():
                return await self._edit(change)
            case Delete():
                return await self._delete(change.ref, force=force)

    async def all(self, changes: Iterable[Change]) -> int:
        """Do them in order. How many changed anything."""
        return sum([await self.do(change) for change in changes])

    async def make(self, manifest: Manifest) -> None:
        """Make an object that does not exist, and own nothing of it by apply: a field that later manifests leave out
        (an autoscaler's replicas) then stays as it is. Raises `Conflict` if it exists after all."""
        self._caches.put(await self._api.create(self._dressed(manifest, adopted=False)))

    def is_done(self, change: Change) -> bool:
        """Whether nothing would be sent for it, as far as the caches know."""
        match change:
            case Apply():
                ref = ref_of(change.manifest)
                live = self._caches.get(ref)
                claim = self._claim(ref, live) if live is not None else None
                if live is None or claim is None or claim.whose not in ("ours", "adopted"):
                    return False
                return self._is_done(self._dressed(change.manifest, adopted=claim.whose == "adopted"), live, ref)
            case Edit():
                return not merge_patch(change.before, change.after)
            case Delete():
                return self._caches.get(change.ref) is None

    async def _apply(self, manifest: Manifest) -> bool:
        ref = ref_of(manifest)
        await self._caches.ensure(ref.api_version, ref.kind, ref.namespace)
        live = self._caches.get(ref)
        if live is None or self._claim(ref, live).whose == "nobody":  # the cache may be behind, or knows too little
            live = await self._api.get(ref)
        if live is None:
            return await self._write(self._dressed(manifest, adopted=False), ref)
        claim = self._claim(ref, live)
        if claim.whose == "nobody":
            raise Occupied(ref, claim.holder)
        ours = self._dressed(manifest, adopted=claim.whose == "adopted")
        if claim.whose == "other":
            return await self._take_over(ours, ref)
        if self._is_done(ours, live, ref):
            return False
        return await self._write(ours, ref, live)

    async def _write(self, ours: Manifest, ref: Ref, live: Manifest | None = None) -> bool:
        if live is not None:  # so that an object that was made anew meanwhile is not taken for this one
            ours = {**ours, "metadata": {**ours["metadata"], "uid": live["metadata"]["uid"]}}
        try:
            done = await self._api.apply(ours)
        except Conflict:
            await self._refresh(ref)
            raise
        if live is not None and done["metadata"]["resourceVersion"] == live["metadata"].get("resourceVersion"):
            self._caches.settled[ref] = _applied(ours), fingerprint(live)
        self._caches.put(done)
        return True

    def _is_done(self, ours: Manifest, live: Manifest, ref: Ref) -> bool:
        """Whether nothing need be sent: all is there, or the last time it changed nothing and nothing has changed."""
        if _applied(live) != _applied(ours):
            return False
        if contains(live, digests_only(ours) if ref.kind in DIGESTED and "digest" in live else ours):
            return True
        return self._caches.settled.get(ref) == (_applied(ours), fingerprint(live))

    async def _take_over(self, ours: Manifest, ref: Ref) -> bool:
        """Write the whole object, once."""
        live = await self._api.get(ref)
        if live is None:
            return await self._write(ours, ref)
        try:
            dry_run = await self._api.apply(to_try(ours), dry_run=True)
            self._caches.put(await self._api.replace(taken_over(ours, live, dry_run)))
        except Conflict:
            await self._refresh(ref)
            raise
        return True

    async def _edit(self, edit: Edit) -> bool:
        difference = merge_patch(edit.before, edit.after)
        if not difference:
            return False
        ref = ref_of(edit.before)
        version = edit.before["metadata"].get("resourceVersion")
        guarded = {**difference, "metadata": {**difference.get("metadata", {}), "resourceVersion": version}}
        try:
            self._caches.put(await self._api.patch(ref, guarded))
        except Conflict:
            await self._refresh(ref)
            raise
        return True

    async def _delete(self, ref: Ref, *, force: bool) -> bool:
        try:
            await self._caches.ensure(ref.api_version, ref.kind, ref.namespace)
        except NotServed:
            return False
        live = self._caches.get(ref)
        if live is None or "deletionTimestamp" in live["metadata"] or not (force or self._is_ours(live)):
            return False
        uid = live["metadata"].get("uid")
        await self._api.delete(ref, uid=uid)
        self._caches.remove(ref, uid)
        return True

    async def _refresh(self, ref: Ref) -> None:
        """Have the latest in the cache, for the caller to compute again from."""
        latest = await self._api.get(ref)
        if latest is None:
            self._caches.remove(ref)
        else:
            self._caches.put(latest)

    def _dressed(self, manifest: Manifest, *, adopted: bool) -> Manifest:
        """The manifest with what says whose it is, and its digest."""
        metadata = dict(manifest["metadata"])
        labels = {**(metadata.get("labels") or {}), ROLLOUT: self._label}
        if not adopted:
            labels[MANAGED_BY] = MANAGER
            owners = metadata.get("ownerReferences") or self._owners(metadata.get("namespace", ""))
            if owners:
                metadata["ownerReferences"] = owners
        dressed = {**manifest, "metadata": {**metadata, "labels": labels}}
        annotations = {**(metadata.get("annotations") or {}), APPLIED: digest_of(dressed)}
        return {**dressed, "metadata": {**dressed["metadata"], "annotations": annotations}}

    def _owners(self, namespace: str) -> list[dict[str, Any]]:
        """An owner must be in the same namespace, or in none."""
        metadata = self._owner["metadata"]
        if not namespace or metadata.get("namespace", namespace) != namespace:
            return []
        return [controller_reference(self._owner)]

    def _claim(self, ref: Ref, live: Manifest) -> _Claim:
        metadata = live["metadata"]
        labels, applied = metadata.get("labels") or {}, _applied(live)
        controller = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), None)
        rollout = labels.get(ROLLOUT)
        if rollout is not None and rollout != self._label:
            return _Claim("nobody", f"part of the rollout `{rollout}`")
        if controller is not None and controller["uid"] == self._owner["metadata"]["uid"]:
            return _Claim("ours" if applied else "other")
        if labels.get(MANAGED_BY) == MANAGER and rollout == self._label:
            return _Claim("ours" if controller is None else "other")
        if controller is not None and self._is_canary_of_ours(controller):
            return _Claim("other")
        if (ref.kind, ref.name) in self._adoptable:
            return _Claim("adopted")
        if any(entry.get("manager") == _FLAGGER for entry in metadata.get("managedFields") or ()):
            return _Claim("other")
        holder = "not one that rollway made"
        return _Claim("nobody", f"owned by {controller['kind']} `{controller['name']}`" if controller else holder)

    def _is_canary_of_ours(self, controller: Mapping[str, Any]) -> bool:
        """Whether it is the Canary that became this Rollout."""
        is_canary = controller["kind"] == "Canary" and controller["apiVersion"].startswith("flagger.app/")
        return is_canary and bool(controller["name"] == self._owner["metadata"]["name"])

    def _is_ours(self, live: Manifest) -> bool:
        labels = live["metadata"].get("labels") or {}
        return labels.get(MANAGED_BY) == MANAGER and labels.get(ROLLOUT) == self._label


def label_of(name: str) -> str:
    """A name as the value of a label, which may have 63 characters: a longer one ends in a digest of the whole."""
    if len(name) <= _LONGEST_LABEL:
        return name
    return f"{name[:54]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def digest_of(manifest: Mapping[str, Any]) -> str:
    """32 hexadecimal digits that are the same for equal JSON."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def fingerprint(live: Manifest) -> str:
    """A digest of an object as far as an apply can change it."""
    metadata = {
        key: value for key, value in live["metadata"].items() if key not in ("resourceVersion", "managedFields")
    }
    return digest_of({**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata})


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that makes `after` of `before`. Lists are written whole."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inner := merge_patch(old, value):
                patch[key] = inner
        elif key not in before or old != value:
            patch[key] = value
    return patch


def _applied(manifest: Manifest) -> str:
    return str((manifest["metadata"].get("annotations") or {}).get(APPLIED, ""))
