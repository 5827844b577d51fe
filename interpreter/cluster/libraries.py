"""Libraries: whether their text is sound, and which of them bind everybody.

A RolloutLibrary is compiled when it changes, and its status says what is wrong with it, before a policy that imports it
does. A ClusterRolloutLibrary that declares guardrails is read with every policy: it is imported, under a name that no
policy can write, behind the last line of each text, so that places in the text stay what they are.
"""

from __future__ import annotations

import re

import structlog

from dsl.source import Source
from interpreter.cluster import names
from interpreter.cluster.applier import merge_patch
from interpreter.cluster.caches import Caches
from interpreter.cluster.chores import Chore
from interpreter.cluster.errors import ApiError
from interpreter.cluster.parts import Parts
from interpreter.cluster.policy import CLUSTER_LIBRARY, LIBRARY, compiled, sentences
from interpreter.cluster.status import library_status
from interpreter.objects import Manifest, Ref, ref_of

log = structlog.get_logger(__name__)

_GUARDRAIL = re.compile(r"^[ \t]*guardrail[ \t]", re.MULTILINE)


class Libraries(Chore):
    """Keeps the statuses of libraries."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts, [(names.API_VERSION, kind) for kind in (LIBRARY, CLUSTER_LIBRARY)])

    async def begin(self) -> None:
        """Those of the whole cluster are left out where we may not see them, as in one namespace with its Role."""
        if not await _may_list(self.parts, CLUSTER_LIBRARY):
            self.leave_out(names.API_VERSION, CLUSTER_LIBRARY)
            log.warning("what binds the whole cluster cannot be read: its guardrails hold for nothing here")
        await super().begin()

    def cares(self, old: Manifest | None, new: Manifest | None) -> bool:
        return new is not None and (old is None or old["spec"] != new["spec"])

    async def see_to(self, ref: Ref) -> None:
        library = self.parts.caches.get(ref)
        if library is None:
            return
        source = Source(f"library/{ref.name}", library["spec"]["source"])
        compilation, _ = await compiled(source, ref.namespace, self.parts.api.get)
        before = library.get("status") or {}
        status = library_status(
            sentences(compilation.diagnostics),
            previous=before,
            generation=int(library["metadata"].get("generation", 0)),
            now_ms=self.parts.clock.now(),
        )
        patch = merge_patch(before, status)
        if patch:
            self.parts.caches.put(await self.parts.api.patch(ref, {"status": patch}, subresource="status"))


async def _may_list(parts: Parts, kind: str) -> bool:
    """Asked of the API server, for to try would leave a refusal in its audit log at each start."""
    resource = await parts.api.discovery.resource(names.API_VERSION, kind)
    attributes = {"group": names.GROUP, "resource": resource.plural, "verb": "list"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer = await parts.api.raw("POST", path, body=review)
    return bool((answer.get("status") or {}).get("allowed"))


def declares_guardrails(text: str) -> bool:
    """Whether a library's text has any."""
    return _GUARDRAIL.search(text) is not None


def guardrails(caches: Caches) -> tuple[Ref, ...]:
    """The ClusterRolloutLibraries that declare guardrails, by name; none where they may not be read."""
    try:
        found = caches.select(names.API_VERSION, CLUSTER_LIBRARY)
    except (LookupError, ApiError):
        return ()
    return tuple(sorted(ref_of(library) for library in found if declares_guardrails(library["spec"]["source"])))
