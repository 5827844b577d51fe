"""What all pages have around them: who looks, the stream that keeps them fresh, and what went wrong in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, NamedTuple

from aiohttp import web
from jinja2 import Environment

from interpreter.cluster.errors import ApiError
from interpreter.web.application import csrf_of
from interpreter.web.fitting import Refused, Why
from interpreter.web.people import Person, Unavailable
from interpreter.web.problems import told
from interpreter.web.site import SITE, person_of
from rollway.cluster.finding import CANARIES, ROLLOUTS
from rollway.dashboard.gathering import Gathering
from rollway.dashboard.rights import Rights
from rollway.dashboard.watch import Key, Watch

_KINDS = {kind.lower(): kind for _, kind in (ROLLOUTS, CANARIES)}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Dashboard(NamedTuple):
    """What the pages share. `local`: it was begun by the one person who looks."""

    watch: Watch
    gathering: Gathering
    rights: Rights
    templates: Environment
    local: bool


DASHBOARD = web.AppKey("dashboard", Dashboard)


def frame(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A page."""
    shared, person = request.app[DASHBOARD], person_of(request)
    usual: dict[str, Any] = {
        "again": False,
        "csrf": csrf_of(request),
        "local": shared.local,
        "person": person.name if person is not None else "",
        "read_only": request.app[SITE].read_only,
        "seen": f"{shared.watch.epoch}-{shared.watch.number}",
        "stream": "",
    }
    text = shared.templates.get_template(template).render(**{**usual, **values})
    return web.Response(status=status, text=text, content_type="text/html")


def page(handler: Handler) -> Handler:
    """A handler whose troubles become a page in words, and not a bare status."""

    @wraps(handler)
    async def told_in_words(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (Refused, ApiError, Unavailable) as error:
            what = told(error)
            return frame(request, "sorry.html", status=what.status, title=what.title, detail=what.detail)

    return told_in_words


def key_of(request: web.Request) -> Key:
    """The rollout that an address names. Raises `Refused`."""
    kind = _KINDS.get(request.match_info["kind"])
    if kind is None:
        raise Refused(Why.MISSING, "there is nothing here", "an address is /rollouts/rollout/NAMESPACE/NAME")
    key = Key(kind, request.match_info["namespace"], request.match_info["name"])
    within = request.app[DASHBOARD].watch.namespace
    if within is not None and key.namespace != within:
        raise Refused(Why.MISSING, f"this shows the namespace `{within}` only")
    return key


def somebody(request: web.Request) -> Person:
    """Who asks. Raises 401 where nobody has said."""
    person = person_of(request)
    if person is None:
        raise web.HTTPUnauthorized(text="log in first")
    return person
