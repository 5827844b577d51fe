"""`status` and `history`: what is seen once."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from interpreter.cluster.api import Api, ApiError
from rollway.cluster import data, page, table, watching
from rollway.cluster.data import Output
from rollway.cluster.finding import Found, everything, find
from rollway.exit_codes import ExitCode
from rollway.terminal import Stop, program_name, put, say, width


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
        shown = page.page(found.shown, found.program, _now(), prefix=program_name())
        put(f"{page.title(found.shown)}\n{page.paper(shown, width(sys.stdout))}")
    return ExitCode.FINE


async def watch(api: Api, namespace: str, name: str, revision: str | None, limit_s: float | None) -> int:
    """One rollout until it is at rest."""
    found = await find(api, namespace, name)
    return await watching.one(api, found, revision, limit_s, watching.view(watching.draw_one))


async def watch_all(api: Api, namespace: str | None, limit_s: float | None) -> int:
    """Every rollout until there is an interruption."""
    every = await everything(api, namespace)
    _tell_refused(every.refused)
    draw = watching.draw_table(everywhere=namespace is None)
    return await watching.every(api, every.kinds, namespace, limit_s, watching.view(draw))


async def history(api: Api, namespace: str, name: str, number: int | None, output: Output) -> int:
    """The runs of one rollout, or all of one of them."""
    found = await find(api, namespace, name)
    if number is not None:
        return _record(found, number, output)
    if output is Output.NAME:
        put("".join(f"rolloutrun.rollway.dev/{run.name}\n" for run in found.runs))
    elif output is not Output.TEXT:
        put(data.written([data.summary(run) for run in found.runs], output))
    elif found.runs:
        put(table.runs(found.runs, _now()))
    else:
        say(f"{found.shown.spoken} in {found.shown.namespace} has no runs yet")
    return ExitCode.FINE


def _record(found: Found, number: int, output: Output) -> int:
    run = next((run for run in found.runs if run.number == number), None)
    if run is None:
        kept = ", ".join(str(run.number) for run in found.runs) or "none"
        raise Stop(f"there is no run {number} of `{found.shown.spoken}` in `{found.shown.namespace}`; kept are {kept}")
    if output is Output.NAME:
        put(f"rolloutrun.rollway.dev/{run.name}\n")
    elif output is not Output.TEXT:
        put(data.written(data.record(run), output))
    else:
        put(f"{found.shown.spoken} in {found.shown.namespace}: run {number}\n")
        put(page.paper(page.record(run), width(sys.stdout)))
    return ExitCode.FINE


def _tell_refused(refused: Iterable[ApiError]) -> None:
    for error in refused:
        say(f"note: {error.message}")


def _now() -> int:
    return int(time.time() * 1000)
