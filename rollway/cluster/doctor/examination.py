"""The whole examination, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import zip_longest

from interpreter.cluster.api import Api
from interpreter.cluster.errors import ApiError, Forbidden
from rollway.cluster import data
from rollway.cluster.data import Output
from rollway.cluster.doctor import installed
from rollway.cluster.doctor.admission import admission
from rollway.cluster.doctor.controllers import Controller, controllers
from rollway.cluster.doctor.finding import Area, Finding, Verdict, seen
from rollway.cluster.doctor.permitted import permitted
from rollway.cluster.doctor.reachable import metrics_server
from rollway.cluster.doctor.usage import Usage, providers, usage_of
from rollway.exit_codes import ExitCode
from rollway.terminal import plural, put


async def examine(api: Api, namespace: str | None, asked: tuple[str, ...], output: Output) -> int:
    """Look at everything and tell it. The exit code: whether something is wrong."""
    found = await findings(api, namespace, asked)
    if output is Output.TEXT:
        put(text(found))
    else:
        put(data.written({"server": api.server, "findings": [one._asdict() for one in found]}, output))
    return ExitCode.FINDINGS if any(one.verdict is Verdict.WRONG for one in found) else ExitCode.FINE


async def findings(api: Api, namespace: str | None, asked: tuple[str, ...]) -> list[Finding]:
    """All of them. Raises `ApiError` only if the API server cannot be reached."""
    version = await api.raw("GET", "/version")
    found = [Finding(Area.REACHABLE, Verdict.OK, f"Kubernetes {version.get('gitVersion', '?')} at {api.server}")]
    found += await seen(Area.INSTALLED, "the definitions", partial(installed.definitions, api))
    try:
        ours = await controllers(api, namespace)
    except Forbidden as refusal:
        said = f"the controller: you may not look for it: {refusal.message}"
        return [*found, Finding(Area.INSTALLED, Verdict.UNSEEN, said, "say where it is with -n")]
    if not ours:
        where = f"in the namespace `{namespace}`" if namespace is not None else "in the cluster"
        said = f"there is no controller {where}: nothing carries out rollouts"
        found.append(Finding(Area.INSTALLED, Verdict.WRONG, said, installed.INSTALL))
    for one in ours:
        found += await _controller(api, one, asked)
    if not ours:
        found += await seen(Area.INSTALLED, "the data planes", partial(providers, api, Usage(), asked))
    found += await seen(Area.INSTALLED, "the admission webhook", partial(admission, api, ours))
    return found + await seen(Area.INSTALLED, "Flagger", partial(installed.flagger_beside, api, ours))


async def _controller(api: Api, one: Controller, asked: tuple[str, ...]) -> list[Finding]:
    found = await seen(Area.INSTALLED, f"the controller {one}", partial(installed.controller, api, one))
    try:
        used = await usage_of(api, one)
    except ApiError as error:
        found.append(Finding(Area.INSTALLED, Verdict.UNSEEN, f"what policies use: {error.message}"))
        used = Usage()
    found += await seen(Area.INSTALLED, "the data planes", partial(providers, api, used, asked))
    found += await seen(Area.REACHABLE, "the metric server", partial(metrics_server, api, one))
    return found + await seen(Area.PERMITTED, "the rights", partial(permitted, api, one, used, asked))


def text(found: Sequence[Finding]) -> str:
    """For people: by area, what is wrong first, and what to do below it."""
    lines = []
    order = [Verdict.WRONG, Verdict.NOTE, Verdict.UNSEEN, Verdict.OK]
    for area in Area:
        of_area = sorted((one for one in found if one.area is area), key=lambda one: order.index(one.verdict))
        lines += [area.upper()] if of_area else []
        for one, after in zip_longest(of_area, of_area[1:]):
            lines.append(f"  {one.verdict:<6}  {one.what}")
            if one.do and (after is None or after.do != one.do):  # what mends several is said once, below them
                lines.append(f"          {one.do}")
    wrong = sum(one.verdict is Verdict.WRONG for one in found)
    lines += ["", f"{plural(wrong, 'thing')} wrong" if wrong else "nothing is wrong"]
    return "\n".join(lines) + "\n"
