"""Histories out of a cluster: of one run, of all of a rollout, of all rollouts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from interpreter.cluster.api import Api, ApiError
from interpreter.objects import Manifest
from rollway.cluster.finding import ROLLOUTS, Found, find, known, with_runs
from rollway.cluster.reading import mapping, text
from rollway.cluster.shown import RunShown
from rollway.cluster.tree import roots_of
from rollway.histories import History, history
from rollway.terminal import Stop

AT_ONCE = 8
"""So many rollouts are read at a time."""


async def one(api: Api, namespace: str, spoken: str, number: int | None = None) -> History:
    """The history of one run, the latest if no number is given. Raises `Stop` if there is none."""
    found = await find(api, namespace, spoken)
    run = chosen(found, number)
    return _history(found, run, await _target(api, found) if run is found.runs[0] else None)


def chosen(found: Found, number: int | None) -> RunShown:
    """A run of a rollout. Raises `Stop` for one that is not kept."""
    run = next((run for run in found.runs if number is None or run.number == number), None)
    if run is not None:
        return run
    where = f"`{found.shown.spoken}` in `{found.shown.namespace}`"
    if number is None:
        raise Stop(f"{where} has no runs yet")
    kept = ", ".join(str(run.number) for run in found.runs) or "none"
    raise Stop(f"there is no run {number} of {where}; kept are {kept}")


async def every(api: Api, found: Found) -> list[History]:
    """The histories of all runs of a rollout that are kept, newest first."""
    target = await _target(api, found) if found.runs else None
    return [_history(found, run, target if place == 0 else None) for place, run in enumerate(found.runs)]


async def of_all(api: Api, namespace: str | None) -> AsyncIterator[History]:
    """The histories of all rollouts of a namespace, or of all, by their names; a few rollouts at a time."""
    manifests: list[Manifest] = []
    for kind in await known(api):
        manifests += await api.list(kind, namespace)
    manifests.sort(key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"], one["kind"]))
    for begin in range(0, len(manifests), AT_ONCE):
        some = [_all_of(api, manifest) for manifest in manifests[begin : begin + AT_ONCE]]
        for histories in await asyncio.gather(*some):
            for each in histories:
                yield each


async def _all_of(api: Api, manifest: Manifest) -> list[History]:
    return await every(api, await with_runs(api, manifest))


def _history(found: Found, run: RunShown, target: Manifest | None) -> History:
    ref = found.ref
    return history(ref.kind, ref.namespace, ref.name, run, target=target, policy=_policy(found))


def _policy(found: Found) -> str:
    """The text of a Rollout; a Canary has none."""
    is_rollout = found.ref.kind == ROLLOUTS[1]
    return text(mapping(found.manifest.get("spec")).get("source")) if is_rollout else ""


async def _target(api: Api, found: Found) -> Manifest | None:
    """The workload, with the fields' managers. Who changed it is worth a read, and not worth an error."""
    roots = roots_of(found)
    try:
        return await api.get(roots.refs["canary"]) if roots is not None else None
    except ApiError:
        return None
