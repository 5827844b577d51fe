"""What the API shows of rollouts: the same data as `rollway status -o json` and `rollway history -o json`.

A list of everything is kept for a moment, so that a hundred scripts cost the cluster what one does.
"""

from __future__ import annotations

import asyncio
from typing import Any

from interpreter.cluster.api import Api
from interpreter.cluster.errors import NotServed
from interpreter.objects import Ref
from interpreter.web.people import Kept
from rollway.cluster import data
from rollway.cluster.finding import Found, everything, with_runs

FRESH_S = 2.0
MOST_KEPT = 100


class ClusterViews:
    """See `interpreter.web.rest.Views`. `namespace` confines it to one."""

    def __init__(self, namespace: str | None = None) -> None:
        self._namespace = namespace
        self._kept: Kept[str | None, list[dict[str, Any]]] = Kept(FRESH_S, MOST_KEPT)
        self._lock = asyncio.Lock()

    async def listed(self, api: Api, namespace: str | None) -> list[dict[str, Any]]:
        """All rollouts, of one namespace or of all that are looked after. Raises `ApiError`."""
        if self._namespace is not None and namespace not in (None, self._namespace):
            return []
        wanted = namespace or self._namespace
        async with self._lock:
            found = self._kept.get(wanted)
            if found is None:
                try:
                    rows = [data.brief(one) for one in (await everything(api, wanted)).shown]
                except NotServed:
                    rows = []
                found = self._kept.put(wanted, rows)
        return found[0]

    async def one(self, api: Api, owner: Ref) -> dict[str, Any] | None:
        """One rollout; None if there is none. Raises `ApiError`."""
        found = await self._found(api, owner)
        return None if found is None else data.whole(found.shown, found.program)

    async def runs(self, api: Api, owner: Ref) -> list[dict[str, Any]] | None:
        """Its runs, newest first; None if there is no such rollout. Raises `ApiError`."""
        found = await self._found(api, owner)
        return None if found is None else [data.record(run) for run in found.runs]

    async def _found(self, api: Api, owner: Ref) -> Found | None:
        if self._namespace is not None and owner.namespace != self._namespace:
            return None
        try:
            manifest = await api.get(owner)
        except NotServed:
            return None
        return None if manifest is None else await with_runs(api, manifest)
