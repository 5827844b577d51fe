"""The object that a name on a command line means, and its runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from difflib import get_close_matches
from typing import NamedTuple, TypeVar

from dsl.ir import Program
from interpreter.cluster.api import Api, Forbidden, NotServed
from interpreter.cluster.names import API_VERSION, FLAGGER_API_VERSION
from interpreter.objects import Manifest, Ref
from rollway.cluster.shown import CANARY, RunShown, Shown, run_selector, run_shown, runs_of, shown
from rollway.terminal import Stop

T = TypeVar("T")

ROLLOUTS = (API_VERSION, "Rollout")
CANARIES = (FLAGGER_API_VERSION, CANARY)
RUNS = (API_VERSION, "RolloutRun")
_WORDS = {
    **dict.fromkeys(("rollout", "rollouts", "rw", "rollout.rollway.dev", "rollouts.rollway.dev"), ROLLOUTS),
    **dict.fromkeys(("canary", "canaries", "canary.flagger.app", "canaries.flagger.app"), CANARIES),
}
_MOST_NAMES = 8


class Found(NamedTuple):
    """A rollout's object as it was read, its runs newest first, and what people are shown of both."""

    manifest: Manifest
    runs: list[RunShown]
    shown: Shown

    @property
    def program(self) -> Program | None:
        """What the latest run carries out."""
        return self.shown.run.program() if self.shown.run is not None else None

    @property
    def ref(self) -> Ref:
        metadata = self.manifest["metadata"]
        return Ref(self.manifest["apiVersion"], self.manifest["kind"], metadata["namespace"], metadata["name"])


class Everything(NamedTuple):
    """All rollouts, of the kinds that could be listed; and why the others could not."""

    shown: list[Shown]
    kinds: list[tuple[str, str]]
    refused: list[Forbidden]


async def find(api: Api, namespace: str, spoken: str) -> Found:
    """The rollout of this name, `rollout/NAME` or `canary/NAME`. Raises `Stop` if there is none, or one of each."""
    kinds, name = _meant(spoken)
    answers = await asyncio.gather(*(_or_refused(_get(api, kind, namespace, name)) for kind in kinds))
    objects = [one for one in answers if isinstance(one, dict)]
    if not objects:
        for refused in answers:
            if isinstance(refused, Forbidden):
                raise refused
        raise Stop(await _missing(api, kinds, namespace, name))
    if len(objects) > 1:
        raise Stop(f"`{name}` in `{namespace}` is a Rollout and a Canary: say `rollout/{name}` or `canary/{name}`")
    return await with_runs(api, objects[0])


async def with_runs(api: Api, manifest: Manifest) -> Found:
    """The same object with its runs."""
    metadata = manifest["metadata"]
    selector = run_selector(manifest["kind"], metadata["name"])
    runs = runs_of(map(run_shown, await served(api, RUNS, metadata["namespace"], selector)), metadata["uid"])
    return Found(manifest, runs, shown(manifest, runs))


async def everything(api: Api, namespace: str | None) -> Everything:
    """All Rollouts and Canaries of a namespace, or of all. Raises `NotServed` if there is neither kind, and `Forbidden`
    if neither may be listed."""
    kinds = await known(api)
    answers = await asyncio.gather(*(_or_refused(api.list(kind, namespace)) for kind in kinds))
    refused = [answer for answer in answers if isinstance(answer, Forbidden)]
    if len(refused) == len(kinds):
        raise refused[0]
    listed = {kind: answer for kind, answer in zip(kinds, answers, strict=True) if not isinstance(answer, Forbidden)}
    manifests = [manifest for answer in listed.values() for manifest in answer]
    runs: list[RunShown] = []
    if any(manifest["kind"] == CANARY for manifest in manifests):
        runs = [run_shown(one) for one in await served(api, RUNS, namespace, run_selector(CANARY))]
    runs = [run for run in runs if run.owner_uid]  # one that does not say whose it is could be anybody's
    return Everything([shown(manifest, runs) for manifest in manifests], list(listed), refused)


async def known(api: Api) -> list[tuple[str, str]]:
    """The kinds of rollout that the cluster serves. Raises `NotServed` if it serves none."""
    kinds = []
    missing: NotServed | None = None
    for kind in (ROLLOUTS, CANARIES):
        try:
            await api.discovery.resource(*kind)
        except NotServed as error:
            missing = missing or error
        else:
            kinds.append(kind)
    if missing is not None and not kinds:
        raise missing
    return kinds


async def served(api: Api, kind: tuple[str, str], namespace: str | None, selector: str = "") -> list[Manifest]:
    """A list; of a kind that the cluster does not know there is none."""
    try:
        return await api.list(kind, namespace, selector)
    except NotServed:
        return []


async def _or_refused(asking: Awaitable[T]) -> T | Forbidden:
    """The answer, or that one may not ask."""
    try:
        return await asking
    except Forbidden as refused:
        return refused


def _meant(spoken: str) -> tuple[list[tuple[str, str]], str]:
    word, slash, name = spoken.rpartition("/")
    if not slash:
        return [ROLLOUTS, CANARIES], name
    kind = _WORDS.get(word.lower())
    if kind is None or not name:
        raise Stop(f"`{spoken}` names no rollout: say `NAME`, `rollout/NAME` or `canary/NAME`")
    return [kind], name


async def _get(api: Api, kind: tuple[str, str], namespace: str, name: str) -> Manifest | None:
    try:
        return await api.get(Ref(*kind, namespace, name))
    except NotServed:
        return None


async def _missing(api: Api, kinds: list[tuple[str, str]], namespace: str, name: str) -> str:
    """What to say of a name that nothing has. Raises `NotServed` where nothing can have it."""
    if len(kinds) == 1:
        await api.discovery.resource(*kinds[0])
    wanted = [kind for kind in await known(api) if kind in kinds]
    there = sorted({one["metadata"]["name"] for kind in wanted for one in await api.list(kind, namespace)})
    what = wanted[0][1] if len(kinds) == 1 else "rollout"
    said = f"there is no {what} `{name}` in namespace `{namespace}`"
    if close := get_close_matches(name, there, 1):
        return f"{said}; did you mean `{close[0]}`?"
    if not there:
        return f"{said}, nor any other; `-n` names another namespace, `rollway status -A` shows all"
    names = ", ".join(f"`{one}`" for one in there[:_MOST_NAMES])
    return f"{said}; it has {names}" + (" and more" if len(there) > _MOST_NAMES else "")
