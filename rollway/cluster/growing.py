"""The tree of a rollout as it is from moment to moment, by watches beside those of the rollout itself.

What stands under a workload is known by the workload's labels, so that the watches come one after another: first the
workloads by their names, then, once the target is there, its ReplicaSets and pods by label. A baseline's pods, or a
primary's, are watched before there are any: their labels are known from the target's. What one may not watch is left
out, and said.
"""

from __future__ import annotations

from rollway.cluster.finding import Found
from rollway.cluster.following import Following, Wanted
from rollway.cluster.tree import PODS, SETS, Roots, Tree, grown, kinds_below, roots_of, selectors


class Growing:
    """The tree of one rollout, within a `Following` that is at work."""

    def __init__(self, following: Following) -> None:
        self._following = following

    async def tree(self, found: Found) -> Tree:
        """The tree as it is now. What it is found to need besides is followed from then on."""
        roots = roots_of(found)
        if roots is None:
            return Tree()
        namespace = found.ref.namespace
        for ref in roots.refs.values():
            await self._following.also(Wanted(ref[:2], namespace, fields=f"metadata.name={ref.name}"))
        workloads = self._workloads(roots)
        for selector in selectors(roots, workloads):
            for kind in kinds_below(workloads):
                await self._following.also(Wanted(kind, namespace, selector))
        below = [one for one in self._following.objects() if (one["apiVersion"], one["kind"]) in (PODS, SETS)]
        notes = [why for wanted, why in self._following.refused.items() if wanted.kind != SETS]
        return grown(roots, found, [*workloads, *below], notes)

    def _workloads(self, roots: Roots) -> list[dict[str, object]]:
        wanted = {(ref.kind, ref.name) for ref in roots.refs.values()}
        return [one for one in self._following.objects() if (one["kind"], one["metadata"]["name"]) in wanted]
