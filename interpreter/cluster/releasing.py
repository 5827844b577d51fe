"""Letting go of what was made for a rollout that is deleted, so that no request is lost.

With `on delete revert` the target is back at its replicas and ready by now (the machine saw to it). The apex Service
leads to it again, the routes are put back as they were, and what is ours goes with the owner: the garbage collector
removes what has an owner reference to it.

Without it everything goes on serving as it is, without us: the owner references are taken off first, so that nothing is
collected. A target at zero replicas never loses the primary that stands in its place.
"""

from __future__ import annotations

from interpreter.cluster import names
from interpreter.cluster.applier import Applier, label_of
from interpreter.cluster.owner import Owner
from interpreter.cluster.parts import Parts
from interpreter.cluster.subject import Subject
from interpreter.objects import Manifest, Ref, ref_of
from interpreter.workloads.services import release_services

_MADE = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "StatefulSet"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
)
"""What is made for a rollout on every data plane."""


class Releasing:
    """The end of one owner's rollout."""

    def __init__(
        self, subject: Subject, owner: Owner, applier: Applier, parts: Parts, formers: tuple[Subject, ...] = ()
    ) -> None:
        """`formers` are those whose routes may still be there (`interpreter.cluster.moving`)."""
        self._subject = subject
        self._formers = formers
        self._owner = owner
        self._applier = applier
        self._parts = parts

    async def release(self) -> None:
        """Put back, or leave in working order. May be repeated."""
        if self._subject.program.revert_on_delete and self._subject.target is not None:
            await self._put_back()
        else:
            await self._orphan(self._subject.refs())
            for former in self._formers:
                await self._orphan(former.provider.refs(former.site("")))
            self._say("Orphaned", "what was made for this rollout goes on serving, and is managed no more")

    async def _put_back(self) -> None:
        subject, target = self._subject, self._subject.target
        if target is None:
            return
        label, value = subject.kind.label(target)
        existing = subject.objects(subject.service_refs)
        for change in release_services(subject.program, label, value, target, existing):
            await self._applier.do(change)
        await self._orphan((subject.apex_ref,))
        for routed in (*self._formers, subject):
            site = routed.site("")
            for change in routed.provider.release(site, routed.objects(routed.provider.refs(site))):
                await self._applier.do(change)
        self._say("Released", "the target has its replicas, its Service and its routes back")

    async def _orphan(self, refs: tuple[Ref, ...]) -> None:
        for manifest in self._subject.objects(refs).values():
            await _outlive(self._owner, manifest, self._parts)

    def _say(self, reason: str, message: str) -> None:
        self._parts.recorder.record(self._owner.manifest, reason, message)


async def release_unread(owner: Owner, parts: Parts) -> None:
    """The same for a rollout whose policy cannot be read any more, nor that of its last run: what is labelled as its
    own goes on serving. Its routes are not known, and go; the Services that they led to stay."""
    for api_version, kind in _MADE:
        await parts.caches.ensure(api_version, kind, owner.namespace)
        for manifest in parts.caches.select(api_version, kind, owner.namespace, {names.ROLLOUT: label_of(owner.name)}):
            await _outlive(owner, manifest, parts)
    said = "its policy cannot be read: what was made for it goes on serving, and is managed no more"
    parts.recorder.record(owner.manifest, "Orphaned", said, type="Warning")


async def _outlive(owner: Owner, manifest: Manifest, parts: Parts) -> None:
    """Take our owner's reference off, so that the object is not collected with it."""
    references = manifest["metadata"].get("ownerReferences") or []
    kept = [one for one in references if one.get("uid") != owner.uid]
    if kept != references:
        patch = {"metadata": {"ownerReferences": kept}}
        parts.caches.put(await parts.api.patch(ref_of(manifest), patch))
