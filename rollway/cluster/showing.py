"""`status` and `history`: what is seen once."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from interpreter.cluster.api import Api, ApiError
from rollway.cluster import data, histories, page, table, tree, watching
from rollway.cluster.data import Output
from rollway.cluster.finding import everything, find
from rollway.exit_codes import ExitCode
from rollway.histories import line, to_data
from rollway.terminal import program_name, put, say, width


async def status_of_all(api: Api, namespace: str | None, output: Output) -> int:
    """Every rollout of a namespace, or of all."""
    every = await everything(api, namespace)
    found = sorted(every.shown, key=lambda one: (one.namespace, one.name, one.kind))
    if output is Output.NAME:
        put("".join(f"{data.name(one)}\n" for one in found))
    elif output is not Output.TEXT:
        put(data.written([data.brief(one) for one in found], output))
    elif found:
        put(table.rollouts(found, _now(), everywhere=namespace is None))
    else:
        say(f"there is no rollout in {f'namespace `{namespace}`' if namespace else 'any namespace'}")
    _tell_refused(every.refused)
    return ExitCode.FINE


async def status_of(api: Api, namespace: str, name: str, output: Output) -> int:
    """One rollout."""
    found = await find(api, namespace, name)
    if output is Output.NAME:
        put(f"{data.name(found.shown)}\n")
    elif output is not Output.TEXT:
        put(data.written(data.whole(found.shown, found.program), output))
    else:
        there = await tree.tree(api, found)
        shown = page.page(found.shown, found.program, _now(), prefix=program_name(), tree=there)
        put(f"{page.title(found.shown)}\n{page.paper(shown, width(sys.stdout))}")
    return ExitCode.FINE


async def watch(api: Api, namespace: str, name: str, revision: str | None, limit_s: float | None) -> int:
    """One rollout until it is at rest."""
    found = await find(api, namespace, name)
    return await watching.one(api, found, revision, limit_s, watching.view(watching.draw_one, wants_tree=True))


async def watch_all(api: Api, namespace: str | None, limit_s: float | None) -> int:
    """Every rollout until there is an interruption."""
    every = await everything(api, namespace)
    _tell_refused(every.refused)
    draw = watching.draw_table(everywhere=namespace is None)
    return await watching.every(api, every.kinds, namespace, limit_s, watching.view(draw))


async def history(api: Api, namespace: str, name: str, number: int | None, output: Output) -> int:
    """The runs of one rollout, or all of one of them."""
    if output in (Output.JSON, Output.YAML):
        return await _exported(api, namespace, name, number, output)
    found = await find(api, namespace, name)
    runs = found.runs if number is None else [histories.chosen(found, number)]
    if output is Output.NAME:
        put("".join(f"rolloutrun.rollway.dev/{run.name}\n" for run in runs))
    elif number is not None:
        put(f"{found.shown.spoken} in {found.shown.namespace}: run {number}\n")
        put(page.paper(page.record(runs[0]), width(sys.stdout)))
    elif runs:
        put(table.runs(runs, _now()))
    else:
        say(f"{found.shown.spoken} in {found.shown.namespace} has no runs yet")
    return ExitCode.FINE


async def _exported(api: Api, namespace: str, name: str, number: int | None, output: Output) -> int:
    if number is not None:
        put(data.written(to_data(await histories.one(api, namespace, name, number)), output))
    else:
        every = await histories.every(api, await find(api, namespace, name))
        put(data.written([to_data(one) for one in every], output))
    return ExitCode.FINE


async def history_of_all(api: Api, namespace: str | None) -> int:
    """All runs of all rollouts, as JSON lines."""
    async for one in histories.of_all(api, namespace):
        put(line(one))
    return ExitCode.FINE


def _tell_refused(refused: Iterable[ApiError]) -> None:
    for error in refused:
        say(f"note: {error.message}")


def _now() -> int:
    return int(time.time() * 1000)
