"""The pages for looking: the list, one rollout, one run; and the files that they name."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from interpreter.cluster.api import Api
from interpreter.web.fitting import Refused, Why
from interpreter.web.people import Authority, Person
from interpreter.web.site import SITE, person_of
from rollway.cluster import now as possible
from rollway.dashboard import consequences, flash, glance, rendering
from rollway.dashboard.about import About, about, buttons, record
from rollway.dashboard.confirming import add_decisions
from rollway.dashboard.entering import add_doors, turned_away
from rollway.dashboard.frame import DASHBOARD, Dashboard, frame, key_of, page
from rollway.dashboard.gathering import Gathered, Gathering
from rollway.dashboard.rights import Rights
from rollway.dashboard.stream import STREAMS, Streams, list_stream, one_stream
from rollway.dashboard.watch import Key, Watch

MOST_PODS = 20
ROLLOUT = "/rollouts/{kind}/{namespace}/{name}"
_FOREVER = "public, max-age=31536000, immutable"


def add_pages(app: web.Application, *, namespace: str | None = None, local: bool = False) -> None:
    """Add the pages to the web application (`interpreter.web.application`). `namespace` confines them to one; `local`
    says that whoever looks has begun this themselves."""
    site = app[SITE]
    app[DASHBOARD] = _dashboard(site.api, site.authority, namespace, local)
    app[STREAMS] = Streams(app[DASHBOARD].watch, app[DASHBOARD].rights, site.authority)
    app.router.add_get("/", _list)
    app.router.add_get(ROLLOUT, _one)
    app.router.add_get(f"{ROLLOUT}/runs/{{number:[0-9]{{1,9}}}}", _run)
    app.router.add_get("/stream", list_stream)
    app.router.add_get(f"{ROLLOUT}/stream", one_stream)
    app.router.add_get(rendering.ASSETS + "{digest}/{name}", _asset)
    add_decisions(app, ROLLOUT)
    add_doors(app)
    app.on_shutdown.append(app[STREAMS].close)
    app.on_cleanup.append(_close)


def _dashboard(api: Api, authority: Authority, namespace: str | None, local: bool) -> Dashboard:
    return Dashboard(Watch(api, namespace), Gathering(api), Rights(authority), rendering.environment(), local)


async def _close(app: web.Application) -> None:
    await app[DASHBOARD].gathering.aclose()
    await app[DASHBOARD].watch.aclose()


@page
async def _list(request: web.Request) -> web.StreamResponse:
    person = person_of(request)
    if person is None:
        return turned_away(request)
    shared = request.app[DASHBOARD]
    await shared.watch.ready()
    seen = f"{shared.watch.epoch}-{shared.watch.number}"
    rollouts = await shared.rights.visible(person, shared.watch.rollouts())
    found = glance.glance(rollouts, glance.parsed(list(request.query.items())))

    def address(**changed: Any) -> str:
        """The list with something else asked for; another page only where nothing else is."""
        asked = found.query.parameters(**({"page": 1, **changed} if changed else {"need": "", "page": 1}))
        return f"/?{urlencode(asked)}" if asked else "/"

    return frame(
        request,
        "glance.html",
        glance=found,
        address=address,
        troubles=shared.watch.troubles,
        namespace=shared.watch.namespace,
        stream="/stream",
        seen=seen,
    )


@page
async def _one(request: web.Request) -> web.StreamResponse:
    person = person_of(request)
    if person is None:
        return turned_away(request)
    key = key_of(request)
    seen, gathered = await _gathered(request, person, key)
    shown = about(gathered, int(time.time() * 1000))
    offered, denied = await _offered(request, person, key, shown)
    message = flash.taken(request)
    response = frame(
        request,
        "rollout.html",
        about=shown,
        asked=shown.one.asked,
        base=rendering.path(shown.one),
        buttons=buttons(offered),
        deadline=consequences.deadline(shown.program, shown.present.pcs[0] if shown.present else None),
        denied=denied,
        flash=message,
        most_pods=MOST_PODS,
        stream=f"{rendering.path(shown.one)}/stream",
        seen=seen,
    )
    if message:
        flash.drop(response)
    return response


@page
async def _run(request: web.Request) -> web.StreamResponse:
    person = person_of(request)
    if person is None:
        return turned_away(request)
    key, number = key_of(request), int(request.match_info["number"])
    seen, gathered = await _gathered(request, person, key)
    found = record(gathered, number, int(time.time() * 1000))
    if found is None:
        kept = ", ".join(str(run.number) for run in gathered.found.runs) or "none"
        raise Refused(Why.MISSING, f"run {number} of {gathered.found.shown.spoken} is not kept", f"kept are {kept}")
    base = rendering.path(found.one)
    return frame(request, "run.html", record=found, base=base, stream=f"{base}/stream", seen=seen)


async def _asset(request: web.Request) -> web.StreamResponse:
    asset = rendering.assets().get(request.match_info["name"])
    if asset is None or asset.address != request.path:
        raise web.HTTPNotFound(text="there is no such file")
    headers = {"Cache-Control": _FOREVER}
    return web.Response(body=asset.body, content_type=asset.content_type, charset="utf-8", headers=headers)


async def _gathered(request: web.Request, person: Person, key: Key) -> tuple[str, Gathered]:
    """What there is of a rollout that this person may see, and the number of the change that it has. Raises
    `Refused`."""
    shared = request.app[DASHBOARD]
    await shared.rights.see(person, key)
    await shared.watch.ready()
    number = shared.watch.changed(key)
    gathered = await shared.gathering.of(key, number)
    if gathered is None:
        raise Refused(Why.MISSING, f"there is no {key.kind} `{key.name}` in namespace `{key.namespace}`")
    return f"{shared.watch.epoch}-{number}", gathered


async def _offered(request: web.Request, person: Person, key: Key, shown: About) -> tuple[list[str], str]:
    """The verbs that fit now and that this person may; and why there is none, where there could be."""
    fitting = list(possible.verbs(shown.one, shown.program))
    if not fitting:
        return [], ""
    if request.app[SITE].read_only:
        return [], "This page is read-only: nothing can be decided here."
    offered = await request.app[DASHBOARD].rights.verbs(person, key.ref, fitting, shown.awaited)
    return offered, "" if offered else f"{person.name} may look, and not decide here."
